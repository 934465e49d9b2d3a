"""Following a command while it runs: what it prints, what its host records, and what the turn has used so far."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace

from telic.domain.budget import ModelUsage
from telic.domain.clock import Instant
from telic.loop.agents.json_reader import OutputParser, Parsed
from telic.loop.agents.output import LineSplitter
from telic.loop.agents.prices import RunningCost
from telic.loop.agents.protocol import TurnRequest
from telic.loop.agents.records import UsageRecords


class Listening:
    """Reads one turn of a command, and reports its usage whenever more of it is known."""

    def __init__(
        self,
        request: TurnRequest,
        parser: OutputParser,
        records: UsageRecords | None,
        on_line: Callable[[str], None] | None,
        every_seconds: float,
        *,
        prints_before_it_asks: bool = False,
    ) -> None:
        self._request = request
        self._parser = parser
        self._records = records
        self._on_line = on_line
        self._every_seconds = every_seconds
        self._is_silent = prints_before_it_asks
        self._cost = RunningCost(request.goal)
        self._lines = LineSplitter()
        self._reported: ModelUsage | None = None
        self._notice: str | None = None

    @property
    def dropped_lines(self) -> int:
        """How many lines were too long to be read."""
        return self._lines.dropped

    @property
    def unknown_cost(self) -> str:
        """Why the turn's cost is not known, where somebody limits it; else empty."""
        return self._cost.unknown

    def take_chunk(self, chunk: bytes) -> None:
        """The output goes on with this."""
        for line in self._lines.split(chunk):
            self._take(line)

    def _take(self, line: bytes) -> None:
        self._is_silent = False
        self._parser.take(line)
        self._report(self._parser.so_far())
        if self._on_line is not None:
            self._on_line(line.decode(errors="replace"))

    def _report(self, so_far: Parsed) -> None:
        if so_far.notice is not None and so_far.notice != self._notice:
            self._request.report_notice(so_far.notice)
        self._notice = so_far.notice
        if so_far.usage is not None and so_far.usage != self._reported:
            self._reported = so_far.usage
            usage = self._cost.added_to_lines(so_far) or so_far.usage
            self._request.report_usage(usage, model=so_far.model, session=so_far.session, cost_is_known=True)

    @asynccontextmanager
    async def following(self) -> AsyncGenerator[None]:
        """Inside, the host's own files are looked at again and again; at the end all that is known was reported."""
        if self._records is None:
            try:
                yield
            finally:
                self._finish()
            return
        await asyncio.to_thread(self._records.begin)
        ended = asyncio.Event()
        looking = asyncio.ensure_future(self._look_until(self._records, ended))
        try:
            yield
        finally:
            self._finish()
            ended.set()
            await asyncio.wait({looking})
            self._report(await asyncio.to_thread(self._records.improve, self._parser.so_far()))

    def _finish(self) -> None:
        for line in self._lines.finish():
            self._take(line)
        if self._is_silent:
            # Its model was asked for nothing: that is known, and no estimate.
            self._request.report_usage(ModelUsage(), cost_is_known=True)

    async def _look_until(self, records: UsageRecords, ended: asyncio.Event) -> None:
        while not ended.is_set():
            try:
                async with asyncio.timeout(self._every_seconds):
                    await ended.wait()
            except TimeoutError:
                self._report(await asyncio.to_thread(records.improve, self._parser.so_far()))

    async def parsed(self, now: Instant) -> Parsed:
        """What all of it says."""
        parsed = self._parser.parsed(now)
        if self._records is not None:
            parsed = await asyncio.to_thread(self._records.improve, parsed)
        return replace(parsed, usage=self._cost.added_to_lines(parsed))

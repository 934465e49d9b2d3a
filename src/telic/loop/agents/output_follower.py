"""Follows a command while it runs: its output, its host's records, and the turn's usage and cost so far."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Final

from telic.domain.base_errors import unknown_price
from telic.domain.budget import ModelUsage
from telic.domain.clock import Instant
from telic.domain.errors import AgentCostUnknown
from telic.domain.goal import Goal
from telic.loop.agents.formats import OutputParser, Parsed, UsageRecords
from telic.loop.agents.json_reader import used_since
from telic.loop.agents.protocol import TurnRequest
from telic.pricing import cost_microunits, has_price_table

MAX_LINE_BYTES: Final = 16 * 1024 * 1024
_LAST_WORDS_SECONDS: Final = 1.0
"""So long a command may still say that its provider's limit is reached, once nobody knows what its usage cost."""


class LineSplitter:
    """Makes lines of chunks. A line of more than `max_line_bytes` is dropped and counted in `dropped`."""

    def __init__(self, max_line_bytes: int = MAX_LINE_BYTES) -> None:
        self._max_line_bytes = max_line_bytes
        self._partial = bytearray()
        self._dropping = False
        self.dropped = 0

    def split(self, chunk: bytes) -> Iterator[bytes]:
        """Give the lines that the chunk ends, without their line ends."""
        *ended, rest = chunk.split(b"\n")
        for piece in ended:
            self._keep(piece)
            yield from self._end_line()
        self._keep(rest)

    def finish(self) -> Iterator[bytes]:
        """Give the last line, where no line end followed it."""
        if self._partial or self._dropping:
            yield from self._end_line()

    def _keep(self, piece: bytes) -> None:
        if self._dropping or len(self._partial) + len(piece) > self._max_line_bytes:
            self._dropping = True
            self._partial.clear()
        else:
            self._partial += piece

    def _end_line(self) -> Iterator[bytes]:
        line, dropped = bytes(self._partial), self._dropping
        self._partial.clear()
        self._dropping = False
        self.dropped += dropped
        if not dropped:
            yield line.removesuffix(b"\r")


class OutputFollower:
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
        ends_unpriced: bool = False,
    ) -> None:
        self._request = request
        self._parser = parser
        self._records = records
        self._on_line = on_line
        self._every_seconds = every_seconds
        self._is_silent = prints_before_it_asks
        self._ends_unpriced = ends_unpriced
        self._cost = RunningCost(request.goal)
        self._lines = LineSplitter()
        self._reported: tuple[ModelUsage, str | None] | None = None
        self._usage: ModelUsage | None = None
        self._session: str | None = None
        self._until: asyncio.Timeout | None = None
        self._notice: str | None = None

    @property
    def dropped_lines(self) -> int:
        """The number of lines that were too long to be read."""
        return self._lines.dropped

    @property
    def unknown_cost(self) -> str:
        """Return why the turn's cost is unknown, if the goal limits it; else ""."""
        return self._cost.unknown

    def take_chunk(self, chunk: bytes) -> None:
        """Read the next chunk of the output."""
        for line in self._lines.split(chunk):
            self._take(line)

    def _take(self, line: bytes) -> None:
        self._is_silent = False
        self._parser.take(line)
        self._report(self._parser.so_far(), is_whole=self._records is None)
        if self._on_line is not None:
            self._on_line(line.decode(errors="replace"))

    def _report(self, so_far: Parsed, *, is_whole: bool = True) -> None:
        if so_far.quota is not None and self._until is not None and not self._until.expired():
            # The provider refuses: nothing more is used, and the turn is a wait (ADR 61).
            self._until.reschedule(None)
        if so_far.notice is not None and so_far.notice != self._notice:
            self._request.report_notice(so_far.notice)
        self._notice = so_far.notice
        if so_far.usage is None or (so_far.usage, so_far.model) == self._reported:
            return
        self._reported = so_far.usage, so_far.model
        self._usage = self._cost.added_to_lines(so_far) or so_far.usage
        self._session = so_far.session
        self._request.report_usage(self._usage, model=so_far.model, session=so_far.session, cost_is_known=True)
        # A host may name its model later; a line of Telic's own protocol is whole.
        is_certain = is_whole and (so_far.model is not None or so_far.without_cost is not None)
        is_new = self._until is not None and self._until.when() is None and so_far.quota is None
        if self._until is not None and is_new and is_certain and self._cost.unknown and self._ends_unpriced:
            self._until.reschedule(asyncio.get_running_loop().time() + _LAST_WORDS_SECONDS)

    @asynccontextmanager
    async def following(self) -> AsyncGenerator[None]:
        """Inside, the host's own files are read again and again; at the end all known usage was reported.

        Raises:
            AgentCostUnknown: what is inside was cancelled, since usage came whose cost nobody knows.
        """
        is_unpriced = False
        async with self._reading():
            try:
                async with asyncio.timeout(None) as self._until:
                    yield
            except TimeoutError:
                if self._until is None or not self._until.expired():
                    raise
                is_unpriced = True
            finally:
                self._until = None
        if is_unpriced:
            raise AgentCostUnknown(self._cost.unknown, usage=self._usage, session=self._session, usage_is_estimate=True)

    @asynccontextmanager
    async def _reading(self) -> AsyncGenerator[None]:
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
            # Its model was asked for nothing: that is certain, and no estimate.
            self._request.report_usage(ModelUsage(), cost_is_known=True)

    async def _look_until(self, records: UsageRecords, ended: asyncio.Event) -> None:
        while not ended.is_set():
            try:
                async with asyncio.timeout(self._every_seconds):
                    await ended.wait()
            except TimeoutError:
                self._report(await asyncio.to_thread(records.improve, self._parser.so_far()))

    async def parsed(self, now: Instant) -> Parsed:
        """Return what all of it says, with the cost of its usage."""
        parsed = self._parser.parsed(now)
        if self._records is not None:
            parsed = await asyncio.to_thread(self._records.improve, parsed)
        return replace(parsed, usage=self._cost.added_to_lines(parsed))


class RunningCost:
    """Prices a turn's growing usage piece by piece: some models cost more above a length of one request."""

    def __init__(self, goal: Goal) -> None:
        self._is_wanted = goal.budget.cost_microunits is not None
        self._priced = ModelUsage()
        self._cost = 0
        self._unknown = ""

    @property
    def unknown(self) -> str:
        """Why the turn's cost is not known, and how it could be; empty where it is known, or money is not limited."""
        return self._unknown

    def added_to(self, usage: ModelUsage, model: str | None) -> ModelUsage:
        """Return the turn's usage so far with its cost; unchanged where it has one, or money is not limited.

        A cost without a known price stays out; `unknown` then says so.
        """
        if not self._is_wanted:
            return usage
        is_known = bool(usage.cost_microunits) or self._add(usage, model)
        self._unknown = "" if is_known else _unknown_price(model)
        return usage if usage.cost_microunits else replace(usage, cost_microunits=self._cost)

    def added_to_lines(self, parsed: Parsed) -> ModelUsage | None:
        """As `added_to`, for a format that may separate the responses without their cost."""
        if parsed.usage is None or parsed.without_cost is None:
            return None if parsed.usage is None else self.added_to(parsed.usage, parsed.model)
        if not self._is_wanted:
            return parsed.usage
        if not self._add(parsed.without_cost, parsed.model):
            self._unknown = _unknown_price(parsed.model)
        return replace(parsed.usage, cost_microunits=parsed.usage.cost_microunits + self._cost)

    def _add(self, usage: ModelUsage, model: str | None) -> bool:
        """Price the usage since the last time, and return whether its price is known."""
        added = used_since(self._priced, usage)
        cost = cost_microunits(model, added) if added.input_tokens or added.output_tokens else 0
        if cost is None:
            return False
        self._priced = usage
        self._cost += cost
        return True


def _unknown_price(model: str | None) -> str:
    who = "a response that names no model" if model is None else f"the model {model!a}"
    named = "name a model that has a price, or cost_microunits, with the usage"
    ways = (named, "take the budget of money away", "say --allow-unknown-usage")
    return unknown_price(who, *ways, has_table=has_price_table())

"""How accepted turns reach the store: in order, for ever, each exactly once."""

import logging
import random
import time
from typing import Final

from telic.accounting.notifications import Teller
from telic.accounting.outbox import Entry
from telic.accounting.ports import Port
from telic.accounting.snapshot_cache import Reader
from telic.accounting.state import Book
from telic.accounting.turn_record import Line, MalformedLine, decoded
from telic.domain.errors import GoalError, HoldLost, StoreClosed, StoreError
from telic.domain.events import TurnResult

_SHORTEST_PAUSE_SECONDS: Final = 0.05
_LONGEST_PAUSE_SECONDS: Final = 2.0
_ADOPTION_SECONDS: Final = 30.0
_MOST_SURPRISES: Final = 10
"""An error that no store should raise may be an outage in disguise, or a turn that nobody can store."""
_LOG: Final = logging.getLogger("telic.accounting")


class Pump:
    """Works until it is told to end, then on until nothing is left or its time is over."""

    def __init__(self, port: Port, book: Book, reader: Reader, teller: Teller) -> None:
        self._port = port
        self._book = book
        self._outbox = book.outbox
        self._reader = reader
        self._teller = teller
        self._deadline: float | None = None
        self._next_attempt = 0.0
        self._next_adoption = 0.0
        self._pause_seconds = 0.0
        self._surprises = 0
        self._is_store_closed = False

    def end(self, seconds: float) -> None:
        """It ends once every turn is stored, or after the seconds."""
        self._deadline = time.monotonic() + seconds
        self.hurry()

    def hurry(self) -> None:
        """The next attempt is made now."""
        self._next_attempt = 0.0

    async def run(self) -> None:
        """It has ended. Whoever wakes the port makes it look for work."""
        while True:
            try:
                await self._round()
            except Exception:
                # Whatever it is, the turns are in the journal and this goes on.
                _LOG.exception("accounting stumbled")
                self._wait_longer()
            if self._is_over:
                return
            await self._port.rest(self._seconds_to_rest)

    @property
    def _is_over(self) -> bool:
        if self._deadline is None:
            return False
        return self._outbox.peek() is None or self._is_store_closed or time.monotonic() >= self._deadline

    @property
    def _seconds_to_rest(self) -> float:
        times = [self._next_adoption]
        if self._outbox.peek() is not None:
            times.append(self._next_attempt)
        if self._deadline is not None:
            times.append(self._deadline)
        return max(0.0, min(times) - time.monotonic())

    async def _round(self) -> None:
        if time.monotonic() >= self._next_adoption:
            self._next_adoption = time.monotonic() + _ADOPTION_SECONDS
            self._outbox.adopt()
        await self._reader.look()
        await self._tell()
        is_storing = True
        while is_storing and not self._is_over and time.monotonic() >= self._next_attempt:
            entry = self._outbox.peek()
            if entry is None:
                break
            is_storing = await self._store(entry)
            if self._port.is_woken:
                await self._reader.look()
            await self._tell()

    async def _tell(self) -> None:
        settled = self._book.settled
        await self._teller.tell()
        self._book.told = settled

    async def _store(self, entry: Entry) -> bool:
        """Whether the entry is dealt with, so that the next one's turn has come."""
        try:
            line = decoded(entry.data)
        except MalformedLine as error:
            await self._refuse(entry, None, error)
            return True
        try:
            token = self._port.token()
            result = await self._record(line)
        except BaseException as error:
            self._book.end_write()
            if not isinstance(error, Exception):
                raise
            return await self._failed(entry, line, error)
        self._outbox.drop()
        self._book.settle(entry, line, None if result is None else result.goal, token)
        self._regain()
        return True

    async def _failed(self, entry: Entry, line: Line, error: Exception) -> bool:
        """Whether the entry is dealt with all the same."""
        is_surprise = not isinstance(error, GoalError)
        self._surprises += is_surprise
        if isinstance(error, StoreError) or (is_surprise and self._surprises < _MOST_SURPRISES):
            await self._lose(line, error)
            return False
        await self._refuse(entry, line, error)
        self._regain()
        return True

    async def _record(self, line: Line) -> TurnResult | None:
        """The turn as it is stored; None where its scope had no goal."""
        goal_id = line.goal_id or await self._goal_of(line)
        if goal_id is None:
            return None
        self._book.begin_write()
        try:
            return await self._record_for(goal_id, line, line.hold)
        except HoldLost:
            # It was spent all the same.
            return await self._record_for(goal_id, line, None)

    async def _record_for(self, goal_id: str, line: Line, hold: str | None) -> TurnResult:
        return await self._port.record_turn(
            goal_id, usage=line.usage, kind=line.kind, model=line.model, hold=hold, key=line.key
        )

    async def _goal_of(self, line: Line) -> str | None:
        """The scope's active goal, unless it was created after the turn."""
        goal = await self._port.active(line.scope)
        if goal is None or goal.created_at > line.at:
            _LOG.debug("the turn %s belongs to no goal", line.key)
            return None
        return goal.id

    async def _refuse(self, entry: Entry, line: Line | None, error: Exception) -> None:
        """The line is set aside: no store will ever take it."""
        key = None if line is None else line.key
        why = f"{getattr(error, 'code', type(error).__name__)}: {error}"
        await self._port.offload(lambda: self._outbox.set_aside(entry, why))
        self._outbox.drop()
        self._book.settle(entry, line, None, None)
        self._book.report(error, key, f"the turn {key!a} is refused and set aside")

    async def _lose(self, line: Line, error: Exception) -> None:
        """The store is away: turns wait, safe also from a power cut, and the next attempt comes later."""
        self._is_store_closed = isinstance(error, StoreClosed)
        if not self._pause_seconds:
            _LOG.warning("the store takes no turns for now, they wait: %s", error)
            if not getattr(error, "retryable", False):
                self._book.report(error, line.key, "the store may need help")
        self._wait_longer()
        self._outbox.spill()
        await self._port.offload(self._outbox.sync)

    def _wait_longer(self) -> None:
        self._pause_seconds = min(_LONGEST_PAUSE_SECONDS, max(_SHORTEST_PAUSE_SECONDS, self._pause_seconds * 2))
        self._next_attempt = time.monotonic() + self._pause_seconds * random.uniform(0.5, 1.0)

    def _regain(self) -> None:
        if self._pause_seconds:
            _LOG.info("the store takes turns again")
        self._pause_seconds = self._next_attempt = 0.0
        self._surprises = 0

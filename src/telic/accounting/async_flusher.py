"""The job that writes accepted turns to the store: in order, each exactly once, until its end is asked for."""

import asyncio
import logging
import random
import time
from collections.abc import Hashable
from typing import Final

from telic.accounting.async_background import AsyncBackground
from telic.accounting.outbox import Entry
from telic.accounting.state import AccountingState, ThresholdNotifier
from telic.accounting.turn_record import MalformedRecord, TurnRecord, decoded
from telic.domain.errors import GoalError, HoldLost, StoreClosed, StoreError
from telic.domain.events import TurnResult
from telic.domain.goal import Goal
from telic.storage.transaction import AsyncChanges
from telic.store.async_store import AsyncGoalStore

_SHORTEST_PAUSE_SECONDS: Final = 0.05
_LONGEST_PAUSE_SECONDS: Final = 2.0
_RECOVERY_SECONDS: Final = 30.0
# An error that no store should raise may be an outage in disguise, or a turn that nobody can store.
_MOST_SURPRISES: Final = 10
_READINGS: Final = 5
_READING_PAUSE_SECONDS: Final = 0.002
_LOG: Final = logging.getLogger("telic.accounting")


class SnapshotCache:
    """Reads the goal again whenever it may have changed, so that no cached one outlives a change that could be seen."""

    def __init__(self, store: AsyncGoalStore, changes: AsyncChanges, state: AccountingState, scope: str) -> None:
        self._store = store
        self._changes = changes
        self._state = state
        self._scope = scope

    def token(self) -> Hashable:
        """Return a token that differs as soon as a change was, or may have been, committed."""
        return self._store.call_count, self._changes.token()

    async def refresh(self) -> bool:
        """Read the goal if it may have changed, and return whether it was read. Without an answer it is stale."""
        try:
            return await self.refresh_or_raise()
        except StoreError as error:
            self._state.is_stale = True
            _LOG.debug("the goal cannot be read: %s", error)
        except Exception:
            self._state.is_stale = True
            _LOG.exception("the goal cannot be read")
        return False

    async def refresh_or_raise(self) -> bool:
        """As `refresh`; raise StoreError if the store does not answer."""
        # A write between the reading's start and its end makes it useless (ADR 17), so it is tried a few times.
        for attempts_left in reversed(range(_READINGS)):
            token = self.token()
            if self._state.is_as_of(token):
                return False
            writes = self._state.writes()
            if writes is not None or not attempts_left:
                goal = await self._goal()
                if self._state.publish(goal, token, writes, is_last_chance=not attempts_left):
                    break
            await asyncio.sleep(_READING_PAUSE_SECONDS)
        return True

    async def _goal(self) -> Goal | None:
        """Read and return the scope's active goal; without one, the goal that was active last."""
        known = self._state.goal
        active = await self._store.active(self._scope)
        return active if active is not None or known is None else await self._store.get(known.id)


class Flusher:
    """Writes waiting turns to the store; after `end` it goes on until none is left or its time is over."""

    def __init__(
        self,
        store: AsyncGoalStore,
        background: AsyncBackground,
        state: AccountingState,
        cache: SnapshotCache,
        notifier: ThresholdNotifier,
    ) -> None:
        self._store = store
        self._background = background
        self._state = state
        self._outbox = state.outbox
        self._cache = cache
        self._notifier = notifier
        self._deadline: float | None = None
        self._next_attempt = 0.0
        self._next_recovery = 0.0
        self._pause_seconds = 0.0
        self._surprises = 0
        self._is_store_closed = False

    def end(self, seconds: float) -> None:
        """`run` returns once every turn is stored, or after so many seconds."""
        self._deadline = time.monotonic() + seconds
        self.retry_now()

    def retry_now(self) -> None:
        """The next attempt is made now."""
        self._next_attempt = 0.0

    async def run(self) -> None:
        """Write turns until the end; who wakes the background makes it look for work at once."""
        while True:
            try:
                await self._round()
            except Exception:
                # Whatever it is, the turns are in the journal and this goes on.
                _LOG.exception("accounting stumbled")
                self._wait_longer()
            if self._is_over:
                return
            await self._background.rest(self._seconds_to_rest)

    @property
    def _is_over(self) -> bool:
        if self._deadline is None:
            return False
        return self._outbox.peek() is None or self._is_store_closed or time.monotonic() >= self._deadline

    @property
    def _seconds_to_rest(self) -> float:
        times = [self._next_recovery]
        if self._outbox.peek() is not None:
            times.append(self._next_attempt)
        if self._deadline is not None:
            times.append(self._deadline)
        return max(0.0, min(times) - time.monotonic())

    async def _round(self) -> None:
        if time.monotonic() >= self._next_recovery:
            self._next_recovery = time.monotonic() + _RECOVERY_SECONDS
            self._outbox.recover_orphaned()
        await self._cache.refresh()
        await self._notify()
        is_storing = True
        while is_storing and not self._is_over and time.monotonic() >= self._next_attempt:
            entry = self._outbox.peek()
            if entry is None:
                break
            is_storing = await self._store_one(entry)
            if self._background.is_woken:
                await self._cache.refresh()
            await self._notify()

    async def _notify(self) -> None:
        settled = self._state.settled
        for call in self._notifier.new_calls():
            try:
                await self._background.call(call)
            except Exception:
                _LOG.exception("a callback failed")
        self._state.notified = settled

    async def _store_one(self, entry: Entry) -> bool:
        """Write one entry, and return whether the next one may follow."""
        try:
            turn = decoded(entry.data)
        except MalformedRecord as error:
            await self._refuse(entry, None, error)
            return True
        try:
            token = self._cache.token()
            result = await self._record(turn)
        except BaseException as error:
            self._state.end_write()
            if not isinstance(error, Exception):
                raise
            return await self._failed(entry, turn, error)
        # Only now: if the process dies before, the turn is written again under the same key, which changes nothing.
        self._outbox.drop()
        self._state.settle(entry, turn, None if result is None else result.goal, token)
        self._resume_normal_pace()
        return True

    async def _failed(self, entry: Entry, turn: TurnRecord, error: Exception) -> bool:
        """Return whether to go on with the next entry, since this one is set aside and not tried again."""
        is_surprise = not isinstance(error, GoalError)
        self._surprises += is_surprise
        if isinstance(error, StoreError) or (is_surprise and self._surprises < _MOST_SURPRISES):
            await self._postpone(turn, error)
            return False
        await self._refuse(entry, turn, error)
        self._resume_normal_pace()
        return True

    async def _record(self, turn: TurnRecord) -> TurnResult | None:
        """Return the turn as it is stored, or None if its scope had no goal."""
        goal_id = turn.goal_id or await self._goal_of(turn)
        if goal_id is None:
            return None
        self._state.begin_write()
        try:
            return await self._record_for(goal_id, turn, turn.hold)
        except HoldLost:
            # The hold has expired or was released, but the usage was spent all the same.
            return await self._record_for(goal_id, turn, None)

    async def _record_for(self, goal_id: str, turn: TurnRecord, hold: str | None) -> TurnResult:
        return await self._store.record_turn(
            goal_id, usage=turn.usage, kind=turn.kind, model=turn.model, hold=hold, key=turn.key
        )

    async def _goal_of(self, turn: TurnRecord) -> str | None:
        """Return the id of the scope's active goal, unless the goal was created after the turn."""
        goal = await self._store.active(turn.scope)
        if goal is None or goal.created_at > turn.at:
            _LOG.debug("the turn %s belongs to no goal", turn.key)
            return None
        return goal.id

    async def _refuse(self, entry: Entry, turn: TurnRecord | None, error: Exception) -> None:
        """Set the line aside: no store will ever take it."""
        key = None if turn is None else turn.key
        why = f"{getattr(error, 'code', type(error).__name__)}: {error}"
        await self._background.offload(lambda: self._outbox.set_aside(entry, why))
        self._outbox.drop()
        self._state.settle(entry, turn, None, None)
        self._state.report(error, key, f"the turn {key!a} is refused and set aside")

    async def _postpone(self, turn: TurnRecord, error: Exception) -> None:
        """The store is away: turns wait, safe also from a power cut, and the next attempt comes later."""
        self._is_store_closed = isinstance(error, StoreClosed)
        if not self._pause_seconds:
            _LOG.warning("the store takes no turns for now, they wait: %s", error)
            if not getattr(error, "retryable", False):
                self._state.report(error, turn.key, "the store may need help")
        self._wait_longer()
        # While the store is away the journal is the only copy, so it is synced: a power cut loses nothing either.
        self._outbox.spill()
        await self._background.offload(self._outbox.sync)

    def _wait_longer(self) -> None:
        # Doubled and scattered, so that many processes do not come back to a mended store in the same moment.
        self._pause_seconds = min(_LONGEST_PAUSE_SECONDS, max(_SHORTEST_PAUSE_SECONDS, self._pause_seconds * 2))
        self._next_attempt = time.monotonic() + self._pause_seconds * random.uniform(0.5, 1.0)

    def _resume_normal_pace(self) -> None:
        if self._pause_seconds:
            _LOG.info("the store takes turns again")
        self._pause_seconds = self._next_attempt = 0.0
        self._surprises = 0

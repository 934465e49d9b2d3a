"""One claim of one goal: the settings, rows, lease and events that every step of a loop works with."""

import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import Final, TypeVar

from telic.domain.budget import TurnUsage
from telic.domain.clock import MICRO, Clock, Instant
from telic.domain.decision import LoopPolicy
from telic.domain.errors import GoalNotActive, InvalidNumber, LeaseHeld, LeaseLost
from telic.domain.events import TurnResult
from telic.domain.goal import Actor, Goal, Reason, Wake
from telic.domain.lease import Hold, Lease
from telic.domain.limits import check_counter
from telic.domain.loop_state import Claim, LoopState
from telic.domain.verdict import Verdict
from telic.domain.verification import Verification
from telic.loop.heartbeat import Heartbeat
from telic.services.retry import retry
from telic.services.settlement import GoalCheck, bill_void_check, settle
from telic.storage.operations import holds, loop
from telic.storage.operations.loop import KeyedTurn, TurnHold
from telic.storage.transaction import Mode
from telic.store.async_store import AsyncGoalStore

T = TypeVar("T")

_RETRY_SECONDS: Final = 0.5
_TOLERATED_SECONDS: Final = 60.0


class LoopEventKind(StrEnum):
    """The kinds of events: each has just happened, or begins."""

    CLAIMED = "claimed"
    TURN_BEGAN = "turn_began"
    NOTICE = "notice"
    TURN_ENDED = "turn_ended"
    TURN_FAILED = "turn_failed"
    CHECKING = "checking"
    CHECKED = "checked"
    SLEEPING = "sleeping"
    PAUSED = "paused"
    WOKEN = "woken"
    STOPPED = "stopped"
    COMPLETED = "completed"


@dataclass(frozen=True, slots=True)
class LoopEvent:
    """One event of a loop, the goal as it stood then, and in a few words the particulars.

    `detail` may hold words of an agent or a check: escape it before it is shown.
    """

    kind: LoopEventKind
    goal: Goal
    turn_number: int
    detail: str = ""


LoopEventListener = Callable[[LoopEvent], None]


def ignore(_: LoopEvent) -> None:
    """Do nothing with the event: the listener where none was given."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LoopSettings:
    """The workspace of a loop, and how it keeps its goal.

    `worker` is the name of the lease's worker. The lease lasts `lease_seconds` and is renewed every
    `heartbeat_seconds`; a stop by anybody reaches a running turn within one heartbeat. Of a budget of tokens,
    `held_tokens` are reserved for each turn: where that is None a tenth of the budget, and at most 50,000. Of a budget
    of money it is a tenth. A turn whose usage stays unknown counts as much.

    Raises:
        InvalidNumber: the lease would expire between two heartbeats, or a time is out of its range.
    """

    workspace: Path
    worker: str
    turn_timeout_seconds: float = 1800.0
    heartbeat_seconds: float = 2.0
    lease_seconds: float = 30.0
    held_tokens: int | None = None

    def __post_init__(self) -> None:
        if not 0 < self.turn_timeout_seconds <= 86_400:
            raise InvalidNumber("turn_timeout_seconds must be above 0 and at most 86,400")
        if self.held_tokens is not None:
            check_counter("held_tokens", self.held_tokens)
        if not 0 < self.heartbeat_seconds * 2 <= self.lease_seconds <= 86_400:
            raise InvalidNumber("lease_seconds must be at least twice heartbeat_seconds")


class LoopRecords:
    """Reads and writes the rows of one goal's loop; everything is written under the lease that is passed.

    Raises:
        LeaseLost: another worker has the goal; nothing was written.
        GoalNotFound, StoreError: see the methods of `AsyncGoalStore` and `settlement`.
    """

    def __init__(self, store: AsyncGoalStore, goal_id: str) -> None:
        self._store = store
        self._goal_id = goal_id

    async def load(self) -> tuple[Goal, LoopState]:
        """Return the goal and the state of its loop, as they stood at one moment."""
        return await self._store.run("load_loop", partial(loop.load, goal_id=self._goal_id), Mode.READ)

    async def save(self, lease: Lease | None, state: LoopState) -> None:
        """The loop's state is stored."""
        call = self._store.new_call(Actor.SYSTEM, None, lease=lease)
        operation = partial(loop.save, call=call, goal_id=self._goal_id, state=state)
        await self._store.run("save_loop", operation, Mode.ATOMIC, call.key)

    async def begin_turn(self, lease: Lease, asked: TurnHold) -> Hold:
        """Budget for the turn is held, as far as it is free up to what is asked."""
        call = self._store.new_call(Actor.SYSTEM, asked.key, lease=lease)
        # A dead worker's hold for the same turn becomes an estimate in a transaction of its own: that may reach the
        # budget, and must stay although nothing is held then (ADR 43).
        former = partial(loop.take_over, call=call, goal_id=self._goal_id, asked=asked)
        await self._store.run("take_over", former, Mode.ATOMIC, asked.key)
        operation = partial(loop.begin_turn, call=call, goal_id=self._goal_id, asked=asked)
        return await self._store.run("begin_turn", operation, Mode.ATOMIC, asked.key)

    async def raise_hold(self, lease: Lease, hold: Hold, used: TurnUsage) -> None:
        """The turn's hold reserves at least what the turn has used, and shows it if the loop dies."""
        call = self._store.new_call(Actor.SYSTEM, None, lease=lease)
        operation = partial(holds.raise_hold, call=call, goal_id=self._goal_id, hold=hold.key, used=used)
        await self._store.run("raise_hold", operation, Mode.SINGLE, call.key)

    async def finish_turn(self, lease: Lease | None, turn: KeyedTurn, state: LoopState) -> TurnResult:
        """The turn is recorded and the state stored: both, or neither."""
        call = self._store.new_call(Actor.SYSTEM, turn.key, lease=lease)
        operation = partial(loop.finish_turn, call=call, goal_id=self._goal_id, turn=turn, state=state)
        return await self._store.run("finish_turn", operation, Mode.ATOMIC, turn.key)

    async def pause(
        self,
        lease: Lease,
        reason: Reason,
        state: LoopState,
        *,
        note: str | None = None,
        wake: Wake | None = None,
        revision: int | None = None,
    ) -> Goal:
        """The goal is paused and the state stored: both, or neither."""
        call = self._store.new_call(Actor.SYSTEM, None, revision, lease)
        operation = partial(
            loop.pause, call=call, goal_id=self._goal_id, reason=reason, note=note, wake=wake, state=state
        )
        return await self._store.run("pause", operation, Mode.ATOMIC, call.key)

    async def settle(self, lease: Lease | None, key: str, state: LoopState, found: Verification) -> Goal:
        """The verdicts are recorded, the judges billed, the state stored: all, or nothing."""
        check = GoalCheck(goal_id=self._goal_id, key=key, lease=lease, state=state)
        return await settle(self._store, check, found)

    async def bill_void_check(
        self, lease: Lease | None, key: str, state: LoopState, verdicts: Sequence[Verdict]
    ) -> Goal:
        """The judges are billed and the state stored: both, or neither."""
        check = GoalCheck(goal_id=self._goal_id, key=key, lease=lease, state=state)
        return await bill_void_check(self._store, check, verdicts)


@dataclass(frozen=True, slots=True, kw_only=True)
class RunContext:
    """The store, the goal's rows, the lease, and how patient to be."""

    store: AsyncGoalStore
    records: LoopRecords
    heart: Heartbeat
    settings: LoopSettings
    policy: LoopPolicy
    clock: Clock
    on_progress: LoopEventListener

    async def with_retries(self, call: Callable[[], Awaitable[T]]) -> T:
        """Return the call's result; the call is repeated while the store is away, for as long as the lease lasts.

        The call must be repeatable: it reads, or has a key, or changes nothing the second time.

        Raises:
            LeaseLost: the store stayed away for too long.
        """
        # A beat after each pause notices when the lease is lost; it needs short pauses.
        return await retry(call, longest_pause_seconds=_RETRY_SECONDS, after_pause=self.heart.beat)

    async def retry_past_lease(self, call: Callable[[Lease | None], Awaitable[T]], state: LoopState) -> T:
        """As `with_retries`, for a write that must not be lost: if the lease runs out meanwhile, it is claimed again.

        The call gets the lease to write under, or None if the goal was stopped meanwhile. `state` is the loop's state
        before.

        Raises:
            LeaseLost: another worker has the goal, or had it meanwhile.
        """
        lease: Lease | None = self.heart.lease
        while True:
            try:
                return await self.with_retries(partial(call, lease))
            except LeaseLost:
                lease = await retry(partial(self._regain, state))

    async def _regain(self, state: LoopState) -> Lease | None:
        goal, now = await self.records.load()
        # Another worker that had the goal has moved the loop on: what is to be written then belongs to nobody.
        if (now.turns, now.verifications) != (state.turns, state.verifications):
            raise LeaseLost("another worker had the goal meanwhile")
        asked_at, settings = time.monotonic(), self.settings
        try:
            lease = await self.store.claim(goal.id, worker=settings.worker, ttl_seconds=settings.lease_seconds)
        except LeaseHeld as held:
            raise LeaseLost(f"another worker has taken over: {held}") from held
        except GoalNotActive:
            return None
        self.heart.keep(lease, asked_at)
        return lease

    async def pause(
        self, goal: Goal, state: LoopState, reason: Reason, note: str | None = None, wake: Wake | None = None
    ) -> Goal:
        """The goal is paused for this reason, and its agent's claim is dealt with.

        Raises:
            StaleUpdate: the goal was changed meanwhile.
            LeaseLost: another worker may have it.
        """
        # A claim of completion stays: when a person has approved, it is checked again.
        claim = Claim.COMPLETE if state.claim is Claim.COMPLETE else Claim.WORKING
        after = replace(state, claim=claim, wake_at=None, wake_signal=None, quota_until=0)
        paused = await self.with_retries(
            lambda: self.records.pause(self.heart.lease, reason, after, note=note, wake=wake, revision=goal.revision)
        )
        self.report(LoopEventKind.PAUSED, paused, state, note or reason)
        return paused

    def report(self, kind: LoopEventKind, goal: Goal, state: LoopState, detail: str = "") -> None:
        """Call the listener with the event."""
        self.on_progress(LoopEvent(kind, goal, state.turns, detail))

    async def now(self) -> Instant:
        """Return the present instant by the database's clock: this machine's may be wrong (ADR 25).

        Raises:
            LeaseLost: the store stayed away for too long.
        """
        return await self.with_retries(self.store.now)

    async def clock_error(self) -> str:
        """Return how far this machine's clock is from the database's, in words; empty where it is not far."""
        seconds = (self.clock.now() - await self.now()) / MICRO
        if abs(seconds) < _TOLERATED_SECONDS:
            return ""
        return f"this machine's clock is {abs(seconds):.0f} s {'ahead of' if seconds > 0 else 'behind'} the database's"

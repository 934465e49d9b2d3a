"""One claim of one goal: how a loop keeps its goal, and what every step of it works with."""

import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Final, TypeVar

from telic.domain.clock import Clock, Instant
from telic.domain.decision import LoopPolicy
from telic.domain.errors import GoalNotActive, InvalidNumber, LeaseHeld, LeaseLost
from telic.domain.goal import (
    Goal,
    Reason,
    Wake,
)
from telic.domain.lease import Lease
from telic.domain.limits import check_counter
from telic.domain.loop_state import (
    Claim,
    LoopState,
)
from telic.loop.heartbeat import Heartbeat
from telic.loop.loop_events import LoopEvent, LoopEventKind, LoopEventListener
from telic.loop.loop_records import LoopRecords
from telic.observability.observer import Observer
from telic.services.retry import retry
from telic.store.async_store import AsyncGoalStore


@dataclass(frozen=True, slots=True, kw_only=True)
class LoopSettings:
    """Where a loop works, and how it keeps its goal.

    The lease lasts `lease_seconds` and is renewed every `heartbeat_seconds`; a stop by anybody reaches a running
    turn within one heartbeat. Of a budget of tokens, `held_tokens` are reserved for each turn: where that is None a
    tenth of the budget, and at most 50,000. Of a budget of money it is a tenth. So much counts where nobody tells what
    the turn used.

    Raises:
        InvalidNumber: the lease would expire between two heartbeats, or a time is out of its range.
    """

    workspace: Path
    holder: str
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


T = TypeVar("T")

_RETRY_SECONDS: Final = 0.5
_TOLERATED_SECONDS: Final = 60.0


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

    async def patiently(self, call: Callable[[], Awaitable[T]]) -> T:
        """What the call gives, made again while the store is away, for as long as the lease lasts.

        The call must be repeatable: it reads, or has a key, or changes nothing the second time.

        Raises:
            LeaseLost: the store stayed away for too long.
        """
        # A beat after each pause notices when the lease is lost; it needs short pauses.
        return await retry(call, longest_pause_seconds=_RETRY_SECONDS, after_pause=self.heart.beat)

    async def insistently(self, call: Callable[[Lease | None], Awaitable[T]], state: LoopState) -> T:
        """As `patiently`, for what must not be lost: also for longer than the lease lasts, which is then claimed anew.

        The call is given the lease to write under; a goal that was stopped meanwhile has none, and needs none. `state`
        is where the loop stood before.

        Raises:
            LeaseLost: another worker has the goal, or had it meanwhile.
        """
        lease: Lease | None = self.heart.lease
        while True:
            try:
                return await self.patiently(partial(call, lease))
            except LeaseLost:
                lease = await retry(partial(self._regain, state))

    async def _regain(self, state: LoopState) -> Lease | None:
        goal, now = await self.records.load()
        if (now.turns, now.verifications) != (state.turns, state.verifications):
            raise LeaseLost("another worker had the goal meanwhile")
        asked_at, settings = time.monotonic(), self.settings
        try:
            lease = await self.store.claim(goal.id, holder=settings.holder, ttl_seconds=settings.lease_seconds)
        except LeaseHeld as held:
            raise LeaseLost(f"another worker has taken over: {held}") from held
        except GoalNotActive:
            return None
        self.heart.keep(lease, asked_at)
        return lease

    async def pause(
        self, goal: Goal, state: LoopState, reason: Reason, note: str | None = None, wake: Wake | None = None
    ) -> Goal:
        """The goal is paused for this reason, and what its agent claimed is dealt with.

        A claim of completion stays: when a person has approved, it is checked again.

        Raises:
            StaleUpdate: the goal was changed meanwhile.
            LeaseLost: another worker may have it.
        """
        claim = Claim.COMPLETE if state.claim is Claim.COMPLETE else Claim.WORKING
        after = replace(state, claim=claim, wake_at=None, wake_signal=None, quota_until=0)
        paused = await self.patiently(
            lambda: self.records.pause(
                self.heart.lease, reason, after, note=note, wake=wake, expected_revision=goal.revision
            )
        )
        self.report(LoopEventKind.PAUSED, paused, state, note or reason)
        return paused

    def report(self, kind: LoopEventKind, goal: Goal, state: LoopState, detail: str = "") -> None:
        """Call the listener with the event."""
        self.on_progress(LoopEvent(kind, goal, state.turns, detail))

    async def now(self) -> Instant:
        """The present instant by the database's clock: this machine's may be wrong, and others go on from here.

        Raises:
            LeaseLost: the store stayed away for too long.
        """
        return await self.patiently(self.store.now)

    async def clock_error(self) -> str:
        """How far this machine's clock is from the database's, in words; empty where it is not far."""
        seconds = (self.clock.now() - await self.now()) / 1_000_000
        if abs(seconds) < _TOLERATED_SECONDS:
            return ""
        return f"this machine's clock is {abs(seconds):.0f} s {'ahead of' if seconds > 0 else 'behind'} the database's"

    @property
    def observer(self) -> Observer:
        """What observes the store, and so its loops."""
        return self.store.observer

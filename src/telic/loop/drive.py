"""One claim of one goal: what every step of the loop works with."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Final, TypeVar

from telic.domain.claim import Claim, Wake
from telic.domain.clock import Clock, Instant
from telic.domain.decision import LoopPolicy
from telic.domain.goal import Goal, Reason
from telic.domain.loop_state import LoopState
from telic.loop.heartbeat import PASSING, Heartbeat
from telic.loop.progress_report import Happening, Listener, Progress
from telic.loop.settings import LoopSettings
from telic.services.async_store import AsyncGoalStore
from telic.services.loop_records import LoopRecords
from telic.services.observe.observer import Observer

T = TypeVar("T")

_MICRO: Final = 1_000_000
_RETRY_SECONDS: Final = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Drive:
    """The store, the goal's rows, the lease, and how patient to be."""

    store: AsyncGoalStore
    records: LoopRecords
    heart: Heartbeat
    settings: LoopSettings
    policy: LoopPolicy
    clock: Clock
    on_progress: Listener

    async def patiently(self, call: Callable[[], Awaitable[T]]) -> T:
        """What the call gives, made again while the store is away, for as long as the lease lasts.

        The call must be repeatable: it reads, or has a key, or changes nothing the second time.

        Raises:
            LeaseLost: the store stayed away for too long.
        """
        while True:
            try:
                return await call()
            except PASSING:
                await asyncio.sleep(_RETRY_SECONDS)
                await self.heart.beat()

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
        self.tell(Happening.PAUSED, paused, state, note or reason)
        return paused

    def tell(self, happening: Happening, goal: Goal, state: LoopState, detail: str = "") -> None:
        """Whoever listens hears of it."""
        self.on_progress(Progress(happening, goal, state.turns, detail))

    def now(self) -> Instant:
        """The present instant."""
        return self.clock.now()

    @property
    def observer(self) -> Observer:
        """What observes the store, and so its loops."""
        return self.store.observer

    def seconds_until(self, instant: int) -> float:
        """Seconds from now, not below 0."""
        return max(0.0, (instant - self.now()) / _MICRO)

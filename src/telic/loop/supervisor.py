"""Supervises one goal until it is over: through its waits, and through the store's absence."""

from contextlib import suppress

from telic.domain.clock import MICRO, to_datetime
from telic.domain.errors import GoalError, GoalNotActive, LeaseHeld, LeaseLost
from telic.domain.events import FeedEvent
from telic.domain.goal import Goal, GoalStatus, approval_signal
from telic.domain.lease import Lease
from telic.loop.goal_loop import GoalLoop
from telic.loop.run_context import LoopEvent, LoopEventKind
from telic.loop.worker import ChangeListener, claim_for_loop
from telic.services.retry import retry


async def run_until_over(loop: GoalLoop, goal_id: str) -> Goal:
    """The goal is over: finished, or paused without anything that will wake it.

    It was driven while it was active, and its waits were waited for: until their time, or until somebody made the
    goal active again. Where another goal then has the scope's slot, this one is superseded, and over. A store that is
    away is waited for, however long it takes.

    Raises:
        LeaseHeld: another worker drives the goal; the error says who.
        LeaseLost: another worker took the goal over while this one was away.
        GoalNotFound, StoreError: the goal is not driven any more; everything recorded stays.
    """
    supervisor = _Supervisor(loop, goal_id)
    async with ChangeListener(loop.store, supervisor.on_event, goal_id=goal_id) as listener:
        return await supervisor.until_over(listener)


class _Supervisor:
    """Runs one goal's loop again and again, and waits in between."""

    def __init__(self, loop: GoalLoop, goal_id: str) -> None:
        self._loop = loop
        self._goal_id = goal_id
        self._was_away = False
        self._lost = ""

    def on_event(self, _: FeedEvent) -> bool:
        """Have the loop read its goal at once; return True, as every event counts."""
        self._loop.notice_change()
        return True

    async def until_over(self, listener: ChangeListener) -> Goal:
        waited_for: Goal | None = None
        while True:
            goal = await retry(lambda: self._loop.store.get(self._goal_id))
            lease: Lease | None = None
            if goal.status is GoalStatus.ACTIVE:
                lease = await self._claim()
            elif not goal.is_waiting:
                return goal
            else:
                if waited_for is None or waited_for.revision != goal.revision:
                    self._report(LoopEventKind.SLEEPING, goal, wait_of(goal))
                waited_for = goal
                lease = await self._sleep(listener, goal)
            if lease is not None:
                if waited_for is not None:
                    self._report(LoopEventKind.WOKEN, lease.goal)
                waited_for = None
                if self._lost:
                    again = f"the lease was lost, and is taken again: {self._lost}"
                    self._report(LoopEventKind.NOTICE, lease.goal, again)
                    self._lost = ""
                await self._run_leased(lease)

    async def _claim(self) -> Lease | None:
        settings = self._loop.settings
        try:
            return await retry(
                lambda: claim_for_loop(
                    self._loop.store, self._goal_id, worker=settings.worker, ttl_seconds=settings.lease_seconds
                )
            )
        except GoalNotActive:
            return None
        except LeaseHeld as held:
            if self._was_away:
                raise LeaseLost(f"another worker has taken over: {held}") from held
            raise

    async def _run_leased(self, lease: Lease) -> None:
        try:
            await self._loop.run_leased(lease)
        except LeaseLost as lost:
            # The store may only have been away for longer than the lease lasts: the next claim tells.
            self._was_away, self._lost = True, str(lost)

    async def _sleep(self, listener: ChangeListener, goal: Goal) -> Lease | None:
        """Wait for a change, a heartbeat or the goal's time, and return the goal's lease where its time has come."""
        longest = self._loop.settings.heartbeat_seconds
        seconds = longest
        if goal.wake_at is not None:
            seconds = (goal.wake_at - await retry(self._loop.store.now)) / MICRO
        if seconds > 0:
            await listener.wait(min(seconds, longest))
            return None
        settings = self._loop.settings
        granted = await retry(
            lambda: self._loop.store.claim_due(
                worker=settings.worker, scope=goal.scope, ttl_seconds=settings.lease_seconds
            )
        )
        for lease in granted:
            if lease.goal.id == goal.id:
                return lease
            # Another goal has the scope's slot; it is none of this loop's.
            with suppress(GoalError):
                await self._loop.store.release_lease(lease)
        return None

    def _report(self, kind: LoopEventKind, goal: Goal, detail: str = "") -> None:
        self._loop.on_progress(LoopEvent(kind, goal, goal.turns_used, detail))


def wait_of(goal: Goal) -> str:
    """Return in words for what the goal waits."""
    at = None if goal.wake_at is None else f"until {to_datetime(goal.wake_at):%Y-%m-%d %H:%M:%SZ}"
    signal = None if goal.wake_signal is None else f"for the signal {goal.wake_signal}"
    if goal.wake_signal == approval_signal(goal.id):
        signal = f"for a person's approval: telic approve {goal.id}"
    return " or ".join(filter(None, (at, signal)))

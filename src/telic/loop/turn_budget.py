"""Cuts a running turn off when its usage reaches what is left of the budget, less what others hold (ADR 28)."""

import asyncio
import shlex
import time
from collections.abc import Coroutine, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any, Final, TypeVar

from telic.domain.budget import LIMIT_NAMES, ModelUsage, TurnUsage, UsageKind, exhausted_limit
from telic.domain.clock import MICRO, to_datetime
from telic.domain.errors import AgentCostUnknown, InvalidNumber
from telic.domain.goal import Goal
from telic.domain.lease import Hold, Reservation
from telic.domain.limits import MAX_PAGE
from telic.loop.agents.output_follower import RunningCost
from telic.loop.agents.protocol import TurnReport
from telic.loop.heartbeat import look_at
from telic.loop.run_context import RunContext
from telic.store.async_store import AsyncGoalStore

T = TypeVar("T")

_LONGEST_NAP_SECONDS: Final = 60.0


class BudgetReached(Exception):
    """The turn was cut off, since with its usage the goal's budget is reached, or its counters are full."""

    code: Final = "budget_reached"


class TurnMeter:
    """Takes the usage that one turn reports, and ends the turn as soon as it reaches its goal's budget.

    `usage`, `model` and `session` are those of the last report; `usage` is None before the first. Where the goal has a
    budget of money, usage without a cost is priced.
    """

    def __init__(self, run: RunContext, hold: Hold) -> None:
        self._run = run
        self._hold = hold
        self._held: Reservation | TurnUsage = hold.reserved
        self._loop = asyncio.get_running_loop()
        self._reported = asyncio.Event()
        self._began = time.monotonic_ns()
        self._cost = RunningCost(run.heart.lease.goal)
        self._unpriced = ""
        self.usage: ModelUsage | None = None
        self.model: str | None = None
        self.session: str | None = None

    @property
    def elapsed_microseconds(self) -> int:
        """The time since the turn began, by a clock that does not jump."""
        return (time.monotonic_ns() - self._began) // 1000

    def report(
        self,
        usage: ModelUsage,
        *,
        model: str | None = None,
        session: str | None = None,
        cost_is_known: bool = False,
    ) -> None:
        """See `ReportUsage`."""
        self.model = model or self.model
        self.usage = usage if cost_is_known else self._cost.added_to(usage, self.model)
        self.session = session or self.session
        self._unpriced = "" if cost_is_known or self._run.policy.allow_unknown_usage else self._cost.unknown
        # An agent may work in a thread of its own, and may still report when the loop has ended.
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._reported.set)

    def priced(self, report: TurnReport) -> TurnReport:
        """Return the turn's report with its cost.

        Raises:
            AgentCostUnknown: the goal has a budget of money, and nobody knows what the turn cost, nor allowed that.
        """
        if report.usage is None or report.cost_is_known:
            return report
        usage = self._cost.added_to(report.usage, report.model or self.model)
        if self._cost.unknown and not self._run.policy.allow_unknown_usage and report.quota is None:
            raise _cost_unknown(self._cost.unknown, usage, report.session)
        return replace(report, usage=usage, usage_is_estimate=report.usage_is_estimate or bool(self._cost.unknown))

    async def watch(self, work: Coroutine[Any, Any, T]) -> T:
        """Return the work's result, unless it was cancelled since the budget is reached, or cannot be measured.

        Raises:
            BudgetReached: the work was cancelled, and has ended.
            AgentCostUnknown: so it was, since nobody knows what its usage cost, under a budget of money.
        """
        task, watching = asyncio.ensure_future(work), asyncio.ensure_future(self._until_spent())
        try:
            await asyncio.wait({task, watching}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            watching.cancel()
            if not task.done():
                task.cancel()
            # A cancellation of this task waits for the work as well: it may have to stop processes.
            await asyncio.wait({task, watching})
            look_at(task)
            look_at(watching)
        if watching.cancelled():
            return task.result()
        if not task.cancelled() and task.exception() is None:
            return task.result()
        raise watching.result()

    async def _until_spent(self) -> BudgetReached | AgentCostUnknown:
        """Wait until a limit is reached, or money cannot be measured, and return the error that says so."""
        while True:
            goal = self._run.heart.lease.goal
            if self._reached(goal) is not None:
                # Somebody may have raised the budget since the last heartbeat.
                goal = await self._run.with_retries(lambda: self._run.store.get(self._run.heart.lease.goal.id))
                why = self._reached(goal)
                if why is not None:
                    return BudgetReached(why)
            if self._unpriced:
                return _cost_unknown(self._unpriced, self.usage, self.session)
            self._reported.clear()
            await self._keep(goal)
            await self._rest(self._seconds_left(goal))

    async def _keep(self, goal: Goal) -> None:
        # Usage beyond the hold is held as well: if this worker dies, its hold is all that remains of the turn.
        used = self._billed(goal)
        if used.tokens > self._held.tokens or used.cost_microunits > self._held.cost_microunits:
            await self._run.with_retries(lambda: self._run.records.raise_hold(self._run.heart.lease, self._hold, used))
            self._held = used

    async def _rest(self, seconds: float) -> None:
        # Not `wait_for`, which can swallow a cancellation that comes together with what it waits for.
        with suppress(TimeoutError):
            async with asyncio.timeout(min(seconds, _LONGEST_NAP_SECONDS)):
                await self._reported.wait()

    def _reached(self, goal: Goal) -> str | None:
        told = timed(self.usage, self.elapsed_microseconds).told(goal.billing)
        try:
            used = TurnUsage(**told)
            # The turn itself is no part of what is compared: the last turn that a budget allows may be taken.
            limit = exhausted_limit(goal.usage.plus(used, UsageKind.SUB_AGENT), replace(goal.budget, turns=None))
        except InvalidNumber:
            return "more was used than a goal can count"
        return None if limit is None else f"the budget of {LIMIT_NAMES[limit]} is reached"

    def _billed(self, goal: Goal) -> TurnUsage:
        return timed(self.usage, self.elapsed_microseconds).billed(goal.billing)

    def _seconds_left(self, goal: Goal) -> float:
        limit = goal.budget.active_microseconds
        if limit is None or (self.usage is not None and self.usage.active_microseconds):
            return _LONGEST_NAP_SECONDS
        left = max(limit - goal.usage.active_microseconds - self.elapsed_microseconds, 0)
        # A little later than the limit: a nap that ends on it would find it not reached yet.
        return left / MICRO + 0.001


def _cost_unknown(why: str, usage: ModelUsage | None, session: str | None) -> AgentCostUnknown:
    return AgentCostUnknown(why, usage=usage, session=session, usage_is_estimate=True)


def timed(usage: ModelUsage | None, elapsed_microseconds: int) -> ModelUsage:
    """Return the usage with the turn's time, unless the agent reported another; of unknown usage the time alone."""
    known = usage or ModelUsage()
    return replace(known, active_microseconds=known.active_microseconds or elapsed_microseconds)


async def reserving_holds(store: AsyncGoalStore, goal_id: str) -> list[Hold]:
    """Return the goal's holds that reserve budget now, in the order of their keys."""
    found, after = list[Hold](), ""
    while True:
        page = await store.holds(goal_id, after=after, limit=MAX_PAGE)
        found += [hold for hold in page if hold.reserves]
        if len(page) < MAX_PAGE:
            return found
        after = page[-1].key


def held_by_others(goal: Goal, holds: Sequence[Hold]) -> str:
    """Return who holds the rest of the budget, until when, and how it is freed."""
    why = "the rest of the budget is held by others"
    times = [hold.expires_at for hold in holds if hold.expires_at is not None]
    if times:
        counts = "" if all(hold.frees_on_expiry for hold in holds) else "; what is still held then counts as used"
        why += f", until {to_datetime(max(times)):%Y-%m-%d %H:%M:%SZ}{counts}"
    key = shlex.quote(holds[0].key) if len(holds) == 1 else "KEY"
    return f"{why}. telic holds {goal.id} lists it, and telic release {goal.id} --hold {key} frees it"

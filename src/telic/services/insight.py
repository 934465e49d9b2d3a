"""What an operator sees of goals: the rows of a list, and all there is to know about one; for any kind of screen."""

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from telic.domain.amounts import show_used
from telic.domain.budget import LIMITS
from telic.domain.clock import Clock, Instant, SystemClock
from telic.domain.events import Event, Turn
from telic.domain.goal import Goal, GoalStatus
from telic.domain.lease import LeaseState
from telic.domain.limits import MAX_PAGE
from telic.domain.report import Reserved
from telic.domain.views import GoalOrder
from telic.services.checks import Check, look_at_checks_async
from telic.store.async_store import AsyncGoalStore

EVENTS_KEPT: Final = 200
TURNS_KEPT: Final = 2_000
_ALWAYS_SHOWN: Final = frozenset({"tokens", "turns"})


@dataclass(frozen=True, slots=True)
class BudgetUse:
    """How much of one limit is used, in its unit; a limit of None is unlimited. `shown` is both as people read them."""

    name: str
    used: int
    limit: int | None
    shown: str

    @property
    def fraction(self) -> float | None:
        """The used part of the limit, 1.0 and more for all of it; None without a limit."""
        return None if self.limit is None else self.used / self.limit


def budget_uses(goal: Goal) -> tuple[BudgetUse, ...]:
    """Tokens, turns, and whatever else is limited or was used."""
    used, limits = goal.usage.as_dict(), goal.budget.as_dict()
    uses = (_use(goal, name, used[name], limits[name]) for name in LIMITS)
    return tuple(use for use in uses if use.used or use.limit or use.name in _ALWAYS_SHOWN)


def _use(goal: Goal, name: str, used: int, limit: int | None) -> BudgetUse:
    return BudgetUse(name, used, limit, show_used(name, used, limit, estimated_lines=goal.estimated_lines))


def tightest(goal: Goal) -> BudgetUse | None:
    """The limit of which the largest part is used; None where nothing is limited."""
    limited = [use for use in budget_uses(goal) if use.fraction is not None]
    return max(limited, key=lambda use: use.fraction or 0.0, default=None)


@dataclass(frozen=True, slots=True)
class GoalRow:
    """One line of a list of goals; `holder` is the worker that may drive the goal now, if any."""

    goal: Goal
    holder: str | None


@dataclass(frozen=True, slots=True)
class Listing:
    """One page of goals as they stood at `at`; `next_cursor` is None on the last page."""

    rows: tuple[GoalRow, ...]
    next_cursor: str | None
    at: Instant


class Order(StrEnum):
    """How goals can be put in order: the first three hold for the whole store, the others within each page."""

    NEWEST = "newest"
    OLDEST = "oldest"
    CHANGED = "last changed"
    BUDGET = "most of budget used"
    TOKENS = "most tokens"
    STATUS = "status"


async def look_at_goals(
    store: AsyncGoalStore,
    *,
    scope: str | None = None,
    status: GoalStatus | None = None,
    text: str | None = None,
    order: Order = Order.NEWEST,
    cursor: str | None = None,
    limit: int = 50,
    clock: Clock | None = None,
) -> Listing:
    """One page of the goals that match all filters, each with who drives it.

    A search that looked at enough goals without filling its page ends there; its `next_cursor` looks further.

    Raises as `AsyncGoalStore.list`.
    """
    stored = _STORED_ORDERS.get(order, GoalOrder.NEWEST)
    page = await store.list(scope=scope, status=status, text=text, order=stored, cursor=cursor, limit=limit)
    rows = [GoalRow(entry.goal, entry.holder) for entry in page.entries]
    if order in _SORTED_BY:
        rows.sort(key=_SORTED_BY[order])
    return Listing(tuple(rows), page.next_cursor, (clock or SystemClock()).now())


_STATUSES: Final = list(GoalStatus)
_STORED_ORDERS: Final = {Order.OLDEST: GoalOrder.OLDEST, Order.CHANGED: GoalOrder.CHANGED}
_SORTED_BY: Final[dict[Order, Callable[[GoalRow], float]]] = {
    Order.BUDGET: lambda row: -_fraction(row.goal),
    Order.TOKENS: lambda row: -row.goal.tokens_used,
    Order.STATUS: lambda row: _STATUSES.index(row.goal.status),
}


def _fraction(goal: Goal) -> float:
    use = tightest(goal)
    return -1.0 if use is None else use.fraction or 0.0


@dataclass(frozen=True, slots=True)
class GoalDetails:
    """A goal with who drives it, how its criteria stand, what is held, and the ends of its history and ledger.

    `held` is what open holds reserve, `uncertain` what expired ones had reserved. `events` and `turns` are in their
    order; those before the first of them were left out.
    """

    goal: Goal
    lease: LeaseState
    checks: tuple[Check, ...]
    held: Reserved
    uncertain: Reserved
    events: tuple[Event, ...]
    turns: tuple[Turn, ...]
    at: Instant


class DetailsReader:
    """Reads one goal's details again and again, each time only what of its history and ledger is new."""

    def __init__(self, goal_id: str, clock: Clock | None = None) -> None:
        self._goal_id = goal_id
        self._clock = clock or SystemClock()
        self._events: deque[Event] = deque(maxlen=EVENTS_KEPT)
        self._turns: deque[Turn] = deque(maxlen=TURNS_KEPT)
        self._checks: tuple[Check, ...] = ()
        self._checked_at = 0

    async def read(self, store: AsyncGoalStore) -> GoalDetails:
        """The goal as it stands now.

        Raises as `AsyncGoalStore.get`.
        """
        lease = await store.lease(self._goal_id)
        total = (await store.usage(goal_id=self._goal_id)).total
        await self._read_events(store, lease.goal)
        await self._read_turns(store, lease.goal)
        if self._events and self._events[-1].number != self._checked_at:
            last = self._events[-1].number
            self._checks = tuple(await look_at_checks_async(store, lease.goal))
            self._checked_at = last
        return GoalDetails(
            lease.goal,
            lease,
            self._checks,
            total.held,
            total.uncertain,
            tuple(self._events),
            tuple(self._turns),
            self._clock.now(),
        )

    async def _read_events(self, store: AsyncGoalStore, goal: Goal) -> None:
        # There are at least as many events as revisions, so what is left out here is not among the last ones.
        after = self._events[-1].number if self._events else max(0, goal.revision - EVENTS_KEPT)
        while True:
            page = await store.events(self._goal_id, after=after)
            self._events.extend(event for event in page if not self._events or event.number > self._events[-1].number)
            if len(page) < MAX_PAGE:
                return
            after = page[-1].number

    async def _read_turns(self, store: AsyncGoalStore, goal: Goal) -> None:
        after = self._turns[-1].number if self._turns else max(0, goal.turns_used - TURNS_KEPT)
        while True:
            page = await store.turns(self._goal_id, after=after)
            self._turns.extend(turn for turn in page if not self._turns or turn.number > self._turns[-1].number)
            if len(page) < MAX_PAGE:
                return
            after = page[-1].number


@dataclass(frozen=True, slots=True)
class UsageSeries:
    """The tokens of equal parts of the time from `since` to `until`."""

    since: Instant
    until: Instant
    tokens: tuple[int, ...]


def usage_series(turns: Sequence[Turn], columns: int) -> UsageSeries | None:
    """The turns' tokens over time in at most `columns` parts; None without turns."""
    if not turns:
        return None
    since, until = turns[0].at, turns[-1].at
    width = -(-(until - since + 1) // columns)
    sums = [0] * ((until - since) // width + 1)
    for turn in turns:
        sums[(turn.at - since) // width] += turn.usage.tokens
    return UsageSeries(since, until, tuple(sums))

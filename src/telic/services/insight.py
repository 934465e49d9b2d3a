"""Reading goals for whatever shows them: pages of a list, one goal in full, and how its usage went.

All surfaces read goals here alone. Nothing here puts anything in words: `telic.wording` does.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

from telic.domain.budget import Usage
from telic.domain.clock import Clock, Instant, SystemClock
from telic.domain.events import Event
from telic.domain.goal import Goal, GoalStatus, Reason
from telic.domain.jsonable import lease_state_to_json
from telic.domain.lease import LeaseState
from telic.domain.report import UsageGrouping, UsageSum
from telic.domain.views import CriterionStanding, GoalGlance, GoalOrder, GoalOverview, GoalPage, UsagePoint, tightest
from telic.store.connect import as_async_store, complete
from telic.store.goal_store import GoalStore

if TYPE_CHECKING:
    from telic.store.async_store import AsyncGoalStore


class Order(StrEnum):
    """How goals can be put in order: the first three hold for the whole store, the others within each page."""

    NEWEST = "newest"
    OLDEST = "oldest"
    CHANGED = "last changed"
    BUDGET = "most of budget used"
    TOKENS = "most tokens"
    STATUS = "status"


async def list_goals(
    store: "AsyncGoalStore",
    *,
    scope: str | None = None,
    status: GoalStatus | None = None,
    reason: Reason | None = None,
    text: str | None = None,
    holder: str | None = None,
    order: Order | GoalOrder = Order.NEWEST,
    cursor: str | None = None,
    limit: int = 50,
) -> GoalPage:
    """Return one page of the goals that match all filters, each with who drives it.

    A search that looked at enough goals without filling its page ends there; its `next_cursor` looks further.

    Raises:
        InvalidCursor, InvalidText, InvalidNumber, InvalidInput: an argument is unusable.
    """
    page = await store.list(
        scope=scope,
        status=status,
        reason=reason,
        text=text,
        holder=holder,
        order=order if isinstance(order, GoalOrder) else _STORED_ORDERS.get(order, GoalOrder.NEWEST),
        cursor=cursor,
        limit=limit,
    )
    rank = _RANKS.get(order)
    return page if rank is None else replace(page, entries=tuple(sorted(page.entries, key=rank)))


_STATUSES: Final = list(GoalStatus)
_STORED_ORDERS: Final = {Order.OLDEST: GoalOrder.OLDEST, Order.CHANGED: GoalOrder.CHANGED}
_RANKS: Final[Mapping[str, Callable[[LeaseState], float]]] = {
    Order.BUDGET: lambda entry: -_fraction(entry.goal),
    Order.TOKENS: lambda entry: -entry.goal.tokens_used,
    Order.STATUS: lambda entry: _STATUSES.index(entry.goal.status),
}


def _fraction(goal: Goal) -> float:
    use = tightest(goal)
    return -1.0 if use is None else use.fraction or 0.0


def listing_to_json(page: GoalPage) -> dict[str, Any]:
    """Return the page as programs get it: each goal, with the worker that drives it."""
    goals = [entry.goal.to_json() | {"holder": entry.holder} for entry in page.entries]
    return {"goals": goals, "next_cursor": page.next_cursor}


@dataclass(frozen=True, slots=True)
class GoalDetails:
    """A goal in full as it stood at `at`: its overview, who drives it, and what its ledger and holds come to."""

    overview: GoalOverview
    lease: LeaseState
    total: UsageSum
    at: Instant

    @property
    def goal(self) -> Goal:
        """The goal itself."""
        return self.lease.goal

    @property
    def criteria(self) -> tuple[CriterionStanding, ...]:
        """How its criteria stand."""
        return self.overview.criteria

    @property
    def events(self) -> tuple[Event, ...]:
        """Its latest events, the newest first."""
        return self.overview.events

    def as_dict(self) -> dict[str, Any]:
        """Return the details as programs get them."""
        reserved = ("held", "uncertain", "estimated")
        return {
            **self.goal.to_json(),
            "lease": lease_state_to_json(self.lease),
            **{name: asdict(getattr(self.total, name)) for name in reserved},
            "checks": [each.as_dict() for each in self.criteria],
        }


async def read_goal(store: "AsyncGoalStore", goal_id: str, clock: Clock | None = None) -> GoalDetails:
    """Return the goal in full as it stands now.

    Raises:
        GoalNotFound, StoreCorrupt: as `AsyncGoalStore.overview`.
    """
    overview = await store.overview(goal_id)
    total = (await store.usage(goal_id=goal_id)).total
    return GoalDetails(overview, overview.glance.lease, total, (clock or SystemClock()).now())


def read_goal_now(store: GoalStore, goal_id: str) -> GoalDetails:
    """Return what `read_goal` does, from a blocking store."""
    return complete(read_goal(as_async_store(store), goal_id))


async def usage_by_kind(store: "AsyncGoalStore", goal_id: str) -> dict[str, Usage]:
    """Return what the goal used by kind of usage; it costs a look at its whole ledger."""
    report = await store.usage(by=UsageGrouping.KIND, goal_id=goal_id)
    return {str(group.name): group.sum.usage for group in report.groups}


class GoalReader:
    """Reads one goal again and again for a screen that stays: in full only where a glance shows that it changed."""

    def __init__(self, goal_id: str, clock: Clock | None = None) -> None:
        self._goal_id = goal_id
        self._clock = clock or SystemClock()
        self._glance: GoalGlance | None = None
        self.details: GoalDetails | None = None

    async def read(self, store: "AsyncGoalStore") -> GoalDetails:
        """Return the goal in full as it stands now; the same overview as before where nothing happened.

        Raises:
            GoalNotFound, StoreCorrupt: as `AsyncGoalStore.overview`.
        """
        glance = await store.glance(self._goal_id)
        if self.details is None or not glance.is_like(self._glance):
            self.details = await read_goal(store, self._goal_id, self._clock)
            self._glance = self.details.overview.glance
        else:
            self.details = replace(self.details, lease=glance.lease, at=self._clock.now())
        return self.details


@dataclass(frozen=True, slots=True)
class UsageSeries:
    """The tokens of equal parts of the time from `since` to `until`."""

    since: Instant
    until: Instant
    tokens: tuple[int, ...]


def usage_series(points: Sequence[UsagePoint], columns: int) -> UsageSeries | None:
    """Return the tokens over time in at most `columns` parts; None without usage."""
    if not points:
        return None
    since, until = points[0].until, points[-1].until
    width = -(-(until - since + 1) // columns)
    sums = [0] * ((until - since) // width + 1)
    for point in points:
        # A clock that was set back makes no part before the first.
        sums[max(0, min(len(sums) - 1, (point.until - since) // width))] += point.tokens
    return UsageSeries(since, until, tuple(sums))

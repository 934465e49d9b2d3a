"""Reading goals for whatever shows them: pages of a list, one goal in full, its usage, and one scope's goals.

All surfaces read goals here alone. Nothing here puts anything in words: `telic.wording` does.
"""

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

from telic.domain.budget import Usage
from telic.domain.clock import Clock, Instant, SystemClock
from telic.domain.errors import AmbiguousId, GoalNotFound
from telic.domain.events import Event, EventKind
from telic.domain.goal import Goal, GoalStatus, Reason, approval_signal
from telic.domain.ids import check_id_prefix
from telic.domain.jsonable import lease_state_to_json
from telic.domain.lease import LeaseState
from telic.domain.limits import MAX_PAGE
from telic.domain.report import UsageGrouping, UsageSum
from telic.domain.views import CriterionStanding, GoalOrder, GoalOverview, GoalPage, GoalPeek, UsagePoint, tightest

if TYPE_CHECKING:
    from telic.store.async_store import AsyncGoalStore


class ListOrder(StrEnum):
    """How a screen sorts goals: the first three are `GoalOrder`, for the whole store; the others sort each page."""

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
    worker: str | None = None,
    order: ListOrder | GoalOrder = ListOrder.NEWEST,
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
        worker=worker,
        order=order if isinstance(order, GoalOrder) else _STORED_ORDERS.get(order, GoalOrder.NEWEST),
        cursor=cursor,
        limit=limit,
    )
    rank = _RANKS.get(order)
    return page if rank is None else replace(page, entries=tuple(sorted(page.entries, key=rank)))


_STATUSES: Final = list(GoalStatus)
_NAMED: Final = 5
_STORED_ORDERS: Final = {ListOrder.OLDEST: GoalOrder.OLDEST, ListOrder.CHANGED: GoalOrder.CHANGED}
_RANKS: Final[Mapping[str, Callable[[LeaseState], float]]] = {
    ListOrder.BUDGET: lambda entry: -_fraction(entry.goal),
    ListOrder.TOKENS: lambda entry: -entry.goal.tokens_used,
    ListOrder.STATUS: lambda entry: _STATUSES.index(entry.goal.status),
}


def _fraction(goal: Goal) -> float:
    use = tightest(goal)
    return -1.0 if use is None else use.fraction or 0.0


def listing_to_json(page: GoalPage) -> dict[str, Any]:
    """Return the page as programs get it: each goal, with the worker that drives it."""
    goals = [entry.goal.to_json() | {"worker": entry.worker} for entry in page.entries]
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
        """Return the goal itself."""
        return self.lease.goal

    @property
    def criteria(self) -> tuple[CriterionStanding, ...]:
        """Return how its criteria stand."""
        return self.overview.criteria

    @property
    def events(self) -> tuple[Event, ...]:
        """Return its latest events, the newest first."""
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
    return GoalDetails(overview, overview.peek.lease, total, (clock or SystemClock()).now())


async def usage_by_kind(store: "AsyncGoalStore", goal_id: str) -> dict[str, Usage]:
    """Return what the goal used by kind of usage; it costs a look at its whole ledger."""
    report = await store.usage(by=UsageGrouping.KIND, goal_id=goal_id)
    return {str(group.name): group.sum.usage for group in report.groups}


class GoalReader:
    """Reads one goal again and again for an open screen; in full only if a peek shows that it has changed."""

    def __init__(self, goal_id: str, clock: Clock | None = None) -> None:
        self._goal_id = goal_id
        self._clock = clock or SystemClock()
        self._peek: GoalPeek | None = None
        self.details: GoalDetails | None = None

    async def read(self, store: "AsyncGoalStore") -> GoalDetails:
        """Return the goal in full as it stands now; the same overview as before where nothing happened.

        Raises:
            GoalNotFound, StoreCorrupt: as `AsyncGoalStore.overview`.
        """
        # A peek costs little; an overview reads the goal's events and its ledger.
        peek = await store.peek(self._goal_id)
        if self.details is None or not peek.is_like(self._peek):
            self.details = await read_goal(store, self._goal_id, self._clock)
            self._peek = self.details.overview.peek
        else:
            self.details = replace(self.details, lease=peek.lease, at=self._clock.now())
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


@dataclass(frozen=True, slots=True)
class ScopedGoals:
    """The goals of one scope, for a caller who may not see the goals of others."""

    store: "AsyncGoalStore"
    scope: str

    async def named(self, prefix: str) -> Goal:
        """Return the one goal whose id begins, or ends, with these 8 or more characters.

        Raises:
            GoalNotFound, AmbiguousId: the scope has none, or several.
            InvalidText: the text is too short, or no part of an id.
        """
        try:
            goal = await self.store.find(prefix)
        except AmbiguousId:
            # Other scopes' goals must not be in the way, nor show that they are there.
            return await self._named_among_many(prefix)
        if goal.scope != self.scope:
            raise GoalNotFound(prefix)
        return goal

    async def _named_among_many(self, prefix: str) -> Goal:
        typed = check_id_prefix(prefix)
        every = self.store.iterate(scope=self.scope)
        found = [goal async for goal in every if goal.id.startswith(typed) or goal.id.endswith(typed)]
        if len(found) > 1:
            raise AmbiguousId(prefix, tuple(goal.id for goal in found[:_NAMED]))
        if not found:
            raise GoalNotFound(prefix)
        return found[0]

    async def default_goal(self) -> Goal | None:
        """Return the goal to take where none is named: the active one, else the one that was changed last."""
        active = await self.store.active(self.scope)
        if active is not None:
            return active
        page = await self.store.list(scope=self.scope, limit=MAX_PAGE)
        return max(page.goals, key=lambda goal: goal.updated_at, default=None)

    async def at(self, goal_id: str | None) -> Goal | None:
        """Return the goal with this whole id, or the active one without an id; None where the scope has none."""
        if goal_id is None:
            return await self.store.active(self.scope)
        try:
            goal = await self.store.get(goal_id)
        except GoalNotFound:
            return None
        return goal if goal.scope == self.scope else None

    async def under_way(self) -> list[Goal]:
        """Return the active goal; where none is, those that wait, newest first."""
        active = await self.store.active(self.scope)
        return [goal for goal in await self.paused() if goal.is_waiting] if active is None else [active]

    async def paused(self, limit: int = MAX_PAGE) -> tuple[Goal, ...]:
        """Return at most so many paused goals, newest first."""
        page = await self.store.list(scope=self.scope, status=GoalStatus.PAUSED, limit=limit)
        return page.goals

    async def asking(self) -> list[Goal]:
        """Return the goals that wait for a person's answer, newest first."""
        return [goal for goal in await self.paused() if goal.wake_signal == approval_signal(goal.id)]

    async def superseded_by(self, goal: Goal, active_id: str | None) -> Goal | None:
        """Return the goal that was paused when this one became active.

        `active_id` is the one that was active shortly before.
        """
        # The event of the goal that gave way names the one that took its place; nothing names it the other way round.
        (*_, taken) = await self.last_events(goal.id, 1)
        for candidate in await self.paused():
            if candidate.reason is Reason.SUPERSEDED and (
                candidate.id == active_id or candidate.updated_at >= taken.at
            ):
                (*_, last) = await self.last_events(candidate.id, 1)
                if last.kind is EventKind.PAUSED and last.data.get("by") == goal.id:
                    return candidate
        return None

    async def last_events(self, goal_id: str, count: int) -> tuple[Event, ...]:
        """Return the goal's last events, at most so many, in order."""
        last, after = deque[Event](maxlen=count), 0
        while events := await self.store.events(goal_id, after=after, limit=MAX_PAGE):
            last.extend(events)
            after = events[-1].number
            if len(events) < MAX_PAGE:
                break
        return tuple(last)

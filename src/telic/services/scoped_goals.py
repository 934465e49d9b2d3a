"""One scope's goals, as somebody sees them who may see no other's."""

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

from telic.domain.errors import AmbiguousId, GoalNotFound
from telic.domain.events import Event, EventKind
from telic.domain.goal import Goal, GoalStatus, Reason
from telic.domain.ids import check_id_prefix
from telic.domain.limits import MAX_PAGE

if TYPE_CHECKING:
    from telic.store.async_store import AsyncGoalStore


@dataclass(frozen=True, slots=True)
class ScopedGoals:
    """The goals of this scope. Others' are not there, and so never in the way."""

    store: "AsyncGoalStore"
    scope: str

    async def named(self, prefix: str) -> Goal:
        """The one goal whose id begins, or ends, with these 8 or more characters.

        Raises:
            GoalNotFound, AmbiguousId: the scope has none, or several.
            InvalidText: the text is too short, or no part of an id.
        """
        try:
            goal = await self.store.find(prefix)
        except AmbiguousId:
            return await self._named_among_many(prefix)
        if goal.scope != self.scope:
            raise GoalNotFound(prefix)
        return goal

    async def _named_among_many(self, prefix: str) -> Goal:
        typed, found, cursor = check_id_prefix(prefix), list[Goal](), None
        while True:
            page = await self.store.list(scope=self.scope, cursor=cursor, limit=MAX_PAGE)
            found += [goal for goal in page.goals if goal.id.startswith(typed) or goal.id.endswith(typed)]
            if len(found) > 1:
                raise AmbiguousId(prefix, tuple(goal.id for goal in found))
            if page.next_cursor is None:
                break
            cursor = page.next_cursor
        if not found:
            raise GoalNotFound(prefix)
        return found[0]

    async def meant(self) -> Goal | None:
        """The goal that is meant where none is named: the active one, else the one that was changed last, if any."""
        active = await self.store.active(self.scope)
        if active is not None:
            return active
        page = await self.store.list(scope=self.scope, limit=MAX_PAGE)
        return max(page.goals, key=lambda goal: goal.updated_at, default=None)

    async def paused(self, limit: int) -> tuple[Goal, ...]:
        """At most so many paused goals, newest first."""
        page = await self.store.list(scope=self.scope, status=GoalStatus.PAUSED, limit=limit)
        return page.goals

    async def was_created_with(self, goal: Goal, key: str | None) -> bool:
        """Whether the call with this key has created the goal."""
        if key is None:
            return False
        (created, *_) = await self.store.events(goal.id, limit=1)
        return created.key == key

    async def superseded_by(self, goal: Goal, active_id: str | None) -> Goal | None:
        """The goal whose place this one has just taken, whichever it was at that moment.

        `active_id` is the one that was active shortly before.
        """
        (*_, taken) = await self.last_events(goal.id, 1)
        for candidate in await self.paused(MAX_PAGE):
            if candidate.reason is Reason.SUPERSEDED and (
                candidate.id == active_id or candidate.updated_at >= taken.at
            ):
                (*_, last) = await self.last_events(candidate.id, 1)
                if last.kind is EventKind.PAUSED and last.data.get("by") == goal.id:
                    return candidate
        return None

    async def last_events(self, goal_id: str, count: int) -> tuple[Event, ...]:
        """The goal's last events, at most so many, in order."""
        last, after = deque[Event](maxlen=count), 0
        while events := await self.store.events(goal_id, after=after, limit=MAX_PAGE):
            last.extend(events)
            after = events[-1].number
            if len(events) < MAX_PAGE:
                break
        return tuple(last)

"""What each `/goal` command does, written once over an async store."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Any, Final

from telic.domain.authority import GUARDED, Action, authorize
from telic.domain.budget import Budget
from telic.domain.clock import Instant
from telic.domain.errors import GoalError, StaleUpdate, StoreError, WouldReplace
from telic.domain.goal import Actor, Goal, GoalStatus
from telic.services.chat.advice import steps_after_error, steps_for
from telic.services.chat.grammar import GoalCommand, parse, write
from telic.services.chat.grammar_words import Verb
from telic.services.chat.replies import Problem, Reply, ReplyKind, Step, changes_between
from telic.services.insight import list_goals, read_goal
from telic.services.outcomes import outcome_of
from telic.services.scoped_goals import ScopedGoals
from telic.store.async_store import AsyncGoalStore

_LISTED: Final = 20
_LAST_EVENTS: Final = 20
_OFFERED: Final = 5
_ALSO_ON_PAUSED: Final = frozenset({Verb.STATUS, Verb.RESUME, Verb.BUDGET, Verb.HISTORY})


@dataclass(frozen=True, slots=True)
class Request:
    """A typed line, and on whose behalf, where, when and from which sight of the goal it was typed."""

    line: str
    scope: str
    actor: Actor
    expected_revision: int | None
    max_chars: int
    key: str | None
    at: Instant


class Executor:
    """Answers one request."""

    def __init__(self, store: AsyncGoalStore, request: Request) -> None:
        self._store = store
        self._request = request
        self._goals = ScopedGoals(store, request.scope)
        self._command: GoalCommand | None = None
        self._goal: Goal | None = None
        self._active_id: str | None = None

    async def answer(self) -> Reply:
        """What was asked for is done and told, or the reply says why not."""
        try:
            self._command = command = parse(self._request.line)
            if command.verb is Verb.HELP:
                return self._reply(ReplyKind.HELP)
            return await self._handler(command.verb)(command)
        except GoalError as error:
            return self._refused(error)

    def _handler(self, verb: Verb) -> Callable[[GoalCommand], Awaitable[Reply]]:
        return {
            Verb.STATUS: self._status,
            Verb.CREATE: self._create,
            Verb.PAUSE: self._pause,
            Verb.RESUME: self._resume,
            Verb.COMPLETE: self._complete,
            Verb.CLEAR: self._clear,
            Verb.EDIT: self._edit,
            Verb.BUDGET: self._budget,
            Verb.LIST: self._list,
            Verb.HISTORY: self._history,
        }[verb]

    def _reply(self, kind: ReplyKind, *goals: Goal, **more: Any) -> Reply:
        return Reply(kind=kind, at=self._request.at, scope=self._request.scope, goals=goals, **more)

    def _refused(self, error: GoalError) -> Reply:
        kind = ReplyKind.FAILED if isinstance(error, StoreError) else ReplyKind.REFUSED
        goal = error.goal if isinstance(error, StaleUpdate) else self._goal
        problem = Problem.of(error, outcome_of(error).next_in_chat)
        about = () if goal is None else (goal,)
        return self._reply(kind, *about, problem=problem, steps=steps_after_error(error, self._command, goal))

    def _guard(self, goal: Goal) -> dict[str, Any]:
        seen = self._request.expected_revision
        revision = goal.revision if seen is None else seen
        return {"expected_revision": revision, "actor": self._request.actor, "key": self._request.key}

    async def _meant(self, command: GoalCommand) -> Goal | None:
        """The goal that is named, or the scope's active one, or for commands that end nothing its only paused one."""
        if command.goal_id is not None:
            self._goal = await self._goals.named(command.goal_id)
        else:
            self._goal = await self._store.active(self._request.scope)
        if self._goal is None and command.verb in _ALSO_ON_PAUSED:
            paused = await self._goals.paused(2)
            self._goal = paused[0] if len(paused) == 1 else None
        return self._goal

    async def _no_goal(self, command: GoalCommand) -> Reply:
        """Nothing is active; the paused goals that could be meant are offered."""
        paused = await self._goals.paused(_OFFERED)
        if command.verb in (Verb.PAUSE, Verb.STATUS):
            steps = tuple(step for goal in paused for step in steps_for(goal)[:1])
        else:
            steps = tuple(Step(write(replace(command, goal_id=goal.id)), "to mean this one") for goal in paused)
        return self._reply(ReplyKind.NO_GOAL, *paused, steps=(*steps, Step("/goal TEXT", "to set a new goal")))

    async def _status(self, command: GoalCommand) -> Reply:
        goal = await self._meant(command)
        if goal is None:
            return await self._no_goal(command)
        details = await read_goal(self._store, goal.id)
        return self._reply(ReplyKind.STATUS, details.goal, steps=steps_for(details.goal), details=details)

    async def _create(self, command: GoalCommand) -> Reply:
        request = self._request
        try:
            goal = await self._store.create(
                command.text or "",
                scope=request.scope,
                budget=command.budget(Budget()),
                criteria=command.criteria,
                max_chars=request.max_chars,
                replace=await self._replaceable(command),
                actor=request.actor,
                key=request.key,
            )
        except WouldReplace as error:
            return self._confirmation(command, error.goal)
        return await self._taken_over(ReplyKind.CREATED, command, None, goal)

    async def _replaceable(self, command: GoalCommand) -> bool | str:
        """Which goal the command may pause: any, none, or the one that the user was asked about."""
        active = await self._store.active(self._request.scope)
        self._active_id = None if active is None else active.id
        if not command.may_replace or command.replaced_id is None:
            return command.may_replace or self._request.actor in GUARDED
        is_meant = active is not None and active.id.startswith(command.replaced_id)
        return active.id if active is not None and is_meant else command.replaced_id

    def _confirmation(self, command: GoalCommand, active: Goal) -> Reply:
        """What to confirm before the active goal is paused for this one."""
        confirmed = write(replace(command, may_replace=True, replaced_id=active.id))
        steps = (Step(confirmed, "to pause it and go on"), Step("/goal status", "to look at it"))
        return self._reply(ReplyKind.CONFIRM, active, steps=steps)

    async def _taken_over(self, kind: ReplyKind, command: GoalCommand, before: Goal | None, goal: Goal) -> Reply:
        superseded = await self._goals.superseded_by(goal, self._active_id)
        changes = () if before is None else changes_between(before, goal)
        return self._reply(
            kind,
            goal,
            superseded=superseded,
            changes=changes,
            steps=steps_for(goal),
            starts_work=command.is_auto and goal.status is GoalStatus.ACTIVE,
        )

    async def _pause(self, command: GoalCommand) -> Reply:
        return await self._move(command, self._store.pause, ReplyKind.PAUSED)

    async def _complete(self, command: GoalCommand) -> Reply:
        return await self._move(command, self._store.complete, ReplyKind.COMPLETED)

    async def _clear(self, command: GoalCommand) -> Reply:
        return await self._move(command, self._store.clear, ReplyKind.CLEARED)

    async def _move(self, command: GoalCommand, move: Callable[..., Awaitable[Goal]], kind: ReplyKind) -> Reply:
        goal = await self._meant(command)
        if goal is None:
            return await self._no_goal(command)
        return self._changed(kind, goal, await move(goal.id, note=command.note, **self._guard(goal)))

    def _changed(self, kind: ReplyKind, before: Goal, after: Goal) -> Reply:
        if after.revision == before.revision:
            # A call that was made before, under the same key, has changed nothing now.
            return self._reply(ReplyKind.STATUS, after, steps=steps_for(after))
        return self._reply(kind, after, changes=changes_between(before, after), steps=steps_for(after))

    async def _resume(self, command: GoalCommand) -> Reply:
        goal = await self._meant(command)
        if goal is None:
            return await self._no_goal(command)
        if goal.status is GoalStatus.ACTIVE and not command.limits and command.note is None:
            authorize(self._request.actor, Action.RESUME, is_guarded=True)
            return self._reply(ReplyKind.STATUS, goal, steps=steps_for(goal), starts_work=command.is_auto)
        budget, may_pause = command.budget(goal.budget) if command.limits else None, await self._replaceable(command)
        try:
            after = await self._store.resume(
                goal.id, budget=budget, note=command.note, replace=may_pause, **self._guard(goal)
            )
        except WouldReplace as error:
            return self._confirmation(replace(command, goal_id=goal.id), error.goal)
        return await self._taken_over(ReplyKind.RESUMED, command, goal, after)

    async def _edit(self, command: GoalCommand) -> Reply:
        goal = await self._meant(command)
        if goal is None:
            return await self._no_goal(command)
        criteria = command.criteria if command.criteria or command.drops_criteria else None
        after = await self._store.edit(
            goal.id, text=command.text, criteria=criteria, max_chars=self._request.max_chars, **self._guard(goal)
        )
        return self._changed(ReplyKind.EDITED, goal, after)

    async def _budget(self, command: GoalCommand) -> Reply:
        goal = await self._meant(command)
        if goal is None:
            return await self._no_goal(command)
        if not command.limits:
            return self._reply(ReplyKind.STATUS, goal, steps=(Step("/goal budget 2M $5", "to set limits"),))
        after = await self._store.set_budget(goal.id, command.budget(goal.budget), **self._guard(goal))
        return self._changed(ReplyKind.BUDGET_SET, goal, after)

    async def _list(self, command: GoalCommand) -> Reply:
        page = await list_goals(self._store, scope=self._request.scope, cursor=command.cursor, limit=_LISTED)
        more, goals = page.next_cursor, [each.goal for each in page.entries]
        steps = (Step(f"/goal list --cursor {more}", "for older ones"),) if more else ()
        drivers = tuple(each.holder for each in page.entries)
        return self._reply(ReplyKind.LIST, *goals, steps=steps, next_cursor=more, drivers=drivers)

    async def _history(self, command: GoalCommand) -> Reply:
        goal = await self._meant(command)
        if goal is None:
            return await self._no_goal(command)
        return self._reply(ReplyKind.HISTORY, goal, events=await self._goals.last_events(goal.id, _LAST_EVENTS))

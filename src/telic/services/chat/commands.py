"""`/goal` for chat programs: a typed line is executed, and answered with a value that tells everything.

One executor serves both stores. It reads the goal that is meant, then writes with that goal's revision, so that what
somebody else changed in between is reported and not overwritten.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Any, Final

from telic.domain.budget import Budget
from telic.domain.clock import Clock, Instant, SystemClock
from telic.domain.errors import GoalError, StaleUpdate, WouldReplace
from telic.domain.goal import DEFAULT_SCOPE, Actor, Goal, GoalStatus
from telic.domain.lifecycle import GUARDED, Action, NamedActor, authorize
from telic.domain.limits import DEFAULT_MAX_CHARS
from telic.services.actions import ActionRequest, ActionResult, GoalAction, sleep_blocking
from telic.services.actions import execute as execute_action
from telic.services.chat.grammar import GoalCommand, parse, write
from telic.services.chat.grammar_words import Verb
from telic.services.chat.replies import (
    ACTION_OF,
    ChatProblem,
    ChatReply,
    ChatStep,
    ReplyKind,
    changes_between,
    steps_after_error,
    steps_for,
)
from telic.services.insight import ScopedGoals, list_goals, read_goal
from telic.services.next_steps import Effect, effect_of, next_in_chat
from telic.storage.transaction import complete
from telic.store.async_store import AsyncGoalStore
from telic.store.connect import as_async_store
from telic.store.goal_store import GoalStore

_LISTED: Final = 20
_LAST_EVENTS: Final = 20
_OFFERED: Final = 5
_ALSO_ON_PAUSED: Final = frozenset({Verb.STATUS, Verb.RESUME, Verb.BUDGET, Verb.HISTORY})
_KIND_OF: Final = {action: kind for kind, action in ACTION_OF.items()}


@dataclass(frozen=True, slots=True)
class CommandRequest:
    """A typed line, and on whose behalf, where, when and from which sight of the goal it was typed."""

    line: str
    scope: str
    actor: NamedActor
    expected_revision: int | None
    max_chars: int
    key: str | None
    at: Instant
    sleep: Callable[[float], Awaitable[None]]


class CommandExecutor:
    """Answers one request."""

    def __init__(self, store: AsyncGoalStore, request: CommandRequest) -> None:
        self._store = store
        self._request = request
        self._goals = ScopedGoals(store, request.scope)
        self._command: GoalCommand | None = None
        self._goal: Goal | None = None

    async def answer(self) -> ChatReply:
        """The command is done, or the reply says why not."""
        try:
            self._command = command = parse(self._request.line)
            if command.verb is Verb.HELP:
                return self._reply(ReplyKind.HELP)
            if command.verb is Verb.CREATE:
                return await self._create(command)
            if command.verb is Verb.LIST:
                return await self._list(command)
            goal = await self._target_goal(command)
            if goal is None:
                return await self._no_goal(command)
            return await self._do(command, goal)
        except GoalError as error:
            return self._refused(error)

    async def _do(self, command: GoalCommand, goal: Goal) -> ChatReply:
        match command.verb:
            case Verb.STATUS:
                details = await read_goal(self._store, goal.id)
                return self._reply(ReplyKind.STATUS, details.goal, steps=steps_for(details.goal), details=details)
            case Verb.HISTORY:
                events = await self._goals.last_events(goal.id, _LAST_EVENTS)
                return self._reply(ReplyKind.HISTORY, goal, events=events)
            case Verb.RESUME:
                return await self._resume(command, goal)
            case Verb.EDIT:
                return await self._edit(command, goal)
            case Verb.BUDGET:
                return await self._budget(command, goal)
            case _:
                return self._changed(await self._act(GoalAction(command.verb.value), goal, note=command.note))

    def _reply(self, kind: ReplyKind, *goals: Goal, **more: Any) -> ChatReply:
        return ChatReply(kind=kind, at=self._request.at, scope=self._request.scope, goals=goals, **more)

    def _refused(self, error: GoalError) -> ChatReply:
        kind = ReplyKind.REFUSED if effect_of(error) is Effect.REFUSED else ReplyKind.FAILED
        goal = error.goal if isinstance(error, StaleUpdate) else self._goal
        advice = next_in_chat(error, None if goal is None else goal.id)
        goals = () if goal is None else (goal,)
        steps = steps_after_error(error, self._command, goal)
        return self._reply(kind, *goals, problem=ChatProblem.of(error, advice), steps=steps)

    async def _act(self, action: GoalAction, goal: Goal | None, **more: Any) -> ActionResult:
        request = self._request
        return await execute_action(
            self._store,
            ActionRequest(
                action=action,
                actor=request.actor,
                goal=goal,
                # Without a revision from the program, the one that was read for this command.
                expected_revision=request.expected_revision,
                is_as_read=True,
                key=request.key,
                scope=request.scope,
                max_chars=request.max_chars,
                **more,
            ),
            request.sleep,
        )

    async def _target_goal(self, command: GoalCommand) -> Goal | None:
        """Return the named goal, else the active one; the only paused one too, if the command ends nothing."""
        if command.goal_id is not None:
            self._goal = await self._goals.named(command.goal_id)
        else:
            self._goal = await self._store.active(self._request.scope)
        if self._goal is None and command.verb in _ALSO_ON_PAUSED:
            paused = await self._goals.paused(2)
            self._goal = paused[0] if len(paused) == 1 else None
        return self._goal

    async def _no_goal(self, command: GoalCommand) -> ChatReply:
        # No guess among several: the paused goals that could be meant are offered.
        paused = await self._goals.paused(_OFFERED)
        if command.verb in (Verb.PAUSE, Verb.STATUS):
            steps = tuple(step for goal in paused for step in steps_for(goal)[:1])
        else:
            steps = tuple(ChatStep(write(replace(command, goal_id=goal.id)), "to mean this one") for goal in paused)
        return self._reply(ReplyKind.NO_GOAL, *paused, steps=(*steps, ChatStep("/goal TEXT", "to set a new goal")))

    async def _create(self, command: GoalCommand) -> ChatReply:
        try:
            result = await self._act(
                GoalAction.CREATE,
                None,
                text=command.text or "",
                budget=command.budget(Budget()),
                criteria=command.criteria,
                replace=await self._replaceable(command),
            )
        except WouldReplace as error:
            return self._confirmation(command, error.goal)
        return self._activated(command, result)

    async def _replaceable(self, command: GoalCommand) -> bool | str:
        """Return which goal the command may pause: any, none, or the one that the user was asked about."""
        if not command.may_replace or command.replaced_id is None:
            return command.may_replace or self._request.actor.actor in GUARDED
        active = await self._store.active(self._request.scope)
        is_meant = active is not None and active.id.startswith(command.replaced_id)
        return active.id if active is not None and is_meant else command.replaced_id

    def _confirmation(self, command: GoalCommand, active: Goal) -> ChatReply:
        """Return what to confirm before the active goal is paused for this one."""
        confirmed = write(replace(command, may_replace=True, replaced_id=active.id))
        steps = (ChatStep(confirmed, "to pause it and go on"), ChatStep("/goal status", "to look at it"))
        return self._reply(ReplyKind.CONFIRM, active, steps=steps)

    def _activated(self, command: GoalCommand, result: ActionResult) -> ChatReply:
        before, goal = result.request.goal, result.goal
        return self._reply(
            _KIND_OF[result.request.action],
            goal,
            superseded=result.superseded,
            changes=() if before is None else changes_between(before, goal),
            steps=steps_for(goal),
            starts_work=command.is_auto and goal.status is GoalStatus.ACTIVE,
        )

    def _changed(self, result: ActionResult) -> ChatReply:
        before, goal = result.request.goal, result.goal
        if before is None or result.is_repetition:
            return self._reply(ReplyKind.STATUS, goal, steps=steps_for(goal))
        changes = changes_between(before, goal)
        return self._reply(_KIND_OF[result.request.action], goal, changes=changes, steps=steps_for(goal))

    async def _resume(self, command: GoalCommand, goal: Goal) -> ChatReply:
        # An actor that may not resume is refused also where it would change nothing.
        if goal.status is GoalStatus.ACTIVE and not command.limits and command.note is None:
            authorize(self._request.actor.actor, Action.RESUME, is_guarded=True)
            return self._reply(ReplyKind.STATUS, goal, steps=steps_for(goal), starts_work=command.is_auto)
        budget, may_pause = command.budget(goal.budget) if command.limits else None, await self._replaceable(command)
        try:
            result = await self._act(GoalAction.RESUME, goal, budget=budget, note=command.note, replace=may_pause)
        except WouldReplace as error:
            return self._confirmation(replace(command, goal_id=goal.id), error.goal)
        return self._activated(command, result)

    async def _edit(self, command: GoalCommand, goal: Goal) -> ChatReply:
        criteria = command.criteria if command.criteria or command.drops_criteria else None
        return self._changed(await self._act(GoalAction.EDIT, goal, text=command.text, criteria=criteria))

    async def _budget(self, command: GoalCommand, goal: Goal) -> ChatReply:
        if not command.limits:
            return self._reply(ReplyKind.STATUS, goal, steps=(ChatStep("/goal budget 2M $5", "to set limits"),))
        budget = command.budget(goal.budget)
        return self._changed(await self._act(GoalAction.SET_BUDGET, goal, budget=budget))

    async def _list(self, command: GoalCommand) -> ChatReply:
        page = await list_goals(self._store, scope=self._request.scope, cursor=command.cursor, limit=_LISTED)
        more = page.next_cursor
        workers = tuple(each.worker for each in page.entries)
        steps = (ChatStep(f"/goal list --cursor {more}", "for older ones"),) if more else ()
        return self._reply(ReplyKind.LIST, *page.goals, steps=steps, next_cursor=more, workers=workers)


def execute(
    store: GoalStore,
    line: str,
    *,
    scope: str = DEFAULT_SCOPE,
    actor: Actor | NamedActor = Actor.USER,
    expected_revision: int | None = None,
    max_chars: int = DEFAULT_MAX_CHARS,
    key: str | None = None,
    clock: Clock | None = None,
) -> ChatReply:
    """The `/goal` command in the line is done, or the reply says why not; no error of the store is raised.

    Only goals of `scope` are seen and changed. `expected_revision` is the revision that the person saw, where the
    program knows it; otherwise the goal as it is read now is meant. `key` is the message's own id, where the program
    has one: delivered again, the message changes its goal no second time. (Without an ID in it, a message means the
    goal that is active by then: a program that has answered a message does not execute it again.) `clock` tells ages.
    """
    request = CommandRequest(line, scope, _named(actor), expected_revision, max_chars, key, _now(clock), sleep_blocking)
    return complete(CommandExecutor(as_async_store(store), request).answer())


async def execute_async(
    store: AsyncGoalStore,
    line: str,
    *,
    scope: str = DEFAULT_SCOPE,
    actor: Actor | NamedActor = Actor.USER,
    expected_revision: int | None = None,
    max_chars: int = DEFAULT_MAX_CHARS,
    key: str | None = None,
    clock: Clock | None = None,
) -> ChatReply:
    """As `execute`, on an async store."""
    request = CommandRequest(line, scope, _named(actor), expected_revision, max_chars, key, _now(clock), asyncio.sleep)
    return await CommandExecutor(store, request).answer()


def _named(actor: Actor | NamedActor) -> NamedActor:
    return NamedActor(actor, door="chat") if isinstance(actor, Actor) else actor


def _now(clock: Clock | None) -> Instant:
    return (clock or SystemClock()).now()

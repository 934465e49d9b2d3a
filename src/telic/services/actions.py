"""Actions of people on goals, for all surfaces: one request, one way to carry it out, one table of what fits."""

import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

from telic.domain.budget import BillingPolicy, Budget
from telic.domain.clock import Instant
from telic.domain.criteria import Criterion, CriterionKind
from telic.domain.errors import InvalidInput, OutcomeUnknown, StoreBusy
from telic.domain.goal import DEFAULT_SCOPE, Goal, GoalStatus, Reason
from telic.domain.ids import new_key
from telic.domain.lease import Lease
from telic.domain.lifecycle import NamedActor
from telic.domain.limits import DEFAULT_MAX_CHARS
from telic.domain.views import CriterionStanding
from telic.services.scoped_goals import ScopedGoals
from telic.storage.transaction import complete
from telic.store.connect import as_async_store

if TYPE_CHECKING:
    # A command that blocks loads neither the async store nor asyncio.
    from telic.store.async_store import AsyncGoalStore
    from telic.store.goal_store import GoalStore

_ATTEMPTS: Final = 3
_PAUSE_SECONDS: Final = 0.5


class GoalAction(StrEnum):
    """An action of a person on a goal."""

    CREATE = "create"
    EDIT = "edit"
    SET_BUDGET = "budget"
    PAUSE = "pause"
    RESUME = "resume"
    COMPLETE = "complete"
    CLEAR = "clear"
    WAKE = "wake"
    APPROVE = "approve"
    REJECT = "reject"


@dataclass(frozen=True, slots=True, kw_only=True)
class ActionRequest:
    """One action, who asks for it and by which door, and what the action needs.

    `goal` is the goal as it was read; a creation has none. The action happens only at `expected_revision`, or at any
    where that is None. `criterion` is the place (from 0) of the approval that is answered. `budget` is the whole new
    one; a resume without one leaves the budget as it is. `replace` says whether, or which, active goal may be paused.
    The same `key` makes the action happen once, however often it is asked for.

    Raises:
        InvalidInput: what the action needs is missing.
    """

    action: GoalAction
    actor: NamedActor
    goal: Goal | None = None
    expected_revision: int | None = None
    key: str | None = None
    note: str | None = None
    reason: Reason | None = None
    budget: Budget | None = None
    criterion: int | None = None
    replace: bool | str = False
    wake_at: Instant | None = None
    wake_signal: str | None = None
    lease: Lease | None = None
    decided_by: str | None = None
    text: str | None = None
    criteria: Sequence[Criterion] | None = None
    max_chars: int = DEFAULT_MAX_CHARS
    scope: str = DEFAULT_SCOPE
    billing: BillingPolicy = BillingPolicy.INPUT_AND_OUTPUT

    def __post_init__(self) -> None:
        if self.goal is None and self.action is not GoalAction.CREATE:
            raise InvalidInput("say which goal")
        if self.action is GoalAction.SET_BUDGET and self.budget is None:
            raise InvalidInput("say which budget")
        if self.action in ANSWERS and self.criterion is None:
            raise InvalidInput("say which criterion")


ANSWERS: Final = frozenset({GoalAction.APPROVE, GoalAction.REJECT})
_REPLACING: Final = frozenset({GoalAction.CREATE, GoalAction.RESUME, GoalAction.WAKE})


@dataclass(frozen=True, slots=True)
class ActionResult:
    """The goal after the action, and the goal that was paused for it, if any."""

    request: ActionRequest
    goal: Goal
    superseded: Goal | None = None

    @property
    def is_repetition(self) -> bool:
        """Return whether the same request had been carried out before, so that nothing changed now."""
        before = self.request.goal
        return before is not None and before.revision == self.goal.revision and self.request.action not in ANSWERS


async def execute(
    store: "AsyncGoalStore", request: ActionRequest, sleep: Callable[[float], Awaitable[None]] | None = None
) -> ActionResult:
    """The action is done, once. A call without an answer is repeated, under the same key.

    Raises:
        StaleUpdate: somebody changed the goal meanwhile; nothing was done.
        WouldReplace: another goal is active, which `replace` does not name; nothing was done.
        BudgetExceeded, InvalidTransition, NotAllowed, GoalNotFound, InvalidInput, KeyConflict: nothing was done.
        StoreError: the store failed; `OutcomeUnknown` where nobody knows whether it was done.
    """
    scope = request.scope if request.goal is None else request.goal.scope
    may_replace = request.action in _REPLACING and bool(request.replace)
    active = await store.active(scope) if may_replace else None
    goal = await _with_patience(store, request, sleep or _sleep_in_event_loop)
    if not may_replace:
        return ActionResult(request, goal)
    former = await ScopedGoals(store, scope).superseded_by(goal, None if active is None else active.id)
    return ActionResult(request, goal, former)


def execute_blocking(store: "GoalStore", request: ActionRequest) -> ActionResult:
    """The action is done, as by `execute`, on a blocking store.

    Raises:
        GoalError: as `execute`.
    """
    return complete(execute(as_async_store(store), request, sleep_blocking))


async def _sleep_in_event_loop(seconds: float) -> None:
    import asyncio

    await asyncio.sleep(seconds)


async def sleep_blocking(seconds: float, sleep: Callable[[float], None] = time.sleep) -> None:
    """Sleep in the thread: a blocking store's caller has no event loop."""
    sleep(seconds)


async def _with_patience(
    store: "AsyncGoalStore", request: ActionRequest, sleep: Callable[[float], Awaitable[None]]
) -> Goal:
    # One key for all attempts: the store does under one key what it was asked once.
    key = new_key() if request.key is None else request.key
    for attempt in range(1, _ATTEMPTS + 1):
        try:
            return await _call(store, request, key)
        except (OutcomeUnknown, StoreBusy):
            if attempt == _ATTEMPTS:
                raise
            await sleep(_PAUSE_SECONDS)
    raise AssertionError("the last attempt returns or raises")


async def _call(store: "AsyncGoalStore", request: ActionRequest, key: str) -> Goal:
    if request.action is GoalAction.CREATE:
        return await _create(store, request, key)
    assert request.goal is not None
    move: Callable[..., Awaitable[Goal]] = getattr(store, _METHODS[request.action])
    seen = {"expected_revision": request.expected_revision, "actor": request.actor, "key": key}
    return await move(request.goal.id, **_ARGUMENTS[request.action](request), **seen)


async def _create(store: "AsyncGoalStore", request: ActionRequest, key: str) -> Goal:
    return await store.create(
        request.text or "",
        scope=request.scope,
        budget=request.budget or Budget(),
        criteria=request.criteria or (),
        billing=request.billing,
        max_chars=request.max_chars,
        replace=request.replace,
        actor=request.actor,
        key=key,
    )


def _answer(request: ActionRequest) -> dict[str, Any]:
    return {
        "criterion": request.criterion,
        "is_approved": request.action is GoalAction.APPROVE,
        "decided_by": request.decided_by or request.actor.name or request.actor.actor.value,
        "note": request.note or "",
    }


def _named(*names: str) -> Callable[[ActionRequest], dict[str, Any]]:
    """Return what takes these fields of a request as the store's arguments."""
    return lambda request: {name: getattr(request, name) for name in names}


_METHODS: Final[Mapping[GoalAction, str]] = {
    **{action: action.value for action in GoalAction},
    GoalAction.SET_BUDGET: "set_budget",
    GoalAction.REJECT: "approve",
}
_ARGUMENTS: Final[Mapping[GoalAction, Callable[[ActionRequest], dict[str, Any]]]] = {
    GoalAction.EDIT: _named("text", "criteria", "max_chars"),
    GoalAction.SET_BUDGET: _named("budget"),
    GoalAction.PAUSE: _named("reason", "note", "wake_at", "wake_signal", "lease"),
    GoalAction.RESUME: _named("budget", "note", "replace"),
    GoalAction.COMPLETE: _named("note", "lease"),
    GoalAction.CLEAR: _named("reason", "note", "lease"),
    GoalAction.WAKE: _named("replace"),
    GoalAction.APPROVE: _answer,
    GoalAction.REJECT: _answer,
}


_FITTING: Final[Mapping[GoalStatus, tuple[GoalAction, ...]]] = {
    GoalStatus.ACTIVE: (
        GoalAction.PAUSE,
        GoalAction.COMPLETE,
        GoalAction.SET_BUDGET,
        GoalAction.CLEAR,
        GoalAction.EDIT,
        GoalAction.APPROVE,
        GoalAction.REJECT,
    ),
    GoalStatus.PAUSED: (
        GoalAction.RESUME,
        GoalAction.CLEAR,
        GoalAction.SET_BUDGET,
        GoalAction.COMPLETE,
        GoalAction.EDIT,
        GoalAction.WAKE,
        GoalAction.APPROVE,
        GoalAction.REJECT,
    ),
    GoalStatus.COMPLETED: (GoalAction.CREATE,),
    GoalStatus.CLEARED: (GoalAction.CREATE,),
}
"""What can be done to a goal of this status, the likeliest first."""

PURPOSES: Final[Mapping[GoalAction, str]] = {
    GoalAction.CREATE: "to set the next one",
    GoalAction.SET_BUDGET: "to limit it",
    GoalAction.PAUSE: "to stop it for now",
    GoalAction.RESUME: "to go on",
    GoalAction.COMPLETE: "to say that it is reached",
    GoalAction.CLEAR: "to give it up for good",
}
"""What an action is good for, where a surface offers it."""


def why_unfit(action: GoalAction, goal: Goal, checks: Sequence[CriterionStanding] = ()) -> str | None:
    """Return why the action does not fit where the goal stands, or None where it does."""
    if action in ANSWERS and not goal.is_finished and not answerable(checks):
        return "no criterion of the goal asks for an approval"
    if action is GoalAction.WAKE and not goal.is_waiting:
        return "the goal waits for nothing"
    if action in _FITTING[goal.status]:
        return None
    return f"the goal is {goal.status}" if goal.is_finished else f"the goal is {goal.status} already"


def fitting_actions(goal: Goal, checks: Sequence[CriterionStanding] = ()) -> tuple[GoalAction, ...]:
    """Return what can be done to the goal as it stands, the likeliest first."""
    return tuple(action for action in _FITTING[goal.status] if why_unfit(action, goal, checks) is None)


def answerable(checks: Sequence[CriterionStanding]) -> list[CriterionStanding]:
    """Return the approvals that a person can give: those still pending, or all where none is."""
    asking = [check for check in checks if check.criterion.kind is CriterionKind.APPROVAL]
    return [check for check in asking if check.is_pending] or asking

"""Actions of people on goals, for all surfaces: one request, one way to carry it out, one table of what fits."""

import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from typing import TYPE_CHECKING, Any, Final, TypeVar

from telic.domain.budget import BillingPolicy, Budget
from telic.domain.clock import Instant
from telic.domain.criteria import Criterion, CriterionKind
from telic.domain.errors import InvalidInput, OutcomeUnknown, StoreBusy
from telic.domain.goal import DEFAULT_SCOPE, Actor, Goal, GoalStatus, Reason
from telic.domain.ids import new_key
from telic.domain.lease import Hold, Lease
from telic.domain.lifecycle import NamedActor
from telic.domain.limits import DEFAULT_MAX_CHARS
from telic.domain.views import CriterionStanding
from telic.services.insight import ScopedGoals
from telic.storage.transaction import complete
from telic.store.connect import as_async_store

if TYPE_CHECKING:
    # A command that blocks loads neither the async store nor asyncio.
    from telic.store.async_store import AsyncGoalStore
    from telic.store.goal_store import GoalStore

T = TypeVar("T")

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

    `goal` is the goal as it was read; a creation has none. The action happens only at `expected_revision`. Where that
    is None it happens at any revision, unless it is built on what was read (`is_as_read`): then at the one that was.
    `criterion` is the place (from 0) of the approval that is answered. `budget` is the whole new
    one; a resume without one leaves the budget as it is. `replace` says whether, or which, active goal may be paused.
    The same `key` makes the action happen once, however often it is asked for.

    Raises:
        InvalidInput: what the action needs is missing.
    """

    action: GoalAction
    actor: NamedActor
    goal: Goal | None = None
    expected_revision: int | None = None
    is_as_read: bool = False
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
"""The actions that answer a question of the goal."""
REPLACING: Final = frozenset({GoalAction.CREATE, GoalAction.RESUME, GoalAction.WAKE})
"""The actions for which another goal may have to be paused."""


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
    may_replace = request.action in REPLACING and bool(request.replace)
    # Before the action: afterwards nobody can tell any more which goal was active.
    active = await store.active(scope) if may_replace else None
    goal = await _with_retries(lambda key: _call(store, request, key), request.key, sleep or _sleep_in_event_loop)
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


def release_hold(
    store: "GoalStore", goal: Goal, hold: str, *, actor: Actor, lease: Lease | None = None, key: str | None = None
) -> Hold:
    """The goal's hold of this key is released, once: its call was never made, or is lost.

    A hold makes no event, so nothing but its state, and the ledger where an estimate stood for it, tells of this.

    Raises:
        HoldLost: there is none, or it was settled, or its expiry has freed it.
        GoalNotFound, LeaseLost, InvalidInput, NotAllowed, StoreError: as `AsyncGoalStore.release`.
    """
    release = partial(as_async_store(store).release, goal.id, hold, lease=lease, actor=actor)
    return complete(_with_retries(lambda each: release(key=each), key, sleep_blocking))


async def _sleep_in_event_loop(seconds: float) -> None:
    import asyncio

    await asyncio.sleep(seconds)


async def sleep_blocking(seconds: float, sleep: Callable[[float], None] = time.sleep) -> None:
    """Sleep in the thread: a blocking store's caller has no event loop."""
    sleep(seconds)


async def _with_retries(
    call: Callable[[str], Awaitable[T]], key: str | None, sleep: Callable[[float], Awaitable[None]]
) -> T:
    # One key for all attempts: the store does under one key what it was asked once.
    key = new_key() if key is None else key
    for _ in range(_ATTEMPTS - 1):
        try:
            return await call(key)
        except (OutcomeUnknown, StoreBusy):
            await sleep(_PAUSE_SECONDS)
    return await call(key)


async def _call(store: "AsyncGoalStore", request: ActionRequest, key: str) -> Goal:
    method: Callable[..., Awaitable[Goal]] = getattr(store, _METHODS[request.action])
    arguments = _ARGUMENTS[request.action](request) | {"actor": request.actor, "key": key}
    if request.goal is None:
        return await method(**arguments)
    # A repeated call is told from a late one by its key first: what it did has raised the revision.
    as_read = request.goal.revision if request.is_as_read else None
    revision = as_read if request.expected_revision is None else request.expected_revision
    return await method(request.goal.id, expected_revision=revision, **arguments)


def _creation(request: ActionRequest) -> dict[str, Any]:
    given = _named("scope", "billing", "max_chars", "replace")(request)
    wanted = {"text": request.text or "", "budget": request.budget or Budget(), "criteria": request.criteria or ()}
    return given | wanted


def _answer(request: ActionRequest) -> dict[str, Any]:
    return {
        "criterion": request.criterion,
        "is_approved": request.action is GoalAction.APPROVE,
        # A verdict always names somebody.
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
    GoalAction.CREATE: _creation,
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


_ANY_OPEN: Final = (GoalAction.EDIT, GoalAction.APPROVE, GoalAction.REJECT)
# What can be done to a goal of this status, the likeliest first.
_FITTING: Final[Mapping[GoalStatus, tuple[GoalAction, ...]]] = {
    GoalStatus.ACTIVE: (
        *(GoalAction.PAUSE, GoalAction.COMPLETE, GoalAction.SET_BUDGET, GoalAction.CLEAR),
        *_ANY_OPEN,
    ),
    GoalStatus.PAUSED: (
        *(GoalAction.RESUME, GoalAction.CLEAR, GoalAction.SET_BUDGET, GoalAction.COMPLETE, GoalAction.WAKE),
        *_ANY_OPEN,
    ),
    GoalStatus.COMPLETED: (GoalAction.CREATE,),
    GoalStatus.CLEARED: (GoalAction.CREATE,),
}

PURPOSES: Final[Mapping[GoalAction, str]] = {
    GoalAction.CREATE: "to set the next one",
    GoalAction.SET_BUDGET: "to limit it",
    GoalAction.PAUSE: "to stop it for now",
    GoalAction.RESUME: "to go on",
    GoalAction.COMPLETE: "to say that it is reached",
    GoalAction.CLEAR: "to give it up for good",
}
"""The purpose of an action, where a surface offers it."""

DONE: Final[Mapping[GoalAction, str]] = {
    GoalAction.CREATE: "is set",
    GoalAction.EDIT: "is changed",
    GoalAction.SET_BUDGET: "has its new budget",
    GoalAction.PAUSE: "is paused",
    GoalAction.RESUME: "goes on",
    GoalAction.COMPLETE: "is completed",
    GoalAction.CLEAR: "is cleared",
    GoalAction.WAKE: "is awake",
    GoalAction.APPROVE: "has your approval",
    GoalAction.REJECT: "has your rejection",
}
"""What is said of the goal once the action is done."""


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

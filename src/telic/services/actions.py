"""What an operator may do to a goal from a screen: guarded by the revision they saw, and kept under their name."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from telic.domain.budget import Budget
from telic.domain.criteria import CriterionKind
from telic.domain.errors import InvalidInput, OutcomeUnknown, StoreBusy
from telic.domain.goal import Actor, Goal, GoalStatus
from telic.domain.ids import new_key
from telic.domain.limits import check_text
from telic.domain.overview import CriterionStanding
from telic.store.async_store import AsyncGoalStore

MAX_OPERATOR_CHARS: Final = 100
_ATTEMPTS: Final = 3
_PAUSE_SECONDS: Final = 0.5


class Operation(StrEnum):
    """What an operator can ask for."""

    PAUSE = "pause"
    RESUME = "resume"
    SET_BUDGET = "budget"
    APPROVE = "approve"
    REJECT = "reject"
    CLEAR = "clear"


@dataclass(frozen=True, slots=True, kw_only=True)
class Intent:
    """What an operator wants done to the goal as they saw it.

    `criterion` is the place (from 0) of the approval that is answered. `budget` is the whole new one; with a resume
    it may be None, which leaves the budget as it is. `replace` names the active goal that a resume may pause. The
    same intent is carried out once, however often it is tried.

    Raises:
        InvalidInput: nobody is named, or what the operation needs is missing.
    """

    operation: Operation
    goal: Goal
    operator: str
    note: str = ""
    budget: Budget | None = None
    criterion: int | None = None
    replace: bool | str = False
    key: str = field(default_factory=new_key)

    def __post_init__(self) -> None:
        check_operator(self.operator)
        if self.operation is Operation.SET_BUDGET and self.budget is None:
            raise InvalidInput("say which budget")
        if self.operation in _ANSWERS and self.criterion is None:
            raise InvalidInput("say which criterion")

    @property
    def remark(self) -> str:
        """The note that the history keeps: who did it, and why."""
        return f"by {self.operator}: {self.note}" if self.note else f"by {self.operator}"


_ANSWERS: Final = frozenset({Operation.APPROVE, Operation.REJECT})


def check_operator(name: str) -> str:
    """The name of an operator, of 1 to 100 characters.

    Raises:
        InvalidInput: it is none.
    """
    if not check_text("the operator's name", name, MAX_OPERATOR_CHARS).strip():
        raise InvalidInput("the operator's name is empty")
    return name


def why_unfit(operation: Operation, goal: Goal, checks: Sequence[CriterionStanding]) -> str | None:
    """Why the operation does not fit where the goal stands, or None where it does."""
    if goal.is_finished:
        return f"the goal is {goal.status}"
    if operation is Operation.PAUSE and goal.status is not GoalStatus.ACTIVE:
        return f"the goal is {goal.status} already"
    if operation is Operation.RESUME and goal.status is GoalStatus.ACTIVE:
        return "the goal is active already"
    if operation in _ANSWERS and not answerable(checks):
        return "no criterion of the goal asks for an approval"
    return None


def answerable(checks: Sequence[CriterionStanding]) -> list[CriterionStanding]:
    """The approvals that a person can give: those still pending, or all where none is."""
    asking = [check for check in checks if check.criterion.kind is CriterionKind.APPROVAL]
    return [check for check in asking if check.is_pending] or asking


async def carry_out(store: AsyncGoalStore, intent: Intent) -> Goal:
    """The operation is done by the operator, at the revision that they saw; a call without an answer is repeated.

    Raises:
        StaleUpdate: somebody changed the goal meanwhile; nothing was done.
        WouldReplace: another goal is active, which `replace` does not name; nothing was done.
        BudgetExceeded, InvalidTransition, NotAllowed, GoalNotFound, InvalidInput: nothing was done.
        StoreError: as it says.
    """
    for attempt in range(1, _ATTEMPTS + 1):
        try:
            return await _carry_out(store, intent)
        except (OutcomeUnknown, StoreBusy):
            if attempt == _ATTEMPTS:
                raise
            await asyncio.sleep(_PAUSE_SECONDS)
    raise AssertionError("the last attempt returns or raises")


async def _carry_out(store: AsyncGoalStore, intent: Intent) -> Goal:
    goal_id, revision, actor = intent.goal.id, intent.goal.revision, Actor.OPERATOR
    # A change of the budget has no note: there the key alone tells who made it.
    key = f"{intent.operator}/{intent.key}"
    match intent.operation:
        case Operation.PAUSE:
            return await store.pause(goal_id, expected_revision=revision, note=intent.remark, actor=actor, key=key)
        case Operation.RESUME:
            return await store.resume(
                goal_id,
                budget=intent.budget,
                expected_revision=revision,
                note=intent.remark,
                replace=intent.replace,
                actor=actor,
                key=key,
            )
        case Operation.SET_BUDGET:
            budget = intent.budget or Budget()
            return await store.set_budget(goal_id, budget, expected_revision=revision, actor=actor, key=key)
        case Operation.CLEAR:
            return await store.clear(goal_id, expected_revision=revision, note=intent.remark, actor=actor, key=key)
        case Operation.APPROVE | Operation.REJECT:
            return await store.approve(
                goal_id,
                intent.criterion or 0,
                is_approved=intent.operation is Operation.APPROVE,
                decided_by=intent.operator,
                note=intent.note,
                expected_revision=revision,
                actor=actor,
                key=key,
            )

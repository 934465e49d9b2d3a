"""Changes of what a goal is: its text, its criteria, its budget."""

import dataclasses
from collections.abc import Sequence

from telic.domain.budget import Budget, budget_columns, exhausted_limit
from telic.domain.criteria import Criterion, check_criteria, criteria_to_json
from telic.domain.errors import InvalidInput, NotAllowed
from telic.domain.events import EventKind
from telic.domain.goal import Actor, Goal, GoalStatus, Reason
from telic.domain.lifecycle import Action, check_transition
from telic.domain.limits import check_goal_text
from telic.storage.operations.call import Call, was_done
from telic.storage.operations.goals import get
from telic.storage.operations.transitions import lock, plan_move, rewrite, transition
from telic.storage.transaction import Transaction, Value


async def edit(
    tx: Transaction,
    call: Call,
    goal_id: str,
    *,
    text: str | None,
    criteria: Sequence[Criterion] | None,
    max_chars: int,
) -> Goal:
    """The goal has the given text and criteria; what is None stays.

    Raises:
        NotAllowed: the goal is finished, or the actor may not edit.
        GoalNotFound, StaleUpdate, InvalidInput, KeyConflict: nothing changed.
    """
    call.authorize(Action.EDIT)
    data: dict[str, object] = {}
    columns: dict[str, Value] = {}
    if text is not None:
        columns["text"] = data["text"] = check_goal_text(text, max_chars)
    if criteria is not None:
        checked = check_criteria(criteria)
        columns["criteria"] = criteria_to_json(checked)
        data["criteria"] = [criterion.as_dict() for criterion in checked]
    if not data:
        raise InvalidInput("an edit needs a text or criteria")
    goal, is_done = await _lock_unfinished(tx, call, goal_id, EventKind.EDITED, data)
    return goal if is_done else await rewrite(tx, call, goal, EventKind.EDITED, data, columns)


async def _lock_unfinished(
    tx: Transaction, call: Call, goal_id: str, kind: EventKind, data: dict[str, object]
) -> tuple[Goal, bool]:
    """The locked goal, and whether this very call has already happened to it."""
    goal = await lock(tx, goal_id)
    if await was_done(tx, call, goal.id, kind, data):
        return goal, True
    call.require_fresh(goal)
    if goal.is_finished:
        raise NotAllowed(f"the goal is {goal.status}; its definition no longer changes")
    return goal, False


async def set_budget(tx: Transaction, call: Call, goal_id: str, *, budget: Budget) -> Goal:
    """The goal has exactly this budget; an active one that has already used it up is paused.

    Raises:
        NotAllowed: the goal is finished, or the actor may not set budgets.
        GoalNotFound, StaleUpdate, InvalidInput, KeyConflict: nothing changed.
    """
    call.authorize(Action.SET_BUDGET)
    data = _budget_data(budget)
    goal, is_done = await _lock_unfinished(tx, call, goal_id, EventKind.BUDGET_SET, data)
    if is_done:
        return goal
    goal = await rewrite(tx, call, goal, EventKind.BUDGET_SET, data, dict(budget_columns(budget)))
    if goal.status is not GoalStatus.ACTIVE or exhausted_limit(goal.usage, goal.budget) is None:
        return goal
    paused: dict[str, Value] = {"status": GoalStatus.PAUSED.value, "reason": Reason.BUDGET.value, "note": None}
    by_system = Call(call.at, Actor.SYSTEM, call.key)
    reason: dict[str, object] = {"reason": Reason.BUDGET.value}
    return await rewrite(tx, by_system, goal, EventKind.PAUSED, reason, paused, with_key=False)


def _budget_data(budget: Budget) -> dict[str, object]:
    if not isinstance(budget, Budget):
        raise InvalidInput("the budget must be a Budget")
    return {"budget": budget.as_dict()}


async def resume_with_budget(tx: Transaction, call: Call, goal_id: str, *, budget: Budget, note: str | None) -> Goal:
    """The goal has exactly this budget and is active; it has pushed out its scope's active goal.

    Raises:
        BudgetExceeded: the new budget is used up as well.
        GoalNotFound, InvalidTransition, StaleUpdate, NotAllowed, InvalidInput, KeyConflict: nothing changed.
    """
    call.authorize(Action.SET_BUDGET)
    move = plan_move(call, GoalStatus.ACTIVE, None, note)
    data = _budget_data(budget)
    goal = await lock(tx, goal_id)
    if await was_done(tx, call, goal.id, EventKind.RESUMED, move.data(has_criteria=False)):
        return await get(tx, goal_id)
    call.require_fresh(goal)
    check_transition(goal, GoalStatus.ACTIVE)
    goal = await rewrite(tx, call, goal, EventKind.BUDGET_SET, data, dict(budget_columns(budget)), with_key=False)
    seen = dataclasses.replace(call, expected_revision=goal.revision)
    return await transition(tx, seen, goal_id, to=GoalStatus.ACTIVE, reason=None, note=note)

"""Changes of a goal: moves of the state machine, and what it is: its text, its criteria, its budget."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from telic.domain.budget import Budget, budget_columns, exhausted_limit
from telic.domain.criteria import Criterion, check_criteria, criteria_to_json
from telic.domain.errors import InvalidInput, NotAllowed
from telic.domain.events import EventKind
from telic.domain.goal import Actor, Goal, GoalStatus, Reason, Wake
from telic.domain.ids import check_id
from telic.domain.lifecycle import (
    EVENT_OF,
    TERMINAL,
    WAITS,
    Action,
    check_reason,
    check_status,
    check_transition,
    completion_reasons,
    require_budget_left,
    sources,
    why_not,
)
from telic.domain.limits import check_goal_text, check_note
from telic.storage.operations.call import (
    Call,
    get,
    lock,
    lock_for,
    require_free_scope,
    require_lease,
    rewrite,
    was_done,
)
from telic.storage.operations.goals import superseded_data
from telic.storage.records import goal_from_row
from telic.storage.transaction import Parameters, Raced, Transaction, Value

_DEFAULT_REASONS = {GoalStatus.PAUSED: Reason.USER, GoalStatus.CLEARED: Reason.DISMISSED}


@dataclass(frozen=True, slots=True)
class Move:
    """A wanted status, why, and what the actor has to say about it.

    A completion's reason follows from the actor and from whether the goal has criteria, so it comes twice;
    None for a goal with criteria means that this actor may not complete one.
    """

    to: GoalStatus
    reason: Reason | None
    reason_with_criteria: Reason | None
    note: str | None
    wake: Wake | None = None

    def data(self, *, has_criteria: bool) -> dict[str, object]:
        """Return the data of the move's event."""
        reason = self.reason_with_criteria if has_criteria else self.reason
        named = {
            "reason": reason and reason.value,
            "note": self.note,
            "wake_at": self.wake and self.wake.at,
            "wake_signal": self.wake and self.wake.signal,
        }
        return {name: value for name, value in named.items() if value is not None}

    @property
    def is_refused_with_criteria(self) -> bool:
        """Whether the actor may not make this move on a goal with criteria."""
        return self.to is GoalStatus.COMPLETED and self.reason_with_criteria is None


def plan_move(
    call: Call, to: GoalStatus, reason: Reason | str | None, note: str | None, wake: Wake | None = None
) -> Move:
    """Return the move, or raise NotAllowed if this actor may not ask for it, InvalidInput if it can be none."""
    to = check_status(to)
    if wake is not None and (to is not GoalStatus.PAUSED or reason not in WAITS):
        raise InvalidInput(f"only a goal paused for one of these reasons wakes by itself: {', '.join(sorted(WAITS))}")
    if to is GoalStatus.COMPLETED:
        call.authorize(Action.COMPLETE)
        asserted, with_criteria = completion_reasons(call.actor)
        return Move(to, asserted, with_criteria, check_note(note))
    reason = check_reason(to, reason or _DEFAULT_REASONS.get(to))
    call.authorize(_ACTIONS.get((to, reason)) or _ACTIONS[to, None])
    return Move(to, reason, reason, check_note(note), wake)


_ACTIONS: dict[tuple[GoalStatus, Reason | None], Action] = {
    (GoalStatus.ACTIVE, None): Action.RESUME,
    (GoalStatus.PAUSED, None): Action.PAUSE,
    (GoalStatus.PAUSED, Reason.BLOCKED): Action.BLOCK,
    (GoalStatus.CLEARED, None): Action.CLEAR,
}


async def transition(
    tx: Transaction,
    call: Call,
    goal_id: str,
    *,
    to: GoalStatus,
    reason: Reason | str | None,
    note: str | None,
    wake: Wake | None = None,
) -> Goal:
    """The goal has the wanted status; for a resumed one, its scope's former active goal is paused as superseded."""
    move = plan_move(call, to, reason, note, wake)
    statement = "goals.resume" if move.to is GoalStatus.ACTIVE else "goals.transition"
    row = await tx.one_or_none(statement, _parameters(call, goal_id, move))
    return goal_from_row(row) if row is not None else await _why_not_moved(tx, call, goal_id, move)


def _parameters(call: Call, goal_id: str, move: Move) -> Parameters:
    common: dict[str, int | str | None] = {
        "id": check_id(goal_id),
        "expected_revision": call.expected_revision,
        "at": call.at,
        "actor": call.actor.value,
        "key": call.key,
        "note": move.note,
        "data": call.data(move.data(has_criteria=False)),
    }
    if move.to is GoalStatus.ACTIVE:
        return common | {"superseded_data": superseded_data(goal_id), "replaced": call.replaced}
    source, other_source = sources(move.to)
    with_criteria = None if move.is_refused_with_criteria else call.data(move.data(has_criteria=True))
    return (
        common
        | call.lease_columns
        | {
            "wake_at": None if move.wake is None else move.wake.at,
            "wake_signal": None if move.wake is None else move.wake.signal,
            "status": move.to.value,
            "source": source.value,
            "other_source": other_source.value,
            "kind": EVENT_OF[move.to].value,
            "reason": move.reason and move.reason.value,
            "reason_with_criteria": move.reason_with_criteria and move.reason_with_criteria.value,
            "data_with_criteria": with_criteria,
            "ends": int(move.to in TERMINAL),
        }
    )


async def _why_not_moved(tx: Transaction, call: Call, goal_id: str, move: Move) -> Goal:
    goal = await get(tx, goal_id)
    if await was_done(tx, call, goal.id, EVENT_OF[move.to], move.data(has_criteria=bool(goal.criteria))):
        return goal
    call.require_fresh(goal)
    await require_lease(tx, call, goal)
    check_transition(goal, move.to)
    _require_completable(call, goal, move)
    if move.to is GoalStatus.ACTIVE:
        require_budget_left(goal.usage, goal.budget)
        await require_free_scope(tx, call, goal.scope)
    raise Raced("the goal changed while the move was being refused")


def _require_completable(call: Call, goal: Goal, move: Move) -> None:
    if move.is_refused_with_criteria and goal.criteria:
        raise NotAllowed(why_not(call.actor, Action.ACCEPT) or "its criteria must pass first")


async def complete(tx: Transaction, call: Call, goal_id: str, *, note: str | None) -> Goal:
    """The goal is completed; a paused one was resumed and completed in one step.

    The scope's active goal, if another, is left alone.
    """
    move = plan_move(call, GoalStatus.COMPLETED, None, note)
    goal = await lock(tx, goal_id)
    if goal.status is GoalStatus.PAUSED:
        data = move.data(has_criteria=bool(goal.criteria))
        if await was_done(tx, call, goal.id, EventKind.COMPLETED, data):
            return goal
        call.require_fresh(goal)
        await require_lease(tx, call, goal)
        _require_completable(call, goal, move)
        # Two events, as the table has no move from paused to completed (ADR 4); nobody sees the goal between them.
        await rewrite(tx, call, goal, EventKind.RESUMED, {}, with_key=False)
        ended: dict[str, Value] = {"status": move.to.value, "reason": str(data["reason"]), "note": move.note}
        return await rewrite(tx, call, goal, EventKind.COMPLETED, data, ended)
    return await transition(tx, call, goal_id, to=GoalStatus.COMPLETED, reason=None, note=note)


async def pause_for(tx: Transaction, call: Call, goal: Goal, data: dict[str, object]) -> Goal:
    """The locked goal is paused for the reason in the event's data, beside what the call is about."""
    paused: dict[str, Value] = {"status": GoalStatus.PAUSED.value, "reason": str(data["reason"])}
    paused["note"] = None if "note" not in data else str(data["note"])
    return await rewrite(tx, call, goal, EventKind.PAUSED, data, paused, with_key=False)


async def edit(
    tx: Transaction,
    call: Call,
    goal_id: str,
    *,
    text: str | None,
    criteria: Sequence[Criterion] | None,
    max_chars: int,
) -> Goal:
    """The unfinished goal has the given text and criteria; what is None stays."""
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
    goal, is_done = await lock_for(tx, call, goal_id, EventKind.EDITED, data)
    if is_done:
        return goal
    _require_unfinished(goal)
    return await rewrite(tx, call, goal, EventKind.EDITED, data, columns)


def _require_unfinished(goal: Goal) -> None:
    if goal.is_finished:
        raise NotAllowed(f"the goal is {goal.status}; its definition no longer changes")


async def set_budget(tx: Transaction, call: Call, goal_id: str, *, budget: Budget) -> Goal:
    """The unfinished goal has exactly this budget; an active one that has already used it up is paused."""
    call.authorize(Action.SET_BUDGET)
    data = _budget_data(budget)
    goal, is_done = await lock_for(tx, call, goal_id, EventKind.BUDGET_SET, data)
    if is_done:
        return goal
    _require_unfinished(goal)
    goal = await rewrite(tx, call, goal, EventKind.BUDGET_SET, data, dict(budget_columns(budget)))
    if goal.status is not GoalStatus.ACTIVE or exhausted_limit(goal.usage, goal.budget) is None:
        return goal
    by_system = Call(call.at, Actor.SYSTEM, call.key)
    return await pause_for(tx, by_system, goal, {"reason": Reason.BUDGET.value})


def _budget_data(budget: Budget) -> dict[str, object]:
    if not isinstance(budget, Budget):
        raise InvalidInput("the budget must be a Budget")
    return {"budget": budget.as_dict()}


async def resume_with_budget(tx: Transaction, call: Call, goal_id: str, *, budget: Budget, note: str | None) -> Goal:
    """The goal has exactly this budget and is active; its scope's former active goal is paused as superseded."""
    call.authorize(Action.SET_BUDGET)
    move = plan_move(call, GoalStatus.ACTIVE, None, note)
    data = _budget_data(budget)
    goal, is_done = await lock_for(tx, call, goal_id, EventKind.RESUMED, move.data(has_criteria=False))
    if is_done:
        return goal
    check_transition(goal, GoalStatus.ACTIVE)
    goal = await rewrite(tx, call, goal, EventKind.BUDGET_SET, data, dict(budget_columns(budget)), with_key=False)
    seen = replace(call, expected_revision=goal.revision)
    return await transition(tx, seen, goal_id, to=GoalStatus.ACTIVE, reason=None, note=note)

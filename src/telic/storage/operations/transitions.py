"""Moves of the state machine."""

from dataclasses import dataclass

from telic.domain.budget import budget_columns
from telic.domain.criteria import criteria_to_json
from telic.domain.errors import InvalidInput, NotAllowed
from telic.domain.events import EventKind
from telic.domain.goal import (
    Goal,
    GoalStatus,
    Reason,
    Wake,
)
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
from telic.domain.limits import check_note
from telic.storage.operations.call import Call, require_free_scope, require_lease, was_done
from telic.storage.operations.goals import found, get, superseded_data
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
        """What the move's event holds."""
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
    """The move, known to be one that this actor may ask for.

    Raises:
        NotAllowed: it may not.
        InvalidInput: the status, reason, note or wake cannot be one.
    """
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
    """The goal has the wanted status; a resumed one has pushed out its scope's active goal.

    Raises:
        GoalNotFound, InvalidTransition, StaleUpdate, NotAllowed, BudgetExceeded, KeyConflict: nothing changed.
    """
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
    """The goal is completed; a paused one was resumed and completed in one step that nobody saw between.

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
        await rewrite(tx, call, goal, EventKind.RESUMED, {}, with_key=False)
        ended: dict[str, Value] = {"status": move.to.value, "reason": str(data["reason"]), "note": move.note}
        return await rewrite(tx, call, goal, EventKind.COMPLETED, data, ended)
    return await transition(tx, call, goal_id, to=GoalStatus.COMPLETED, reason=None, note=note)


async def lock(tx: Transaction, goal_id: str) -> Goal:
    """The goal, which nobody else changes until this transaction ends.

    Raises:
        GoalNotFound: there is none with this id.
    """
    row = await tx.one_or_none("goals.lock", {"id": check_id(goal_id)})
    return found(row, goal_id)


async def rewrite(
    tx: Transaction,
    call: Call,
    goal: Goal,
    kind: EventKind,
    data: dict[str, object],
    columns: dict[str, Value] | None = None,
    *,
    with_key: bool = True,
) -> Goal:
    """The locked goal has the given columns and the next revision, and its history says so.

    Of several rewrites in one call only the last carries the call's key, which a goal's history holds once.
    """
    changed: dict[str, Value] = {
        "text": goal.text,
        "criteria": criteria_to_json(goal.criteria),
        **budget_columns(goal.budget),
        "status": goal.status.value,
        "reason": goal.reason and goal.reason.value,
        "note": goal.note,
    } | (columns or {})
    stored: dict[str, Value] = changed | {
        "id": goal.id,
        "at": call.at,
        "actor": call.actor.value,
        "key": call.key if with_key else None,
        "kind": kind.value,
        "data": call.data(data),
        "ends": int(changed["status"] in TERMINAL),
    }
    row = await tx.one_or_none("goals.redefine", stored)
    assert row is not None
    await tx.one_or_none("events.append", {name: stored[name] for name in ("id", "kind", "actor", "key", "data")})
    return goal_from_row(row)

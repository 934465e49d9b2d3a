"""Rows to values: the only module that knows the order of columns. A row it cannot understand is an error."""

import json
from collections.abc import Callable
from dataclasses import dataclass, fields, make_dataclass
from operator import attrgetter
from typing import Any, Final

from telic.domain.budget import TURN_COUNTERS, BillingPolicy, TurnUsage, UsageKind, UsageTakenBack
from telic.domain.criteria import Criterion, criteria_from_data
from telic.domain.errors import GoalError, StoreCorrupt
from telic.domain.events import Event, EventKind, Turn
from telic.domain.goal import Actor, Goal, GoalStatus, Reason
from telic.domain.lease import RESERVED, Hold, HoldState, Lease, LeaseState, Reservation
from telic.domain.lifecycle import REASONS, TERMINAL
from telic.domain.limits import check_instant
from telic.storage.transaction import Row

# Building a frozen dataclass calls object.__setattr__ for each field, which costs more than the query. A twin
# without the guard, with the same slots, is built and then becomes the real class.
_Unguarded: Final[Any] = make_dataclass("_Unguarded", [item.name for item in fields(Goal)], slots=True)

_GOAL_WIDTH: Final = len(fields(Goal))
_STATES: Final[dict[tuple[object, object], tuple[GoalStatus, Reason | None, bool]]] = {
    (status.value, reason and reason.value): (status, reason, status in TERMINAL)
    for status, reasons in REASONS.items()
    for reason in (reasons or (None,))
}
_POLICIES: Final = {policy.value: policy for policy in BillingPolicy}
_NO_CRITERIA: Final[tuple[Criterion, ...]] = ()
_COUNTS: Final = attrgetter(*TURN_COUNTERS)
_AMOUNTS: Final = attrgetter(*RESERVED)
_FLAGS: Final = {0: False, 1: True}
_HOLD_STATES: Final = {state.value: state for state in HoldState}


@dataclass(frozen=True, slots=True)
class GoalRecord:
    """A goal with the heads of its chains: all that its row says, which its history must explain."""

    goal: Goal
    creation_key: str
    event_count: int
    event_hash: str
    ledger_count: int
    turn_hash: str


def goal_from_row(row: Row) -> Goal:
    """Return the goal whose columns make up the row.

    Like every reader here, raise StoreCorrupt for a row that Telic cannot have written, and name it.
    """
    try:
        goal: Any = _Unguarded(*row)
        goal.status, goal.reason, is_finished = _STATES[goal.status, goal.reason]
        if (goal.ended_at is not None) is not is_finished:
            raise ValueError("ended_at does not fit the status")
        # One shift finds any number that is negative or above 2**53 - 1, and refuses what is no integer.
        if (
            goal.revision | goal.turns_used | goal.tokens_used | goal.input_tokens_used
            | goal.cached_input_tokens_used | goal.output_tokens_used | goal.reasoning_tokens_used
            | goal.active_microseconds_used | goal.cost_microunits_used | goal.created_at | goal.updated_at
            | goal.estimated_lines
            | (1 if goal.token_budget is None else goal.token_budget)
            | (1 if goal.turn_budget is None else goal.turn_budget)
            | (1 if goal.active_microseconds_budget is None else goal.active_microseconds_budget)
            | (1 if goal.cost_microunits_budget is None else goal.cost_microunits_budget)
        ) >> 53 or goal.revision == 0:  # fmt: skip
            raise ValueError("a number is out of its range")
        if 0 in (goal.token_budget, goal.turn_budget, goal.active_microseconds_budget, goal.cost_microunits_budget):
            raise ValueError("a budget is 0")
        goal.billing = _POLICIES[goal.billing]
        if goal.wake_at is not None or goal.wake_signal is not None:
            check_instant("wake_at", goal.wake_at)
            if goal.status is not GoalStatus.PAUSED:
                raise ValueError("only a paused goal can wait")
        goal.criteria = _NO_CRITERIA if goal.criteria == "[]" else criteria_from_data(json.loads(goal.criteria))
    except (KeyError, TypeError, ValueError, GoalError) as error:
        raise _malformed("goal", row, error) from error
    # The row's values were checked and replaced in place, in an object of the same slots that may still be changed.
    # Swapping its class makes it the immutable Goal at no cost; a second object would double the price of a read.
    goal.__class__ = Goal
    known: Goal = goal
    return known


def turn_from_row(row: Row, asked: TurnUsage | None = None) -> Turn:
    """Return the turn whose columns make up the row; usage equal to what was asked for needs no second check."""
    try:
        goal_id, number, key, at, *counts, digest, kind, model, is_estimate, takes_back = row
        usage = asked
        if usage is None or tuple(counts) != _COUNTS(usage):
            form = TurnUsage if takes_back is None else UsageTakenBack
            usage = form(**dict(zip(TURN_COUNTERS, counts, strict=True)))
        return Turn(goal_id, number, key, at, usage, digest, UsageKind(kind), model, _FLAGS[is_estimate], takes_back)
    except (KeyError, TypeError, ValueError, GoalError) as error:
        raise _malformed("turn", row, error) from error


def goal_and_turn_from_row(row: Row, billed: Callable[[BillingPolicy], TurnUsage]) -> tuple[Goal, Turn]:
    """Return the goal and, after it in the row, the turn; `billed` gives what was asked for under the goal's policy."""
    goal = goal_from_row(row[:_GOAL_WIDTH])
    # Last in the row is whether the goal has expired holds that are to be counted.
    return goal, turn_from_row(row[_GOAL_WIDTH:-1], billed(goal.billing))


def event_from_row(row: Row) -> Event:
    """Return the event whose columns make up the row."""
    try:
        goal_id, number, revision, kind, actor, at, key, text, digest = row
        data = json.loads(text)
        if not isinstance(data, dict):
            raise TypeError("an event's data must be a JSON object")
        return Event(goal_id, number, revision, EventKind(kind), Actor(actor), at, key, data, digest)
    except (TypeError, ValueError) as error:
        raise _malformed("event", row, error) from error


def record_from_row(row: Row) -> GoalRecord:
    """Return the goal with its chain heads."""
    return GoalRecord(goal_from_row(row[:_GOAL_WIDTH]), *row[_GOAL_WIDTH:])


def hold_from_row(row: Row, asked: Reservation | None = None) -> Hold:
    """Return the hold whose columns make up the row; amounts equal to those asked for need no second check."""
    try:
        goal_id, key, *amounts, placed_at, expires_at, turn_key, frees_on_expiry, state = row
        reserved = asked
        if reserved is None or tuple(amounts) != _AMOUNTS(reserved):
            reserved = Reservation(**dict(zip(RESERVED, amounts, strict=True)))
        is_freed = _FLAGS[frees_on_expiry]
        return Hold(goal_id, key, reserved, placed_at, expires_at, _HOLD_STATES[state], turn_key, is_freed)
    except (KeyError, TypeError, ValueError, GoalError) as error:
        raise _malformed("hold", row, error) from error


def lease_from_row(row: Row) -> Lease:
    """Return the lease that was just granted or renewed."""
    return Lease(goal_from_row(row[:_GOAL_WIDTH]), *row[_GOAL_WIDTH:])


def lease_state_from_row(row: Row) -> LeaseState:
    """Return which worker may drive the goal now, and for how long."""
    worker, token, expires_in = row[_GOAL_WIDTH:]
    left = max(0, expires_in)
    # A lease that was released with a pause has no worker, and its end is the end of the pause.
    held, pause = (0, left) if worker is None else (left, 0)
    return LeaseState(goal_from_row(row[:_GOAL_WIDTH]), worker if held else None, token, held, pause)


def _malformed(kind: str, row: Row, error: Exception) -> StoreCorrupt:
    place = f"{kind} {row[0]!a}" if kind == "goal" else f"{kind} {row[1]!a} of goal {row[0]!a}"
    return StoreCorrupt(f"{place} cannot be understood: {type(error).__name__}: {error!s:.200}")

"""The state machine: which moves exist, what they are called, and which reasons go with which status."""

from typing import Final

from telic.domain.errors import InvalidInput, InvalidTransition
from telic.domain.events import EventKind
from telic.domain.goal import Goal, GoalStatus, Reason
from telic.domain.limits import check_choice

TRANSITIONS: Final = {
    GoalStatus.ACTIVE: frozenset({GoalStatus.PAUSED, GoalStatus.COMPLETED, GoalStatus.CLEARED}),
    GoalStatus.PAUSED: frozenset({GoalStatus.ACTIVE, GoalStatus.CLEARED}),
    GoalStatus.COMPLETED: frozenset[GoalStatus](),
    GoalStatus.CLEARED: frozenset[GoalStatus](),
}

REASONS: Final = {
    GoalStatus.ACTIVE: frozenset[Reason](),
    GoalStatus.PAUSED: frozenset(
        {
            Reason.USER,
            Reason.SUPERSEDED,
            Reason.BUDGET,
            Reason.USAGE_LIMIT,
            Reason.WAITING,
            Reason.BLOCKED,
            Reason.STALLED,
            Reason.FAILED,
        }
    ),
    GoalStatus.COMPLETED: frozenset({Reason.VERIFIED, Reason.ACCEPTED, Reason.ASSERTED}),
    GoalStatus.CLEARED: frozenset({Reason.DISMISSED, Reason.GIVEN_UP}),
}

WAITS: Final = frozenset({Reason.WAITING, Reason.USAGE_LIMIT})
"""The reasons of a paused goal that may wake by itself."""

TERMINAL: Final = frozenset(status for status, targets in TRANSITIONS.items() if not targets)

EVENT_OF: Final = {
    GoalStatus.ACTIVE: EventKind.RESUMED,
    GoalStatus.PAUSED: EventKind.PAUSED,
    GoalStatus.COMPLETED: EventKind.COMPLETED,
    GoalStatus.CLEARED: EventKind.CLEARED,
}

STATUS_OF: Final = {EventKind.CREATED: GoalStatus.ACTIVE} | {kind: status for status, kind in EVENT_OF.items()}
"""The kinds of events that set a goal's status, and which."""

REMARKS: Final = frozenset({EventKind.CHECKED, EventKind.APPROVED, EventKind.REJECTED})
"""Events that change neither definition nor status, and so do not raise the goal's revision."""


def sources(to: GoalStatus) -> tuple[GoalStatus, GoalStatus]:
    """The one or two statuses from which a goal may become `to`; one alone is given twice."""
    found = [status for status, targets in TRANSITIONS.items() if to in targets]
    return found[0], found[-1]


def check_transition(goal: Goal, to: GoalStatus) -> None:
    """Nothing happens for a move that exists.

    A paused goal that would wake by itself may be paused once more: stopping it must not wait for its waking.

    Raises:
        InvalidTransition: the state machine has no such move.
    """
    stops_waiting = goal.is_waiting and to is GoalStatus.PAUSED
    if to not in TRANSITIONS[goal.status] and not stops_waiting:
        raise InvalidTransition(goal.status, to)


def check_status(value: str) -> GoalStatus:
    """The value as a status.

    Raises:
        InvalidInput: there is no such status.
    """
    return check_choice(GoalStatus, "the status", value)


def check_reason(status: GoalStatus, reason: Reason | str | None) -> Reason | None:
    """The reason, also from its name, one that goes with the status; an active goal takes none.

    Raises:
        InvalidInput: it does not.
    """
    if reason is None and status is GoalStatus.ACTIVE:
        return None
    if not isinstance(reason, str) or reason not in REASONS[status]:
        known = ", ".join(sorted(REASONS[status])) or "none"
        raise InvalidInput(f"a goal that is {status} has one of these reasons: {known}; not {reason!r}")
    return Reason(reason)

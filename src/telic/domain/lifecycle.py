"""The state machine and its authority: which moves exist, with which reasons, and who may make them."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from telic.domain.budget import Budget, Usage, exhausted_limit
from telic.domain.errors import BudgetExceeded, InvalidInput, InvalidTransition, NotAllowed
from telic.domain.events import ACTED_BY, EventKind
from telic.domain.goal import Actor, Goal, GoalStatus, Reason
from telic.domain.limits import check_choice, check_text

MAX_ACTOR_NAME_CHARS: Final = 100

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

REMARKS: Final = frozenset({EventKind.CHECKED, EventKind.APPROVED, EventKind.REJECTED, EventKind.USAGE_CLIPPED})
"""Events that change neither definition nor status, and so do not raise the goal's revision."""


def sources(to: GoalStatus) -> tuple[GoalStatus, GoalStatus]:
    """Return the one or two statuses from which a goal may become `to`; one alone is given twice."""
    found = [status for status, targets in TRANSITIONS.items() if to in targets]
    return found[0], found[-1]


def check_transition(goal: Goal, to: GoalStatus) -> None:
    """Raise InvalidTransition if there is no such move.

    A paused goal that would wake by itself may be paused once more: stopping it must not wait for its waking.
    """
    # A wait would end by itself, so a user's pause is another state, though the status is the same.
    stops_waiting = goal.is_waiting and to is GoalStatus.PAUSED
    if to not in TRANSITIONS[goal.status] and not stops_waiting:
        raise InvalidTransition(goal.status, to)


def check_status(value: str) -> GoalStatus:
    """Return the value as a status; raise InvalidInput if there is no such status."""
    return check_choice(GoalStatus, "the status", value)


def check_reason(status: GoalStatus, reason: Reason | str | None) -> Reason | None:
    """Return the reason, also from its name; raise InvalidInput if it does not go with the status."""
    if reason is None and status is GoalStatus.ACTIVE:
        return None
    if not isinstance(reason, str) or reason not in REASONS[status]:
        known = ", ".join(sorted(REASONS[status])) or "none"
        raise InvalidInput(f"a goal that is {status} has one of these reasons: {known}; not {reason!r}")
    return Reason(reason)


def require_budget_left(usage: Usage, budget: Budget) -> None:
    """Raise BudgetExceeded if a limit is reached."""
    name = exhausted_limit(usage, budget)
    if name is not None:
        raise BudgetExceeded(name, getattr(usage, name), getattr(budget, name))


class Action(StrEnum):
    """The things that an actor can ask of a store."""

    CREATE = "create"
    PAUSE = "pause"
    BLOCK = "report blocked"
    RESUME = "resume"
    COMPLETE = "complete"
    ACCEPT = "accept without verification"
    VERIFY = "verify"
    CLEAR = "clear"
    EDIT = "edit"
    SET_BUDGET = "set a budget"
    RECORD_TURN = "record a turn"
    WAKE = "wake"
    HOLD = "hold budget"
    APPROVE = "approve or reject"


@dataclass(frozen=True, slots=True)
class NamedActor:
    """An actor with a name, and the door by which the call came, such as `dashboard`; either may be unknown.

    Where a call takes an actor it takes this too. The event keeps both, so a history says who did what, and where.

    Raises:
        InvalidInput: a name is empty, has over 100 characters, or holds what cannot be kept.
    """

    actor: Actor
    name: str | None = None
    door: str | None = None

    def __post_init__(self) -> None:
        for what, text in (("actor's name", self.name), ("door's name", self.door)):
            if text is not None and not check_text(f"the {what}", text, MAX_ACTOR_NAME_CHARS).strip():
                raise InvalidInput(f"the {what} is empty")

    def as_data(self) -> dict[str, object]:
        """Return what the event of a call by this actor says of it."""
        known = {"name": self.name, "door": self.door}
        said = {name: value for name, value in known.items() if value is not None}
        return {ACTED_BY: said} if said else {}


_HUMAN: Final = frozenset(Action) - {Action.VERIFY}
_ALLOWED: Final = {
    Actor.USER: _HUMAN,
    Actor.OPERATOR: _HUMAN,
    Actor.HOST: _HUMAN - {Action.ACCEPT, Action.APPROVE},
    Actor.MODEL: frozenset({Action.COMPLETE, Action.BLOCK}),
    Actor.VERIFIER: frozenset({Action.COMPLETE, Action.VERIFY}),
    Actor.SYSTEM: frozenset({Action.PAUSE, Action.BLOCK, Action.RESUME, Action.RECORD_TURN, Action.WAKE, Action.HOLD}),
}
_WHY_NOT: Final = {
    Action.ACCEPT: "its criteria must pass first, or a user or operator must accept it",
    Action.CREATE: "the host must allow it, or create the goal itself",
    Action.VERIFY: "only the verifier says that criteria passed",
    Action.APPROVE: "only a user or an operator may",
}
# A model or verifier decides by what it has seen: its write must not hit a goal that was changed since.
GUARDED: Final = frozenset({Actor.MODEL, Actor.VERIFIER})
"""Actors whose every write must carry the revision they have seen."""


def why_not(actor: Actor, action: Action) -> str | None:
    """Return the reason why the actor may not do this, or None if it may."""
    if action in _ALLOWED[actor]:
        return None
    return f"the {actor} may not {action}: {_WHY_NOT.get(action, 'only a user, an operator or the host may')}"


def authorize(actor: Actor, action: Action, *, is_guarded: bool) -> None:
    """Raise NotAllowed if the actor may not do this, or may only with the expected revision."""
    check_choice(Actor, "the actor", actor)
    refusal = why_not(actor, action)
    if refusal is None and actor in GUARDED and not is_guarded:
        refusal = f"the {actor} may {action} only at the revision that it has seen (expected_revision)"
    if refusal is not None:
        raise NotAllowed(refusal)


def completion_reasons(actor: Actor) -> tuple[Reason, Reason | None]:
    """Return why a goal counts as completed by this actor: without criteria, and with criteria (None: it may not).

    With criteria a verifier completes a goal by its verdicts alone.
    """
    return Reason.ASSERTED, Reason.ACCEPTED if why_not(actor, Action.ACCEPT) is None else None

"""Who may do what: one table, (actor, action) → allowed, or why not."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from telic.domain.errors import InvalidInput, NotAllowed
from telic.domain.events import ACTED_BY
from telic.domain.goal import Actor, Reason
from telic.domain.limits import check_choice, check_text

MAX_ACTOR_NAME_CHARS: Final = 100


class Action(StrEnum):
    """What an actor can ask of a store."""

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
GUARDED: Final = frozenset({Actor.MODEL, Actor.VERIFIER})
"""Actors whose every write must carry the revision they have seen."""


def why_not(actor: Actor, action: Action) -> str | None:
    """Why the actor may not do this, or None where it may."""
    if action in _ALLOWED[actor]:
        return None
    return f"the {actor} may not {action}: {_WHY_NOT.get(action, 'only a user, an operator or the host may')}"


def authorize(actor: Actor, action: Action, *, is_guarded: bool) -> None:
    """Nothing happens where the actor may do this.

    Raises:
        NotAllowed: it may not, or may only with the expected revision.
        InvalidInput: there is no such actor.
    """
    check_choice(Actor, "the actor", actor)
    refusal = why_not(actor, action)
    if refusal is None and actor in GUARDED and not is_guarded:
        refusal = f"the {actor} may {action} only at the revision that it has seen (expected_revision)"
    if refusal is not None:
        raise NotAllowed(refusal)


def completion_reasons(actor: Actor) -> tuple[Reason, Reason | None]:
    """Why a goal counts as completed by this actor: without criteria, and with criteria (None: it may not).

    With criteria a verifier completes a goal by its verdicts alone.
    """
    return Reason.ASSERTED, Reason.ACCEPTED if why_not(actor, Action.ACCEPT) is None else None

"""What the user of a session reads of a goal: one line each, in which others' words are quoted."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from telic.domain.claim import Claim
from telic.domain.decision import Step
from telic.domain.goal import Goal, GoalStatus, Reason
from telic.domain.verification import Verification
from telic.prompt import quote
from telic.wording.words import first_words

_NOTE_CHARS: Final = 300
_TITLE_CHARS: Final = 80
_HOW_TO_GO_ON: Final[Mapping[Reason, str]] = MappingProxyType(
    {
        Reason.BUDGET: "telic resume {id} --budget AMOUNT goes on with a larger one.",
        Reason.WAITING: "It goes on here when its time has come; telic wake {id} goes on at once.",
        Reason.SUPERSEDED: "Another goal has its place; telic resume {id} gives it back.",
    }
)


def standing(goal: Goal) -> str:
    """Return how the goal stands, why, and how it can be gone on with."""
    why = f": {goal.reason}" if goal.reason else ""
    note = f": {quote(first_words(goal.note, _NOTE_CHARS))}" if goal.note else ""
    said = f"Telic: goal {goal.id} is {goal.status}{why}{note}."
    if goal.status is not GoalStatus.PAUSED:
        return said
    how = _HOW_TO_GO_ON.get(goal.reason or Reason.USER, "telic resume {id} goes on with it.")
    return f"{said} {how.format(id=goal.id)}"


def what_is_missing(goal: Goal, step: Step, found: Verification | None) -> str:
    """Return why the turn goes on, in a few words."""
    if step is Step.WIND_DOWN:
        return "the budget is nearly used up"
    if found is None or not found.feedback:
        return f"goal {goal.id} is not reached yet"
    first, more = found.feedback[0], len(found.feedback) - 1
    title = quote(first_words(goal.criteria[first.index].title, _TITLE_CHARS))
    why = f" ({quote(first_words(first.detail, _TITLE_CHARS))})" if first.detail else ""
    return f"criterion {first.index + 1} failed: {title}{why}" + (f", and {more} more" if more else "")


def lost_claim(claim: str) -> str:
    """Return what the user hears of a claim that came to nothing, since the store could not be reached."""
    said = f"the model's last claim, {claim}, came to nothing, since the store could not be reached"
    return f"Telic: {said}; ask the model to say again where the goal stands."


def claim_in_words(claim: Claim) -> str:
    """Return the claim as its line says it."""
    return f"TELIC: {'wait' if claim is Claim.WAITING else claim.value}"


def left_behind(goal: Goal, session: str) -> str:
    """Return what the user hears of a goal that another session of this conversation works on."""
    text = quote(first_words(goal.text, _TITLE_CHARS))
    said = f"Telic: goal {goal.id}, {text}, belongs to this conversation's former session, {first_words(session)}"
    return f"{said}. To go on with it here, type: {TAKE_UP}"


TAKE_UP: Final = "telic take up"
"""The prompt by which a session takes up the goal that it was told of."""

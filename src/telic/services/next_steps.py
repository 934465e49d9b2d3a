"""The next step after an error, for each kind of reader, and what became of the request: read from the one table."""

from enum import StrEnum

from telic.domain.errors import GoalError, OutcomeUnknown, StoreError
from telic.domain.ids import short_ids
from telic.prompt import quote
from telic.services.outcomes import outcome_of


class Effect(StrEnum):
    """What became of a request that ended in an error."""

    REFUSED = "refused"
    """Nothing was done: as it stands it cannot be."""
    FAILED = "failed"
    """Nothing was done: the store failed."""
    UNKNOWN = "unknown"
    """Nobody knows: the store failed in between."""


def effect_of(error: GoalError) -> Effect:
    """Return what became of the request that ended in this error."""
    if isinstance(error, OutcomeUnknown):
        return Effect.UNKNOWN
    return Effect.FAILED if isinstance(error, StoreError) else Effect.REFUSED


def about(advice: str, goal_id: str | None) -> str:
    """Return the advice with the goal's short id, ready to be pasted.

    Where the goal is not known the id is left out: commands then mean the scope's active goal, or its latest.
    """
    return advice.replace(" {id}", f" {short_ids([goal_id])[0]}" if goal_id else "")


def next_in_chat(error: GoalError, goal_id: str | None = None) -> str:
    """Return what a person in a chat can do about the error."""
    return about(outcome_of(error).next_in_chat, goal_id)


def next_on_screen(error: GoalError) -> str:
    """Return what can be done about the error where no command is typed: on a page, on a screen, over HTTP."""
    parts = outcome_of(error).next_in_chat.split("; ")
    return "; ".join(part for part in parts if "/goal" not in part)


def next_for_model(error: GoalError) -> str:
    """Return what a model can do about the error."""
    if isinstance(error, OutcomeUnknown):
        key = quote(error.key or "")
        return f"it may or may not have been done; repeat the call with the key {key}: it happens once"
    outcome = outcome_of(error)
    # What only a person can mend is said to the person.
    return outcome.next_for_model or f"tell the user: {outcome.next_in_chat}"

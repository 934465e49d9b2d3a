"""A contract for what surfaces say of errors: each means on every surface what its row in the one table says."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

from telic.domain import errors
from telic.domain.errors import GoalError
from telic.domain.goal import Goal, GoalStatus
from telic.errors import MissingExtra
from telic.services.outcomes import OUTCOMES
from telic.testing.surfaces.actions import Answer

ERROR_CODES: Final = tuple(OUTCOMES)
"""The codes of all errors."""


@dataclass(frozen=True, slots=True)
class Explaining:
    """How a surface tells of an error.

    `explain` takes a store's location and an error, and gives what the surface answers to a request that ends in it.
    `status` names the column of the table that the surface's status is of, if it has one. `next_step` gives the advice
    that its reader must find, or is None where the surface finds some that fits its command. `leaves_out` names codes
    that it never tells of.
    """

    explain: Callable[[str, GoalError], Awaitable[Answer]]
    status: str | None = None
    next_step: Callable[[GoalError], str] | None = None
    leaves_out: frozenset[str] = frozenset()


def error_of(code: str, goal: Goal) -> GoalError:
    """Return an error of this code, which is about the goal if it is about any."""
    made: dict[str, GoalError] = {
        "ambiguous_id": errors.AmbiguousId("019a0000"),
        "budget_exceeded": errors.BudgetExceeded("tokens", 120, 100),
        "goal_not_found": errors.GoalNotFound("019a0000"),
        "invalid_transition": errors.InvalidTransition(GoalStatus.COMPLETED, GoalStatus.ACTIVE),
        "key_conflict": errors.KeyConflict("once"),
        "lease_held": errors.LeaseHeld(goal.id, "worker-7", 1),
        "missing_extra": MissingExtra("this", "pricing"),
        "outcome_unknown": errors.OutcomeUnknown("once"),
        "price_unknown": errors.PriceUnknown("gpt", has_table=False),
        "stale_update": errors.StaleUpdate(goal, goal.revision + 1),
        "text_too_long": errors.TextTooLong("the text", 10),
        "turn_conflict": errors.TurnConflict("once"),
        "would_replace": errors.WouldReplace(goal, None),
    }
    kinds = {
        kind.code: kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, GoalError)
    }
    return made[code] if code in made else kinds[code]("it went wrong")


async def wrong_meaning(explaining: Explaining, location: str, error: GoalError) -> list[str]:
    """Return a line for each thing that the surface says of the error otherwise than its row does."""
    answer, outcome = await explaining.explain(location, error), OUTCOMES[error.code]
    faults = ["answer: done, to an error"] if answer.is_done else []
    if explaining.status is not None and answer.status != getattr(outcome, explaining.status):
        faults.append(f"status: {answer.status} instead of {getattr(outcome, explaining.status)}")
    if answer.code not in (None, error.code):
        faults.append(f"code: {answer.code} instead of {error.code}")
    if explaining.next_step is None and not answer.advice:
        faults.append(f"advice: none instead of {outcome.next_in_shell}")
    wanted = explaining.next_step(error) if explaining.next_step else ""
    if explaining.next_step is not None and (not wanted or wanted.casefold() not in answer.advice.casefold()):
        faults.append(f"advice: {answer.advice} instead of {wanted}")
    return faults

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
    made = (
        errors.AmbiguousId("019a0000"),
        errors.BudgetExceeded("tokens", 120, 100),
        errors.GoalNotFound("019a0000"),
        errors.InvalidTransition(GoalStatus.COMPLETED, GoalStatus.ACTIVE),
        errors.KeyConflict("once"),
        errors.LeaseHeld(goal.id, "worker-7", 1),
        MissingExtra("this", "pricing"),
        errors.OutcomeUnknown("once"),
        errors.PriceUnknown("gpt", has_table=False),
        errors.StaleUpdate(goal, goal.revision + 1),
        errors.TextTooLong("the text", 10),
        errors.TurnConflict("once"),
        errors.WouldReplace(goal, None),
    )
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, GoalError)]
    plain = (kind("it went wrong") for kind in kinds if kind not in set(map(type, made)) and kind is not GoalError)
    return {error.code: error for error in (*made, *plain)}[code]


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

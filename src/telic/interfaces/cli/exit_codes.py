"""How a run of a goal ended: one table from where the goal then stands to an exit code and a next step."""

from typing import Final

from telic.domain.claim import approval_signal
from telic.domain.goal import Goal, Reason

EXIT_HELD: Final = 29
EXIT_LOST: Final = 30

EXIT_STILL_ACTIVE: Final = 31

_STILL_ACTIVE: Final[tuple[int, str | None]] = (EXIT_STILL_ACTIVE, "nothing drives it now; telic run {id} goes on")

_FOR_A_PERSON: Final = "telic approve {id} answers it, or telic reject {id}; telic run {id} goes on then"

ENDINGS: Final[dict[Reason, tuple[int, str | None]]] = {
    Reason.VERIFIED: (0, None),
    Reason.ACCEPTED: (0, None),
    Reason.ASSERTED: (0, None),
    Reason.USER: (20, "telic run {id} goes on"),
    Reason.SUPERSEDED: (21, "another goal has the scope's slot; telic run {id} --replace takes it back"),
    Reason.BUDGET: (22, "telic run {id} --budget AMOUNT raises the budget and goes on"),
    Reason.USAGE_LIMIT: (23, "the provider gives no more for now; telic run {id} goes on"),
    Reason.WAITING: (24, "telic show {id} tells what it waits for; telic run {id} waits for it and goes on"),
    Reason.BLOCKED: (25, "do what it needs, then telic run {id} goes on"),
    Reason.STALLED: (26, "telic events {id} tells what was tried; telic run {id} tries again"),
    Reason.FAILED: (27, "mend what the note says, then telic run {id} goes on"),
    Reason.DISMISSED: (28, None),
    Reason.GIVEN_UP: (28, None),
}
"""What each reason means to a shell; `{id}` in a next step is the goal's."""


def ending(goal: Goal) -> tuple[int, str | None]:
    """The exit code and the next step for a goal that nobody drives any more."""
    code, hint = _STILL_ACTIVE if goal.reason is None else ENDINGS[goal.reason]
    if goal.reason is Reason.WAITING and goal.wake_signal == approval_signal(goal.id):
        hint = _FOR_A_PERSON
    return code, None if hint is None else hint.format(id=goal.id)

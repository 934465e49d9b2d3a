"""Goals in the signs and colours of the screens, around the words of all surfaces."""

from typing import Final

from telic.domain.errors import BudgetExceeded, GoalError, StaleUpdate
from telic.domain.goal import Goal, GoalStatus
from telic.domain.overview import BudgetUse
from telic.wording.amounts import LIMIT_NAMES, show_percent
from telic.wording.goals import status_of, used_of
from telic.wording.words import spoken

SIGNS: Final = {
    GoalStatus.ACTIVE: "▶",
    GoalStatus.PAUSED: "‖",
    GoalStatus.COMPLETED: "✓",
    GoalStatus.CLEARED: "✗",
}
COLOURS: Final = {
    GoalStatus.ACTIVE: "success",
    GoalStatus.PAUSED: "warning",
    GoalStatus.COMPLETED: "primary",
    GoalStatus.CLEARED: "error",
}
"""A theme's variables: each theme, light or dark, has its own."""

_FULL: Final = "█"
_EMPTY: Final = "░"


def standing(goal: Goal) -> str:
    """Return the status by its sign and, since a reason belongs to one status only, the reason where there is one."""
    return f"{SIGNS[goal.status]} {spoken(goal.reason or goal.status)}"


def full_standing(goal: Goal) -> str:
    """Return status, reason and revision."""
    return f"{SIGNS[goal.status]} {status_of(goal)}, revision {goal.revision}"


def bar(fraction: float, cells: int) -> str:
    """Return a bar of so many cells, as full as the fraction says."""
    full = max(0, min(cells, int(fraction * cells)))
    return _FULL * full + _EMPTY * (cells - full)


def show_budget_use(goal: Goal, use: BudgetUse) -> str:
    """Return the use of one limit on a line of its own."""
    name, shown = f"{LIMIT_NAMES[use.name]:<12}", used_of(goal, use.name)
    if use.fraction is None:
        return f"{name} {shown}"
    return f"{name} {bar(use.fraction, 20)} {show_percent(use.fraction):>5}  {shown}"


def refusal(error: GoalError) -> str:
    """Return why nothing was done, and what to do now."""
    match error:
        case StaleUpdate():
            now = f"{status_of(error.goal)} at revision {error.goal.revision}"
            return f"nothing was done: somebody changed the goal meanwhile; it is {now}"
        case BudgetExceeded():
            return f"nothing was done: {error}; b sets a larger budget"
        case _:
            return f"not done: {error}"

"""Goals in the words and signs of the screens."""

from collections.abc import Iterator
from dataclasses import asdict
from typing import Final

from telic.domain.errors import BudgetExceeded, GoalError, StaleUpdate
from telic.domain.goal import Goal, GoalStatus
from telic.domain.lease import LeaseState
from telic.domain.report import Reserved
from telic.services.checks import Check
from telic.services.insight import BudgetUse
from telic.wording.amounts import LIMIT_NAMES, show_amount, show_amounts, show_duration
from telic.wording.words import show_time

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
    """The status by its sign and, since a reason belongs to one status only, the reason where there is one."""
    return f"{SIGNS[goal.status]} {goal.reason or goal.status}"


def full_standing(goal: Goal) -> str:
    """Status, reason and revision."""
    reason = f" ({goal.reason})" if goal.reason else ""
    return f"{SIGNS[goal.status]} {goal.status}{reason}, revision {goal.revision}"


def bar(fraction: float, cells: int) -> str:
    """A bar of so many cells, as full as the fraction says."""
    full = max(0, min(cells, int(fraction * cells)))
    return _FULL * full + _EMPTY * (cells - full)


def percent(fraction: float) -> str:
    """The fraction in whole percents, never rounded up; what no line has room for is `>999%`."""
    return f"{int(fraction * 100)}%" if fraction < 10 else ">999%"


def show_budget_use(use: BudgetUse) -> str:
    """The use of one limit on a line of its own."""
    name, used = f"{LIMIT_NAMES[use.name]:<12}", show_amount(use.name, use.used)
    if use.fraction is None:
        return f"{name} {used}"
    assert use.limit is not None
    shown = f"{bar(use.fraction, 20)} {percent(use.fraction):>5}"
    return f"{name} {shown}  {used} of {show_amount(use.name, use.limit)}"


def waking(goal: Goal) -> str:
    """What the goal waits for; empty where it waits for nothing."""
    at = "" if goal.wake_at is None else f"at {show_time(goal.wake_at)}"
    signal = "" if goal.wake_signal is None else f"on the signal {goal.wake_signal}"
    return " or ".join(filter(None, [at, signal]))


def driver(lease: LeaseState) -> str:
    """Who may drive the goal, and for how long."""
    if lease.holder is None:
        rest = lease.due_in_microseconds // 1_000_000
        return f"nobody drives it; its next step is due in {show_duration(rest)}" if rest else "nobody drives it"
    left = show_duration(max(0, lease.expires_in_microseconds) // 1_000_000)
    return f"driven by {lease.holder} for another {left} (token {lease.token})"


def reserved(held: Reserved, uncertain: Reserved) -> Iterator[str]:
    """What holds reserve, in up to two lines."""
    for found, what in ((held, "open"), (uncertain, "expired, and nobody said what their calls consumed")):
        if found.holds:
            noun = "hold" if found.holds == 1 else "holds"
            yield f"{found.holds:,} {noun} {what}: {show_amounts(asdict(found)) or 'turns only'}"


def check_lines(check: Check) -> Iterator[str]:
    """The criterion, how it stands, and the evidence, line by line."""
    yield f"{check.number}. {check.outcome:<9} {check.criterion.kind}: {check.criterion.title}"
    for line in check.evidence:
        yield f"     {line}"


def refusal(error: GoalError) -> str:
    """Why nothing was done, and what to do now."""
    match error:
        case StaleUpdate():
            now = f"{error.goal.status}{f' ({error.goal.reason})' if error.goal.reason else ''}"
            return (
                f"nothing was done: somebody changed the goal meanwhile; it is {now} at revision {error.goal.revision}"
            )
        case BudgetExceeded():
            return f"nothing was done: {error}; b sets a larger budget"
        case _:
            return f"not done: {error}"

"""What is left of a goal's budget, as a model reads it."""

from typing import Final

from telic.domain.budget import LIMITS
from telic.domain.goal import Goal
from telic.domain.money import money_digits

BUDGET_STEPS: Final = 20
"""In how many steps a limit runs down in the block."""

_MILLION: Final = 1_000_000


def left_at_least(goal: Goal) -> dict[str, int]:
    """What is left at least of each limit that is set, in a few steps; active time in seconds, cost in microunits.

    What is used is rounded up to a twentieth of the limit, so that it seldom changes and never promises too much.
    """
    left = {name: limit - _stepwise(used, limit) for name, used, limit in _limits(goal)}
    if "active_microseconds" in left:
        left["active_seconds"] = left.pop("active_microseconds") // _MILLION
    return left


def _stepwise(used: int, limit: int) -> int:
    step = max(1, limit // BUDGET_STEPS)
    return min(limit, -(-used // step) * step)


def left_exactly(goal: Goal) -> str:
    """A sentence on what is left of each limit that is set."""
    left = [
        f"{_show(name, max(0, limit - used))} of {_show(name, limit)} {_UNITS[name]}"
        for name, used, limit in _limits(goal)
    ]
    return f"Budget left: {', '.join(left)}." if left else "No budget is set."


def _limits(goal: Goal) -> list[tuple[str, int, int]]:
    used, limits = goal.usage.as_dict(), goal.budget.as_dict()
    return [(name, used[name], limit) for name in LIMITS if (limit := limits[name]) is not None]


_UNITS: Final = {
    "tokens": "tokens",
    "turns": "turns",
    "active_microseconds": "seconds of active time",
    "cost_microunits": "in money",
}


def _show(name: str, amount: int) -> str:
    if name == "active_microseconds":
        return f"{amount // _MILLION:,}"
    if name == "cost_microunits":
        return money_digits(amount)
    return f"{amount:,}"

"""Usage, the limits on it, and when a limit is reached."""

from dataclasses import dataclass, fields
from typing import Final

from telic.domain.errors import BudgetExceeded, InvalidNumber
from telic.domain.limits import check_counter

LIMITS: Final = ("tokens", "turns", "active_microseconds", "cost_microunits")
"""The budgets, in the order in which an exceeded one is reported."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """Limits on a goal's usage. None is unlimited; a limit is reached when usage equals it.

    Active time is in microseconds, cost in millionths of the currency that the host bills in.

    Raises:
        InvalidNumber: a limit is not an integer from 1 to 2**53 - 1.
    """

    tokens: int | None = None
    turns: int | None = None
    active_microseconds: int | None = None
    cost_microunits: int | None = None

    def __post_init__(self) -> None:
        for name in LIMITS:
            limit = getattr(self, name)
            if limit is not None:
                check_counter(f"the budget of {name}", limit)
                if limit == 0:
                    raise InvalidNumber(f"the budget of {name} must be at least 1; leave it out for no limit")

    def as_dict(self) -> dict[str, int | None]:
        """The four limits by name."""
        return {name: getattr(self, name) for name in LIMITS}


@dataclass(frozen=True, slots=True, kw_only=True)
class TurnUsage:
    """What one turn consumed. `tokens` is what the budget counts; the rest tells where it went.

    Raises:
        InvalidNumber: a count is not an integer from 0 to 2**53 - 1.
    """

    tokens: int = 0
    input_tokens: int = 0
    cached_input_tokens: int = 0
    output_tokens: int = 0
    reasoning_tokens: int = 0
    active_microseconds: int = 0
    cost_microunits: int = 0

    def __post_init__(self) -> None:
        for name in TURN_COUNTERS:
            check_counter(name, getattr(self, name))

    def as_dict(self) -> dict[str, int]:
        """The counts by name."""
        return {name: getattr(self, name) for name in TURN_COUNTERS}


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """What a goal's turns consumed together."""

    turns: int = 0
    tokens: int = 0
    input_tokens: int = 0
    cached_input_tokens: int = 0
    output_tokens: int = 0
    reasoning_tokens: int = 0
    active_microseconds: int = 0
    cost_microunits: int = 0

    def as_dict(self) -> dict[str, int]:
        """The counts by name."""
        return {"turns": self.turns} | {name: getattr(self, name) for name in TURN_COUNTERS}

    def plus(self, turn: TurnUsage) -> "Usage":
        """This usage with one more turn in it.

        Raises:
            InvalidNumber: a counter would pass 2**53 - 1.
        """
        sums = {
            name: check_counter(f"the sum of {name}", getattr(self, name) + count)
            for name, count in turn.as_dict().items()
        }
        return Usage(turns=check_counter("the sum of turns", self.turns + 1), **sums)


TURN_COUNTERS: Final = tuple(field.name for field in fields(TurnUsage))


def budget_columns(budget: Budget) -> dict[str, int | None]:
    """The budget under the names that a goal has for it."""
    return {
        "token_budget": budget.tokens,
        "turn_budget": budget.turns,
        "active_microseconds_budget": budget.active_microseconds,
        "cost_microunits_budget": budget.cost_microunits,
    }


def exhausted_limit(usage: Usage, budget: Budget) -> str | None:
    """The name of the first limit that usage has reached, or None."""
    for name in LIMITS:
        limit = getattr(budget, name)
        if limit is not None and getattr(usage, name) >= limit:
            return name
    return None


def require_budget_left(usage: Usage, budget: Budget) -> None:
    """Nothing happens while every limit has room.

    Raises:
        BudgetExceeded: a limit is reached.
    """
    name = exhausted_limit(usage, budget)
    if name is not None:
        raise BudgetExceeded(name, getattr(usage, name), getattr(budget, name))

"""Usage, the limits on it, and when a limit is reached."""

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Any, ClassVar, Final, TypeAlias, TypeVar

from telic.domain.base_errors import InvalidNumber
from telic.domain.limits import MAX_COUNTER, MAX_TOLD, check_counter, check_told

if TYPE_CHECKING:
    from decimal import Decimal

    Cost: TypeAlias = Decimal | str | int

M = TypeVar("M", int, int | None)

LIMITS: Final = ("tokens", "turns", "active_microseconds", "cost_microunits")
"""The budgets, in the order in which an exceeded one is reported."""

LIMIT_NAMES: Final[dict[str, str]] = dict(zip(LIMITS, ("tokens", "turns", "time", "cost"), strict=True))
"""What people call them."""

_LONGEST_TIME: Final = timedelta(microseconds=MAX_COUNTER)
# The order of the counters is that of a ledger line's canonical text: to change it would break every stored hash.
MODEL_COUNTERS: Final = (
    "input_tokens",
    "cached_input_tokens",
    "output_tokens",
    "reasoning_tokens",
    "active_microseconds",
    "cost_microunits",
)
TURN_COUNTERS: Final = ("tokens", *MODEL_COUNTERS)
USAGE_COUNTERS: Final = ("turns", *TURN_COUNTERS)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Consumption:
    """The amounts that all usage has; `counters` names the counts of a class, in their order."""

    counters: ClassVar[tuple[str, ...]] = MODEL_COUNTERS

    input_tokens: int = 0
    cached_input_tokens: int = 0
    output_tokens: int = 0
    reasoning_tokens: int = 0
    active_microseconds: int = 0
    cost_microunits: int = 0

    @property
    def cost(self) -> "Decimal":
        """The money, in units of the currency that the host bills in."""
        return _money_of(self.cost_microunits)

    @property
    def time(self) -> timedelta:
        """The active time."""
        return timedelta(microseconds=self.active_microseconds)

    def as_dict(self) -> dict[str, int]:
        """Return the counts by name."""
        return {name: getattr(self, name) for name in self.counters}


@dataclass(frozen=True, slots=True, kw_only=True, init=False)
class Budget:
    """Limits on a goal's usage. None is unlimited; a limit is reached when usage equals it.

    `Budget(cost="5.00", time=timedelta(hours=2))` is the same as `Budget(cost_microunits=5_000_000,
    active_microseconds=7_200_000_000)`: limits are kept in whole microseconds of active time, and in whole millionths
    of the currency that the host bills in. A cost is a text, a Decimal or an integer; a float is not exact.

    Raises:
        InvalidNumber: a limit is not from 1 to 2**53 - 1 of what it is kept in, or is given in both ways.
    """

    tokens: int | None = None
    turns: int | None = None
    active_microseconds: int | None = None
    cost_microunits: int | None = None

    def __init__(
        self,
        *,
        tokens: int | None = None,
        turns: int | None = None,
        active_microseconds: int | None = None,
        cost_microunits: int | None = None,
        cost: "Cost | None" = None,
        time: timedelta | None = None,
    ) -> None:
        given = (tokens, turns, microseconds_of(time, active_microseconds), microunits_of(cost, cost_microunits))
        for name, limit in zip(LIMITS, given, strict=True):
            if limit is not None and check_counter(f"the budget of {name}", limit) == 0:
                raise InvalidNumber(f"the budget of {LIMIT_NAMES[name]} must be above 0; leave it out for no limit")
            object.__setattr__(self, name, limit)

    @property
    def cost(self) -> "Decimal | None":
        """The limit on money, in units of the currency that the host bills in."""
        return None if self.cost_microunits is None else _money_of(self.cost_microunits)

    @property
    def time(self) -> timedelta | None:
        """The limit on active time."""
        return None if self.active_microseconds is None else timedelta(microseconds=self.active_microseconds)

    def as_dict(self) -> dict[str, int | None]:
        """Return the four limits by name."""
        return {name: getattr(self, name) for name in LIMITS}


def _money_of(microunits: int) -> "Decimal":
    # Imported here, as in the next function: most programs never ask, and decimals take a tenth of what Telic does.
    from telic.domain.money import money_of

    return money_of(microunits)


def microunits_of(cost: object, microunits: M) -> int | M:
    """Return the cost in microunits, given in either way; raise InvalidNumber if in both, or if it cannot be one."""
    if cost is None:
        return microunits
    if microunits:
        raise InvalidNumber("give cost or cost_microunits, not both")
    from telic.domain.money import microunits_of

    return microunits_of(cost)


def microseconds_of(time: object, microseconds: M) -> int | M:
    """Return the time in microseconds, given in either way; raise InvalidNumber if in both, or if it cannot be one."""
    if time is None:
        return microseconds
    if microseconds:
        raise InvalidNumber("give time or active_microseconds, not both")
    if not isinstance(time, timedelta):
        raise InvalidNumber(f"a time must be a timedelta, not {type(time).__name__}")
    if not timedelta(0) <= time <= _LONGEST_TIME:
        raise InvalidNumber(f"a time must be from 0 to {_LONGEST_TIME.days:,} days, not {time}")
    return time // timedelta(microseconds=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class TurnUsage(_Consumption):
    """The usage of one turn. `tokens` is what the budget counts; the rest shows where it went.

    Raises:
        InvalidNumber: a count is not an integer from 0 to 2**53 - 1.
    """

    counters: ClassVar[tuple[str, ...]] = TURN_COUNTERS

    tokens: int = 0

    def __post_init__(self) -> None:
        for name in TURN_COUNTERS:
            check_counter(name, getattr(self, name))


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageTakenBack(TurnUsage):
    """The usage that a line of the ledger takes back from a line before it: no count is above 0.

    Raises:
        InvalidNumber: a count is not an integer from -(2**53 - 1) to 0.
    """

    def __post_init__(self) -> None:
        for name in TURN_COUNTERS:
            count = getattr(self, name)
            check_counter(name, -count if type(count) is int else count)

    @classmethod
    def of(cls, usage: TurnUsage) -> "UsageTakenBack":
        """Return what takes this usage back."""
        return cls(**{name: -count for name, count in usage.as_dict().items()})


class UsageKind(StrEnum):
    """The consumer of a line of usage. Only `work` is a turn of the agent, and counts against a budget of turns."""

    WORK = "work"
    JUDGE = "judge"
    SUB_AGENT = "sub_agent"
    TOOL = "tool"


class BillingPolicy(StrEnum):
    """Which of a model's tokens count against a goal's budget; chosen when the goal is created."""

    INPUT_AND_OUTPUT = "input_and_output"
    WITHOUT_CACHED = "without_cached"
    OUTPUT = "output"


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelUsage(_Consumption):
    """The usage of a model's responses as it was told, before the goal's policy says how much of it is billed.

    Cached tokens are a part of the input tokens and reasoning tokens a part of the output tokens, as in
    OpenTelemetry's `gen_ai.usage` (Anthropic's API reports cached input beside the rest: add it up first). A count may
    be larger than any counter: the ledger then has what fits, and the goal is paused.

    Raises:
        InvalidNumber: a count is not an integer of at least 0, or a part is larger than its whole.
    """

    def __post_init__(self) -> None:
        for name in MODEL_COUNTERS:
            object.__setattr__(self, name, check_told(name, getattr(self, name)))
        if self.cached_input_tokens > self.input_tokens or self.reasoning_tokens > self.output_tokens:
            raise InvalidNumber("cached tokens are a part of the input tokens, reasoning tokens of the output tokens")

    def billed(self, policy: BillingPolicy) -> TurnUsage:
        """Return the usage of a turn, with the tokens that the policy bills; no count is more than a counter holds."""
        return TurnUsage(**{name: min(count, MAX_COUNTER) for name, count in self.told(policy).items()})

    def told(self, policy: BillingPolicy) -> dict[str, int]:
        """Return the counts of a turn by name, with the tokens that the policy bills, as large as they were told."""
        tokens = billed_tokens(policy, self.input_tokens, self.cached_input_tokens, self.output_tokens)
        return {"tokens": min(tokens, MAX_TOLD), **self.as_dict()}


def typed_usage(**counts: int) -> ModelUsage:
    """Return the usage that a caller gives by hand, who can mend it.

    Raises:
        InvalidNumber: a count is more than a counter holds, or is none of a `ModelUsage`.
    """
    return ModelUsage(**{name: check_counter(name, count) for name, count in counts.items()})


def billed_tokens(policy: BillingPolicy, input_tokens: int, cached_input_tokens: int, output_tokens: int) -> int:
    """Return how many of a model's tokens count; sums of several responses count like one response."""
    match policy:
        case BillingPolicy.INPUT_AND_OUTPUT:
            return input_tokens + output_tokens
        case BillingPolicy.WITHOUT_CACHED:
            return input_tokens - cached_input_tokens + output_tokens
        case BillingPolicy.OUTPUT:
            return output_tokens


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage(_Consumption):
    """The usage of a goal's turns together."""

    counters: ClassVar[tuple[str, ...]] = USAGE_COUNTERS

    turns: int = 0
    tokens: int = 0

    def plus(self, turn: TurnUsage, kind: UsageKind = UsageKind.WORK) -> "Usage":
        """Return this usage with one more line of the ledger in it.

        Raises:
            InvalidNumber: a counter would pass 2**53 - 1.
        """
        sums = {
            name: check_counter(f"the sum of {name}", getattr(self, name) + count)
            for name, count in turn.as_dict().items()
        }
        return Usage(turns=check_counter("the sum of turns", self.turns + turns_of(kind, turn)), **sums)


def turns_of(kind: UsageKind, usage: TurnUsage | ModelUsage) -> int:
    """Return how many turns a line of this kind counts as; one less where its usage is taken back."""
    if kind is not UsageKind.WORK:
        return 0
    return -1 if isinstance(usage, UsageTakenBack) else 1


def estimates_of(*, is_estimate: bool, takes_back: int | None) -> int:
    """Return how many estimates a line of the ledger adds: one less where it takes one back."""
    return 0 if not is_estimate else 1 if takes_back is None else -1


BUDGET_COLUMNS: Final = {
    "tokens": "token_budget",
    "turns": "turn_budget",
    "active_microseconds": "active_microseconds_budget",
    "cost_microunits": "cost_microunits_budget",
}
"""The names that a goal has for its limits."""


def budget_columns(budget: Budget) -> dict[str, Any]:
    """Return the budget under the names that a goal has for it."""
    return {column: getattr(budget, name) for name, column in BUDGET_COLUMNS.items()}


def exhausted_limit(usage: Usage, budget: Budget) -> str | None:
    """Return the name of the first limit that usage has reached, or None."""
    for name in LIMITS:
        limit = getattr(budget, name)
        if limit is not None and getattr(usage, name) >= limit:
            return name
    return None

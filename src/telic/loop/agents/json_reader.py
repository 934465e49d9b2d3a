"""What the parsers of agents' output have in common: what they find out, and how they read untrusted JSON."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal, InvalidOperation
from typing import Any, Final, Protocol, cast

from telic.domain.budget import MODEL_COUNTERS, ModelUsage
from telic.domain.clock import Instant
from telic.domain.errors import InvalidNumber
from telic.domain.limits import check_counter
from telic.loop.agents.claims import AgentStatement
from telic.loop.agents.protocol import MAX_REPORT_TEXT_CHARS, QuotaReached

Fields = Mapping[str, Any]

_MICRO: Final = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Parsed:
    """What an agent's output says.

    `finished` tells whether the format's end was seen; `failure` is what the agent itself calls a failure, `broken`
    what its format cannot mean. A `boundary` is a limit of the agent's own, reached in an orderly way: its exit code
    is no failure. An estimate leaves some of the usage out. `without_cost` is the part of the usage that came without
    its cost; None where the format does not tell that apart. `notice` is what people should hear of while it lasts.
    An agent that may never have heard of claims does not make them.
    """

    text: str = ""
    usage: ModelUsage | None = None
    model: str | None = None
    statement: AgentStatement = field(default_factory=AgentStatement)
    session: str | None = None
    tool_effects: int | None = None
    tool_output_tail: str = ""
    quota: QuotaReached | None = None
    finished: bool = True
    boundary: bool = False
    failure: str | None = None
    broken: str | None = None
    is_estimate: bool = False
    notice: str | None = None
    makes_claims: bool = True
    without_cost: ModelUsage | None = None


class OutputParser(Protocol):
    """Reads an agent's output line by line, in bounded memory."""

    def take(self, line: bytes) -> None:
        """The line is read; the last one may be cut off anywhere."""
        ...

    def so_far(self) -> Parsed:
        """What is known while the turn runs: its usage at least, its model, its session, a notice. It costs little."""
        ...

    def parsed(self, now: Instant) -> Parsed:
        """What the lines say, now that they have ended."""
        ...


class TextTail:
    """The end of a growing text."""

    def __init__(self, max_chars: int = MAX_REPORT_TEXT_CHARS) -> None:
        self._max_chars = max_chars
        self._text = ""

    def __str__(self) -> str:
        return self._text

    def add(self, text: str) -> None:
        """The text ends with this one, on a line of its own."""
        kept = text[-self._max_chars :]
        self._text = f"{self._text}\n{kept}"[-self._max_chars :] if self._text else kept


def read_values(line: bytes) -> list[Fields]:
    """The JSON object that the line is, or those of the list that it is; none where it is neither."""
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):
        return []
    return list_of({"values": value if isinstance(value, list) else [value]}, "values")


def as_fields(value: object) -> Fields | None:
    """The value, a JSON object, or None."""
    return cast("Fields", value) if isinstance(value, dict) else None


def fields_of(fields: Fields, name: str) -> Fields:
    """The object under the name; an empty one where there is none."""
    return as_fields(fields.get(name)) or {}


def list_of(fields: Fields, name: str) -> list[Fields]:
    """The objects in the list under the name."""
    value = fields.get(name)
    items = cast("list[object]", value) if isinstance(value, list) else []
    return [item for item in map(as_fields, items) if item is not None]


def text_of(fields: Fields, name: str) -> str | None:
    """The text under the name, or None."""
    value = fields.get(name)
    return value if isinstance(value, str) else None


def count_of(fields: Fields, name: str) -> int | None:
    """The count under the name, or None where there is none.

    Raises:
        InvalidNumber: it is no count.
    """
    value = fields.get(name)
    return None if value is None else check_counter(name, value)


def cost_of(fields: Fields, name: str) -> int | None:
    """The amount of money under the name, in millionths, or None where there is none.

    Raises:
        InvalidNumber: it is no amount.
    """
    value = fields.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise InvalidNumber(f"{name} must be a number, not {type(value).__name__}")
    try:
        return check_counter(name, int((Decimal(str(value)) * _MICRO).to_integral_value()))
    except (InvalidOperation, ValueError, OverflowError):
        raise InvalidNumber(f"{name} is no amount") from None


def within_total(usage: ModelUsage, total: object) -> ModelUsage:
    """Return the usage, cut to the total that its source tells; what is no count, or 0, tells none.

    Where the parts pass it, some source counts a part twice: thoughts beside an output that holds them already.
    """
    if type(total) is not int or not 0 < total < usage.input_tokens + usage.output_tokens:
        return usage
    asked = min(usage.input_tokens, total)
    answered = total - asked
    return replace(
        usage,
        input_tokens=asked,
        output_tokens=answered,
        cached_input_tokens=min(usage.cached_input_tokens, asked),
        reasoning_tokens=min(usage.reasoning_tokens, answered),
    )


def sum_usage(usages: list[ModelUsage]) -> ModelUsage:
    """All of it together.

    Raises:
        InvalidNumber: a count would pass 2**53 - 1.
    """
    return ModelUsage(**{name: sum(getattr(usage, name) for usage in usages) for name in MODEL_COUNTERS})

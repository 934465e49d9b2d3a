"""How untrusted JSON of agents and hosts is read, and the arithmetic of the usage in it."""

import json
from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal, InvalidOperation
from typing import Any, cast

from telic.domain.budget import MODEL_COUNTERS, ModelUsage
from telic.domain.errors import InvalidNumber
from telic.domain.limits import MAX_TOLD, check_counter, check_told

Fields = Mapping[str, Any]


def read_values(line: bytes) -> list[Fields]:
    """Return the JSON object in the line, or those of the list in it; none where there is neither."""
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):
        return []
    return list_of({"values": value if isinstance(value, list) else [value]}, "values")


def as_fields(value: object) -> Fields | None:
    """Return the value if it is a JSON object, or None."""
    return cast("Fields", value) if isinstance(value, dict) else None


def fields_of(fields: Fields, name: str) -> Fields:
    """Return the object under the name; an empty one where there is none."""
    return as_fields(fields.get(name)) or {}


def list_of(fields: Fields, name: str) -> list[Fields]:
    """Return the objects in the list under the name."""
    value = fields.get(name)
    items = cast("list[object]", value) if isinstance(value, list) else []
    return [item for item in map(as_fields, items) if item is not None]


def text_of(fields: Fields, name: str) -> str | None:
    """Return the text under the name, or None."""
    value = fields.get(name)
    return value if isinstance(value, str) else None


def count_of(fields: Fields, name: str) -> int | None:
    """Return the count under the name, or None where there is none.

    Raises:
        InvalidNumber: it is no count.
    """
    value = fields.get(name)
    return None if value is None else check_counter(name, value)


def amount_of(fields: Fields, name: str) -> int | None:
    """Return the amount under the name that somebody used, however large, or None where there is none.

    Raises:
        InvalidNumber: it is no amount.
    """
    value = fields.get(name)
    return None if value is None else check_told(name, value)


def cost_of(fields: Fields, name: str) -> int | None:
    """Return the amount of money under the name, in millionths, or None where there is none.

    Raises:
        InvalidNumber: it is no amount.
    """
    value = fields.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise InvalidNumber(f"{name} must be a number, not {type(value).__name__}")
    try:
        return check_told(name, int(Decimal(str(value)).scaleb(6).to_integral_value()))
    except (InvalidOperation, ValueError, OverflowError):
        raise InvalidNumber(f"{name} is no amount") from None


def model_usage(
    *,
    input_tokens: object,
    output_tokens: object,
    cached_input_tokens: object = None,
    reasoning_tokens: object = None,
    total_tokens: object = None,
    cost_microunits: int = 0,
) -> ModelUsage | None:
    """The usage; None where a count is missing or none, or all are 0: a model reads and writes something.

    A part that is no count is taken as 0, and one that is larger than its whole as the whole. Where the provider tells
    a total, input and output together are that: what passes it was counted twice, and what no part tells is output.
    """
    asked, answered = _count(input_tokens), _count(output_tokens)
    if asked is None or answered is None:
        return None
    total = _count(total_tokens) or 0
    # Some providers, or older clients of theirs, leave thoughts out of the output, and tell them in the total alone.
    answered = max(answered, total - asked)
    if not asked + answered:
        return None
    used = ModelUsage(
        input_tokens=asked,
        output_tokens=answered,
        cached_input_tokens=min(_count(cached_input_tokens) or 0, asked),
        reasoning_tokens=min(_count(reasoning_tokens) or 0, answered),
        cost_microunits=cost_microunits,
    )
    return within_total(used, total)


def _count(value: object) -> int | None:
    return min(value, MAX_TOLD) if type(value) is int and value >= 0 else None


def within_total(usage: ModelUsage, total: object) -> ModelUsage:
    """Return the usage, cut to its source's own total; a total that is no count, or 0, cuts nothing."""
    # Some sources count a part twice: thoughts beside an output that holds them already.
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
    """Return all of it together."""
    return ModelUsage(**{name: sum(getattr(usage, name) for usage in usages) for name in MODEL_COUNTERS})


def used_since(before: ModelUsage, total: ModelUsage) -> ModelUsage:
    """Return the usage since `before`. A count that fell has begun again from 0: then the total is the usage."""
    counts = {name: getattr(total, name) - getattr(before, name) for name in MODEL_COUNTERS}
    try:
        return ModelUsage(**counts)
    except InvalidNumber:
        return total


def larger_usage(one: ModelUsage, other: ModelUsage) -> ModelUsage:
    """Return the larger of each count."""
    return ModelUsage(**{name: max(getattr(one, name), getattr(other, name)) for name in MODEL_COUNTERS})

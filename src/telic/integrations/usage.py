"""What providers say of a response, as the ledger takes it."""

from hashlib import sha256

from telic.domain.budget import ModelUsage
from telic.domain.limits import MAX_COUNTER, MAX_NAME_CHARS
from telic.loop.agents.json_reader import within_total
from telic.loop.agents.protocol import kept_tail


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
    a total, input and output together are at most that.
    """
    asked, answered = _count(input_tokens), _count(output_tokens)
    if asked is None or answered is None or not asked + answered:
        return None
    used = ModelUsage(
        input_tokens=asked,
        output_tokens=answered,
        cached_input_tokens=min(_count(cached_input_tokens) or 0, asked),
        reasoning_tokens=min(_count(reasoning_tokens) or 0, answered),
        cost_microunits=cost_microunits,
    )
    return within_total(used, total_tokens)


def _count(value: object) -> int | None:
    return value if type(value) is int and 0 <= value <= MAX_COUNTER else None


def model_name(name: object) -> str | None:
    """The model's name as the ledger keeps it; None where there is none."""
    return kept_tail(name, MAX_NAME_CHARS) or None if isinstance(name, str) else None


def turn_key(*parts: object) -> str:
    """One key of these parts; those that no key can hold are replaced by a hash of them."""
    key = "/".join(str(part) for part in parts if part)
    is_plain = key.isascii() and key.isprintable() and len(key) <= MAX_NAME_CHARS
    return key if is_plain else sha256(key.encode("utf-8", "surrogatepass")).hexdigest()

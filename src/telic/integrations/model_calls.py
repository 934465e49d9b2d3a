"""A call of a model: what its provider says that it used, and what it may have cost where nobody says."""

import time
from dataclasses import dataclass, field, replace
from hashlib import sha256
from typing import Final

from telic.domain.budget import ModelUsage
from telic.domain.goal import Goal
from telic.domain.lease import Reservation
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


_BYTES_PER_TOKEN: Final = 4
_NOTHING: Final = Reservation(turns=0)


@dataclass(frozen=True, slots=True)
class ModelCall:
    """A call of the model that has begun: the goal that it is billed to, and what the model is told of it.

    `prompt` goes to the end of the request, and nowhere else. Both are None where the scope has no goal yet. `hold` is
    the key of the hold that keeps `held` for it, if anything is held. `model`, `provider` and `request_bytes` are what
    is known of the request when it begins.
    """

    goal: Goal | None
    prompt: str | None
    key: str
    hold: str | None
    started_nanoseconds: int = field(default_factory=time.monotonic_ns)
    held: Reservation = _NOTHING
    model: str | None = None
    provider: str | None = None
    request_bytes: int = 0

    @property
    def elapsed_microseconds(self) -> int:
        """How long ago it began."""
        return (time.monotonic_ns() - self.started_nanoseconds) // 1000


def estimate(call: ModelCall, former: ModelUsage | None, seen_bytes: int, told: ModelUsage | None = None) -> ModelUsage:
    """Return what the call may have used, as far as anybody can tell, at most what was held for it.

    The request's size tells the input, else the conversation's former call does; what was seen of the response tells
    the output, else the former call does. Where nothing is known it is what was held. What the response itself had told
    before it broke off was surely used.
    """
    if told is None:
        return _guess(call, former or ModelUsage(), seen_bytes)
    return replace(told, output_tokens=max(told.output_tokens, seen_bytes // _BYTES_PER_TOKEN))


def _guess(call: ModelCall, before: ModelUsage, seen_bytes: int) -> ModelUsage:
    asked = call.request_bytes // _BYTES_PER_TOKEN or before.input_tokens
    answered = seen_bytes // _BYTES_PER_TOKEN or before.output_tokens
    bound = call.held.tokens
    if not asked + answered:
        return ModelUsage(input_tokens=bound)
    if not bound:
        return ModelUsage(input_tokens=asked, output_tokens=answered)
    asked = min(asked, bound)
    return ModelUsage(input_tokens=asked, output_tokens=min(answered, bound - asked))

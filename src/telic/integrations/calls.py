"""A call of a model that has begun, and what it may have cost where nobody says."""

import time
from dataclasses import dataclass, field, replace
from typing import Final

from telic.domain.budget import ModelUsage
from telic.domain.goal import Goal
from telic.domain.hold import Reservation

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

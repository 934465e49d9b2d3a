"""What Claude Code says of usage: each response's in Anthropic's words, and a session's by model in its own."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from telic.domain.budget import ModelUsage
from telic.domain.errors import InvalidNumber
from telic.integrations.usage import model_usage
from telic.loop.agents.json_reader import cost_of, sum_usage

_ROUNDING_MICROUNITS: Final = 100
"""What the prices of single responses may differ from the price of their sum."""


def response_usage(told: dict[str, Any]) -> ModelUsage | None:
    """Anthropic tells cached input beside the rest."""
    parts = ("input_tokens", "cache_read_input_tokens", "cache_creation_input_tokens")
    counts = [told.get(name) or 0 for name in parts]
    is_known = "input_tokens" in told and all(type(count) is int for count in counts)
    return model_usage(
        input_tokens=sum(counts) if is_known else None,
        cached_input_tokens=counts[1],
        output_tokens=told.get("output_tokens"),
        reasoning_tokens=(told.get("output_tokens_details") or {}).get("thinking_tokens"),
    )


@dataclass(frozen=True, slots=True)
class EndedResponse:
    """A response that is over; where it is not whole it broke off, and `usage` is what it had told before."""

    usage: ModelUsage | None
    model: object
    id: object
    is_whole: bool
    uses_tool: bool
    written_tokens: int
    seen_bytes: int


class ResponseEvents:
    """Follows the events of one response after the other, as Anthropic's API streams them."""

    def __init__(self) -> None:
        self._message: dict[str, Any] | None = None
        self._usage: dict[str, Any] = {}
        self._stop_reason: str | None = None
        self._seen_bytes = 0

    @property
    def is_open(self) -> bool:
        """Whether a response has begun and is not over."""
        return self._message is not None

    def take(self, event: dict[str, Any]) -> EndedResponse | None:
        """Return the response that is over by this event, if one is."""
        match event.get("type"):
            case "message_start":
                ended = self.end()
                message: dict[str, Any] = event.get("message") or {}
                self._message, self._usage = message, dict(message.get("usage") or {})
                self._stop_reason, self._seen_bytes = None, 0
                return ended
            case "content_block_delta":
                self._seen_bytes += len(str(event.get("delta")).encode("utf-8", "surrogatepass"))
            case "message_delta":
                self._stop_reason = (event.get("delta") or {}).get("stop_reason") or self._stop_reason
                self._usage |= {name: count for name, count in (event.get("usage") or {}).items() if count is not None}
            case "message_stop":
                return self.end()
            case _:
                return None
        return None

    def end(self) -> EndedResponse | None:
        """Return the response that was open: it is over. One that broke off has no reason why it stopped."""
        message, self._message = self._message, None
        if message is None:
            return None
        written = self._usage.get("cache_creation_input_tokens")
        return EndedResponse(
            usage=response_usage(self._usage),
            model=message.get("model"),
            id=message.get("id"),
            is_whole=self._stop_reason is not None,
            uses_tool=self._stop_reason == "tool_use",
            written_tokens=written if type(written) is int and written > 0 else 0,
            seen_bytes=self._seen_bytes,
        )


def money(dollars: object) -> int:
    """The amount in millionths; 0 where there is none that could be read."""
    try:
        return cost_of({"cost": dollars}, "cost") or 0
    except InvalidNumber:
        return 0


def sum_of_models(told: Mapping[str, Any], *, cost_microunits: int = 0) -> ModelUsage:
    """All models' together, where each is counted, at this cost."""
    found = [
        response_usage(
            {
                "input_tokens": each.get("inputTokens"),
                "cache_read_input_tokens": each.get("cacheReadInputTokens"),
                "cache_creation_input_tokens": each.get("cacheCreationInputTokens"),
                "output_tokens": each.get("outputTokens"),
                "output_tokens_details": {"thinking_tokens": each.get("thinkingTokens")},
            }
        )
        for each in told.values()
    ]
    return replace(sum_usage([each for each in found if each is not None]), cost_microunits=cost_microunits)


def difference(total: ModelUsage, part: ModelUsage) -> ModelUsage | None:
    """What of the total is beyond the part; None where nothing is. Without input no model was called."""
    asked = max(total.input_tokens - part.input_tokens, 0)
    cost = max(total.cost_microunits - part.cost_microunits, 0)
    if not asked:
        return ModelUsage(cost_microunits=cost) if cost > _ROUNDING_MICROUNITS else None
    return model_usage(
        input_tokens=asked,
        cached_input_tokens=max(total.cached_input_tokens - part.cached_input_tokens, 0),
        output_tokens=max(total.output_tokens - part.output_tokens, 0),
        reasoning_tokens=max(total.reasoning_tokens - part.reasoning_tokens, 0),
        cost_microunits=cost,
    )

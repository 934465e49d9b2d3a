"""What Claude Code says of usage: each response's in Anthropic's words, and a session's by model in its own."""

from collections.abc import Mapping
from typing import Any

from telic.domain.budget import ModelUsage
from telic.integrations.usage import model_usage
from telic.loop.agents.parsing import sum_usage


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


def sum_of_models(told: Mapping[str, Any]) -> ModelUsage | None:
    """All models' together, where each is counted."""
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
    return sum_usage([each for each in found if each is not None])


def difference(total: ModelUsage, part: ModelUsage) -> ModelUsage | None:
    """What of the total is beyond the part; None where nothing is."""
    return model_usage(
        input_tokens=max(total.input_tokens - part.input_tokens, 0),
        cached_input_tokens=max(total.cached_input_tokens - part.cached_input_tokens, 0),
        output_tokens=max(total.output_tokens - part.output_tokens, 0),
        reasoning_tokens=max(total.reasoning_tokens - part.reasoning_tokens, 0),
    )

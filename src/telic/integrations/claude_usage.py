"""What Claude Code says of usage: each response's in Anthropic's words, and a session's by model in its own."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from telic.domain.budget import ModelUsage
from telic.domain.errors import InvalidNumber
from telic.integrations.usage import model_usage
from telic.loop.agents.parsing import cost_of, sum_usage
from telic.pricing import Prices, cost_microunits

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


def money(dollars: object) -> int:
    """The amount in millionths; 0 where there is none that could be read."""
    try:
        return cost_of({"cost": dollars}, "cost") or 0
    except InvalidNumber:
        return 0


def price_of(usage: ModelUsage, model: str | None, told: Mapping[str, Any], prices: Prices | None) -> int:
    """Return what the response costs by its model's price; 0 where none is known."""
    written = told.get("cache_creation_input_tokens")
    count = written if type(written) is int and written > 0 else 0
    return cost_microunits(model, usage, "anthropic", cache_write_tokens=count, prices=prices) or 0


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

"""One usage record of Anthropic's, as Claude Code passes it on: a response's own, and what stands beside it.

Cached input is counted beside the rest. Where one request was answered in several steps, `iterations` lists each of
them, and the record itself sums up the model's own output alone: an advisor's answer and a compaction are left out of
it, and of the model's own input it has the first step's.
"""

from dataclasses import dataclass
from typing import Final

from telic.domain.budget import MODEL_COUNTERS, ModelUsage, UsageKind
from telic.loop.agents.parsing import Fields, count_of, fields_of, list_of, sum_usage, text_of

_OWN: Final = "message"
_COMPACTION: Final = "compaction"


@dataclass(frozen=True, slots=True)
class SideUsage:
    """What a step consumed that is no part of the response's own usage; `model` is None where it is the same one."""

    usage: ModelUsage
    kind: UsageKind
    model: str | None


@dataclass(frozen=True, slots=True)
class ResponseUsage:
    """What one response consumed, and what its other steps did."""

    own: ModelUsage
    beside: tuple[SideUsage, ...] = ()

    @property
    def whole(self) -> ModelUsage:
        """All of it together."""
        return sum_usage([self.own, *(side.usage for side in self.beside)])


def response_usage(record: Fields) -> ResponseUsage | None:
    """What the record tells, or None where it does not say.

    Raises:
        InvalidNumber: a count is none.
    """
    told = api_usage(record)
    if told is None:
        return None
    steps = [(step, usage) for step in list_of(record, "iterations") if (usage := api_usage(step)) is not None]
    mine = [usage for step, usage in steps if text_of(step, "type") in (_OWN, None)]
    beside = [_side(step, usage) for step, usage in steps if text_of(step, "type") not in (_OWN, None)]
    if beside and _covers(told, sum_usage([usage for _, usage in steps])):
        beside = []
    return ResponseUsage(_larger(told, sum_usage(mine)), tuple(beside))


def _side(step: Fields, usage: ModelUsage) -> SideUsage:
    """To write a summary is a tool's work; an advisor is another model that answers for itself."""
    kind = UsageKind.TOOL if text_of(step, "type") == _COMPACTION else UsageKind.SUB_AGENT
    return SideUsage(usage, kind, text_of(step, "model"))


def _covers(told: ModelUsage, steps: ModelUsage) -> bool:
    """Whether a release already counts all steps in the record itself."""
    return told.input_tokens >= steps.input_tokens and told.output_tokens >= steps.output_tokens


def _larger(one: ModelUsage, other: ModelUsage) -> ModelUsage:
    return ModelUsage(**{name: max(getattr(one, name), getattr(other, name)) for name in MODEL_COUNTERS})


def api_usage(usage: Fields) -> ModelUsage | None:
    """What one response of Anthropic's API says of itself alone, or None where it does not say.

    Raises:
        InvalidNumber: a count is none.
    """
    plain, output = count_of(usage, "input_tokens"), count_of(usage, "output_tokens")
    if plain is None or output is None:
        return None
    read, written = count_of(usage, "cache_read_input_tokens") or 0, count_of(usage, "cache_creation_input_tokens") or 0
    thinking = count_of(fields_of(usage, "output_tokens_details"), "thinking_tokens") or 0
    return ModelUsage(
        input_tokens=plain + read + written,
        cached_input_tokens=read,
        output_tokens=output,
        reasoning_tokens=min(thinking, output),
    )

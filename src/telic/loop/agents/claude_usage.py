"""One usage record of Anthropic's, as Claude Code passes it on: a response's own, and what stands beside it.

Cached input is counted beside the rest. Where one request was answered in several steps, `iterations` lists each of
them, and the record itself sums up the model's own output alone: an advisor's answer and a compaction are left out of
it, and of the model's own input it has the first step's.
"""

import re
from dataclasses import dataclass
from typing import Final

from telic.domain.budget import MODEL_COUNTERS, ModelUsage, UsageKind
from telic.loop.agents.json_reader import Fields, cost_of, count_of, fields_of, list_of, sum_usage, text_of
from telic.loop.agents.usage_records import used_since

_OWN: Final = "message"
_COMPACTION: Final = "compaction"
_CONTEXT_SIZE: Final = re.compile(r"\[[0-9]+[km]\]$", re.IGNORECASE)
_MESSAGES_KEPT: Final = 1_000


@dataclass(frozen=True, slots=True)
class SideUsage:
    """What a step consumed that is no part of the response's own usage; `model` is None where it is the same one."""

    usage: ModelUsage
    kind: UsageKind
    model: str | None


@dataclass(frozen=True, slots=True)
class ResponseUsage:
    """What one response consumed, and what its other steps did. Of its own input so many were written to a cache."""

    own: ModelUsage
    beside: tuple[SideUsage, ...] = ()
    cache_write_tokens: int = 0

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
    written = count_of(record, "cache_creation_input_tokens") or 0
    return ResponseUsage(_larger(told, sum_usage(mine)), tuple(beside), written)


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


def model_name(name: str | None) -> str | None:
    """The model's name without the size of its context, which is no other model: `claude-opus-4-8[1m]`."""
    return None if name is None else _CONTEXT_SIZE.sub("", name) or None


def whole_usage(record: Fields) -> ModelUsage | None:
    """What one response consumed with its other steps, or None where the record does not say.

    Raises:
        InvalidNumber: a count is none.
    """
    told = response_usage(record)
    return None if told is None else told.whole


def usage_of_models(told: Fields) -> ModelUsage | None:
    """All models of a `modelUsage` together; None where the release does not say, or nothing was asked of any.

    Raises:
        InvalidNumber: a count is none.
    """
    models = [fields_of(told, model) for model in told]
    return sum_usage([_one_model(model) for model in models]) if models else None


def _one_model(model: Fields) -> ModelUsage:
    read, written = count_of(model, "cacheReadInputTokens") or 0, count_of(model, "cacheCreationInputTokens") or 0
    output = count_of(model, "outputTokens") or 0
    return ModelUsage(
        input_tokens=(count_of(model, "inputTokens") or 0) + read + written,
        cached_input_tokens=read,
        output_tokens=output,
        reasoning_tokens=min(count_of(model, "thinkingTokens") or 0, output),
        cost_microunits=cost_of(model, "costUSD") or 0,
    )


class ResponseSums:
    """What the responses of one turn have used so far, each counted once however often it is repeated."""

    def __init__(self) -> None:
        self._known: dict[str, ModelUsage] = {}
        self._earlier = ModelUsage()
        self._has_heard = False

    def hear(self, identity: str, usage: ModelUsage | None) -> None:
        """The response has used this much; what it told before is a beginning of it."""
        if usage is None:
            return
        self._has_heard = True
        before = self._known.get(identity)
        self._known[identity] = usage if before is None or usage.output_tokens >= before.output_tokens else before
        if len(self._known) > _MESSAGES_KEPT:
            oldest = self._known.pop(next(iter(self._known)))
            self._earlier = sum_usage([self._earlier, oldest])

    def has(self, usage: ModelUsage) -> bool:
        """Whether a response with this input was heard of."""
        return any(known.input_tokens == usage.input_tokens for known in self._known.values())

    @property
    def total(self) -> ModelUsage | None:
        """All of them together, or None where none was heard of."""
        return sum_usage([self._earlier, *self._known.values()]) if self._has_heard else None


def share_of_turn(before: ModelUsage | None, total: ModelUsage, heard: ModelUsage | None) -> ModelUsage:
    """What a turn used, where its result tells `total`, its responses told `heard`, and `before` was the last total.

    Some releases tell what the whole conversation has used, others what this process has. The difference to before
    is the turn's where it is no less than what was heard. What was heard is never more than what was used.
    """
    share = total if before is None else used_since(before, total)
    if heard is None:
        return share
    known = share if _covers(share, heard) else total
    if _covers(known, heard):
        return known
    return _larger(known, heard)

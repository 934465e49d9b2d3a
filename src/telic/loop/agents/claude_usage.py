"""Anthropic's usage records, as Claude Code passes them on: of one response, of a turn, of a session.

Cached input is counted beside the rest. Where one request was answered in several steps, `iterations` lists each of
them, and the record itself sums up the model's own output alone: an advisor's answer and a compaction are left out of
it, and of the model's own input it has the first step's.
"""

import re
from dataclasses import dataclass
from typing import Final

from telic.domain.budget import ModelUsage, UsageKind
from telic.loop.agents.json_reader import (
    Fields,
    amount_of,
    cost_of,
    fields_of,
    larger_usage,
    list_of,
    sum_usage,
    text_of,
    used_since,
)

_OWN: Final = "message"
_COMPACTION: Final = "compaction"
_CONTEXT_SIZE: Final = re.compile(r"\[[0-9]+[km]\]$", re.IGNORECASE)
_MESSAGES_KEPT: Final = 1_000


@dataclass(frozen=True, slots=True)
class SideUsage:
    """The usage of a step that is no part of the response's own; `model` is None where it is the same one."""

    usage: ModelUsage
    kind: UsageKind
    model: str | None


@dataclass(frozen=True, slots=True)
class ResponseUsage:
    """The usage of one response, and of its other steps. `cache_write_tokens` of its own input went to a cache."""

    own: ModelUsage
    beside: tuple[SideUsage, ...] = ()
    cache_write_tokens: int = 0

    @property
    def whole(self) -> ModelUsage:
        """The sum of both."""
        return sum_usage([self.own, *(side.usage for side in self.beside)])


def response_usage(record: Fields) -> ResponseUsage | None:
    """Return the usage in the record, or None where it has none.

    Raises:
        InvalidNumber: a count is none.
    """
    own = api_usage(record)
    if own is None:
        return None
    steps = [(step, usage) for step in list_of(record, "iterations") if (usage := api_usage(step)) is not None]
    mine = [usage for step, usage in steps if text_of(step, "type") in (_OWN, None)]
    beside = [_side(step, usage) for step, usage in steps if text_of(step, "type") not in (_OWN, None)]
    # Some releases count all steps in the record itself.
    if beside and _covers(own, sum_usage([usage for _, usage in steps])):
        beside = []
    written = amount_of(record, "cache_creation_input_tokens") or 0
    return ResponseUsage(larger_usage(own, sum_usage(mine)), tuple(beside), written)


def _side(step: Fields, usage: ModelUsage) -> SideUsage:
    # To write a summary is a tool's work; an advisor is another model that answers for itself.
    kind = UsageKind.TOOL if text_of(step, "type") == _COMPACTION else UsageKind.SUB_AGENT
    return SideUsage(usage, kind, text_of(step, "model"))


def _covers(whole: ModelUsage, part: ModelUsage) -> bool:
    return whole.input_tokens >= part.input_tokens and whole.output_tokens >= part.output_tokens


def api_usage(usage: Fields) -> ModelUsage | None:
    """Return the usage that one response of Anthropic's API has for itself alone, or None where it has none.

    Raises:
        InvalidNumber: a count is none.
    """
    plain, output = amount_of(usage, "input_tokens"), amount_of(usage, "output_tokens")
    if plain is None or output is None:
        return None
    read, written = (
        amount_of(usage, "cache_read_input_tokens") or 0,
        amount_of(usage, "cache_creation_input_tokens") or 0,
    )
    thinking = amount_of(fields_of(usage, "output_tokens_details"), "thinking_tokens") or 0
    return ModelUsage(
        input_tokens=plain + read + written,
        cached_input_tokens=read,
        output_tokens=output,
        reasoning_tokens=min(thinking, output),
    )


def model_name(name: str | None) -> str | None:
    """Return the model's name without the size of its context, which is no other model: `claude-opus-4-8[1m]`."""
    return None if name is None else _CONTEXT_SIZE.sub("", name) or None


def whole_usage(record: Fields) -> ModelUsage | None:
    """Return the usage of one response with its other steps, or None where the record has none.

    Raises:
        InvalidNumber: a count is none.
    """
    usage = response_usage(record)
    return None if usage is None else usage.whole


def usage_of_models(by_model: Fields) -> ModelUsage | None:
    """Return the sum over a `modelUsage`; None where the release does not say, or nothing was asked of any model.

    Raises:
        InvalidNumber: a count is none.
    """
    models = [fields_of(by_model, model) for model in by_model]
    return sum_usage([_one_model(model) for model in models]) if models else None


def _one_model(model: Fields) -> ModelUsage:
    read, written = amount_of(model, "cacheReadInputTokens") or 0, amount_of(model, "cacheCreationInputTokens") or 0
    output = amount_of(model, "outputTokens") or 0
    return ModelUsage(
        input_tokens=(amount_of(model, "inputTokens") or 0) + read + written,
        cached_input_tokens=read,
        output_tokens=output,
        reasoning_tokens=min(amount_of(model, "thinkingTokens") or 0, output),
        cost_microunits=cost_of(model, "costUSD") or 0,
    )


class ResponseSums:
    """The usage of one turn's responses so far, each counted once however often it is repeated."""

    def __init__(self) -> None:
        self._known: dict[str, ModelUsage] = {}
        self._earlier = ModelUsage()
        self._is_empty = True

    def add(self, identity: str, usage: ModelUsage | None) -> None:
        """The response has used this much; an earlier report of it was a beginning."""
        if usage is None:
            return
        self._is_empty = False
        before = self._known.get(identity)
        self._known[identity] = usage if before is None or usage.output_tokens >= before.output_tokens else before
        if len(self._known) > _MESSAGES_KEPT:
            oldest = self._known.pop(next(iter(self._known)))
            self._earlier = sum_usage([self._earlier, oldest])

    def has(self, usage: ModelUsage) -> bool:
        """Return whether a response with this input is among them."""
        return any(known.input_tokens == usage.input_tokens for known in self._known.values())

    @property
    def total(self) -> ModelUsage | None:
        """The sum of all, or None where there was none."""
        return None if self._is_empty else sum_usage([self._earlier, *self._known.values()])


def share_of_turn(before: ModelUsage | None, total: ModelUsage, responses: ModelUsage | None) -> ModelUsage:
    """Return a turn's usage, by the `total` of its result, the sum of its `responses`, and the total `before` it."""
    share = total if before is None else used_since(before, total)
    if responses is None:
        return share
    # Some releases report the usage of the whole conversation, others that of this process. The difference to before
    # is the turn's unless the turn's own responses are more; their sum is never more than the truth.
    known = share if _covers(share, responses) else total
    return known if _covers(known, responses) else larger_usage(known, responses)

"""What Anthropic's API says of usage, as Claude Code's stream, its results and its transcripts repeat it.

Anthropic counts cached input beside the rest. A response's own counts leave out what else was asked on its behalf: the
entries of `iterations` that are no `message`, such as an advisor's answer or a compaction. Of a response that is still
under way, output is a mere beginning.
"""

import re
from typing import Final

from telic.domain.budget import MODEL_COUNTERS, ModelUsage
from telic.loop.agents.cumulative import used_since
from telic.loop.agents.parsing import Fields, cost_of, count_of, fields_of, list_of, sum_usage, text_of

_CONTEXT_SIZE: Final = re.compile(r"\[[0-9]+[km]\]$", re.IGNORECASE)
_MESSAGES_KEPT: Final = 1_000
_OWN_ITERATION: Final = "message"


def model_name(name: str | None) -> str | None:
    """The model's name without the size of its context, which is no other model: `claude-opus-4-8[1m]`."""
    return None if name is None else _CONTEXT_SIZE.sub("", name) or None


def api_usage(usage: Fields) -> ModelUsage | None:
    """What one response of Anthropic's API consumed, with what was asked on its behalf; None where it does not say.

    Raises:
        InvalidNumber: a count is none.
    """
    own = _counts(usage)
    if own is None:
        return None
    others = [
        _counts(each) for each in list_of(usage, "iterations") if text_of(each, "type") not in (None, _OWN_ITERATION)
    ]
    return sum_usage([own, *(each for each in others if each is not None)])


def _counts(usage: Fields) -> ModelUsage | None:
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
    most = {name: max(getattr(known, name), getattr(heard, name)) for name in MODEL_COUNTERS}
    return ModelUsage(**most)


def _covers(whole: ModelUsage, part: ModelUsage) -> bool:
    return whole.input_tokens >= part.input_tokens and whole.output_tokens >= part.output_tokens

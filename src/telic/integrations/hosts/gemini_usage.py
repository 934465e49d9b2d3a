"""The recording of a Gemini CLI session: JSON lines, in which each message has an id, and the model's its `tokens`.

A message is written again, under its id, whenever something is added to it: its tokens come with one of these lines
and stay. Thoughts are counted beside the output, what the model's own tools read beside the input, unless `total` says
that they are inside. A sub-agent's recording has the same form. Older versions' recordings are one JSON document each,
and tell nothing here.
"""

from telic.domain.budget import ModelUsage, TurnUsage, UsageKind
from telic.integrations.hosts.usage import Response, instant_of
from telic.integrations.usage import model_usage
from telic.loop.agents.json_reader import Fields, fields_of, read_values, text_of, within_total


class GeminiUsage:
    """Tells each message's tokens when they are there."""

    def __init__(self, is_sub_agent: bool, _own_turn: str | None = None) -> None:
        self._kind = UsageKind.SUB_AGENT if is_sub_agent else UsageKind.WORK
        self._last: str | None = None
        self._new: list[Response] = []

    def take(self, line: bytes, _start: int, /) -> None:
        """See `UsageReader`."""
        if b'"tokens"' not in line or b'"gemini"' not in line:
            return
        for fields in read_values(line):
            identity, tokens = text_of(fields, "id"), fields_of(fields, "tokens")
            if fields.get("type") == "gemini" and identity and tokens and identity != self._last:
                self._last = identity
                self._new.append(
                    Response(
                        key=f"gemini/{identity}",
                        usage=_usage(tokens),
                        kind=self._kind,
                        model=text_of(fields, "model"),
                        at=instant_of(fields),
                    )
                )

    def end_of_turn(self, last_message: str | None) -> None:
        """Every message with tokens is complete."""

    def finished(self) -> list[Response]:
        """See `UsageReader`."""
        given, self._new = self._new, []
        return given

    def safe_offset(self, end: int) -> int:
        """A message that has no tokens yet is written again with them."""
        return end

    def carry(self) -> Fields:
        """See `UsageReader`."""
        return {"last": self._last}

    def resume(self, carry: Fields) -> None:
        """See `UsageReader`."""
        self._last = text_of(carry, "last")


def _usage(tokens: Fields) -> ModelUsage | TurnUsage:
    def sum_of(*names: str) -> int | None:
        counts = [tokens.get(name) or 0 for name in names]
        return sum(counts) if all(type(count) is int for count in counts) else None

    told = model_usage(
        input_tokens=sum_of("input", "tool"),
        cached_input_tokens=tokens.get("cached"),
        output_tokens=sum_of("output", "thoughts"),
        reasoning_tokens=tokens.get("thoughts"),
    )
    return TurnUsage() if told is None else within_total(told, tokens.get("total"))

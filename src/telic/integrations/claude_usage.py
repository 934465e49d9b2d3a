"""Usage as Claude Code tells it: of each response in Anthropic's words, and of a session in its own words and files.

Its files tell what sub-agents used, and what the session had used before. The shapes themselves are read by
`telic.loop.agents.claude_usage`, as for every other way in which Claude Code is run.
"""

from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

from telic.domain.budget import MODEL_COUNTERS, ModelUsage
from telic.domain.errors import InvalidNumber
from telic.integrations.hosts.claude_code import ClaudeCodeUsage
from telic.integrations.hosts.usage_sources import HostResponse
from telic.loop.agents.claude_usage import ResponseUsage, response_usage, usage_of_models
from telic.loop.agents.json_reader import Fields, cost_of, fields_of, model_usage, read_values, sum_usage, used_since
from telic.loop.agents.usage_records import last_lines, whole_lines

_ROUNDING_MICROUNITS: Final = 100
"""How much the prices of single responses may differ from the price of their sum."""


def reported_usage(told: Fields) -> ResponseUsage | None:
    """Return what a response of Anthropic's API used, and its other steps beside it; None where it does not say."""
    try:
        used = response_usage(told)
    except InvalidNumber:
        return None
    return used if used is not None and used.whole.input_tokens + used.whole.output_tokens else None


@dataclass(frozen=True, slots=True)
class EndedResponse:
    """A response that is over; where it is not whole it broke off, and `usage` is what it had told before."""

    usage: ResponseUsage | None
    model: object
    id: object
    is_whole: bool
    uses_tool: bool
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
        """A response has begun and is not over."""
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
        return EndedResponse(
            usage=reported_usage(self._usage),
            model=message.get("model"),
            id=message.get("id"),
            is_whole=self._stop_reason is not None,
            uses_tool=self._stop_reason == "tool_use",
            seen_bytes=self._seen_bytes,
        )


def _sum_of_models(told: Mapping[str, Any], dollars: object) -> ModelUsage:
    """Return all models' usage together, at this cost; without counts, or cost, where one of them is none."""
    used, cost = ModelUsage(), 0
    with suppress(InvalidNumber):
        used = usage_of_models(told) or used
    with suppress(InvalidNumber):
        cost = cost_of({"cost": dollars}, "cost") or 0
    return replace(used, cost_microunits=cost)


def usage_beyond(
    told: Mapping[str, Any], dollars: object, before: ModelUsage | None, known: list[ModelUsage]
) -> ModelUsage | None:
    """Return the session's sum minus the sum before and the known responses; None if nothing is left."""
    used = None if before is None else used_since(before, _sum_of_models(told, dollars))
    if used is None:
        return None
    part = sum_usage(known)
    left = {name: max(getattr(used, name) - getattr(part, name), 0) for name in MODEL_COUNTERS}
    cost = left["cost_microunits"]
    # Without input no model was called: then the rest is what the price of a sum differs from the prices of its parts.
    if not left["input_tokens"]:
        return ModelUsage(cost_microunits=cost) if cost > _ROUNDING_MICROUNITS else None
    return model_usage(
        input_tokens=left["input_tokens"],
        cached_input_tokens=left["cached_input_tokens"],
        output_tokens=left["output_tokens"],
        reasoning_tokens=left["reasoning_tokens"],
        cost_microunits=cost,
    )


_TAIL_BYTES: Final = 1_048_576
_TOTAL: Final = b'{"type":"cost-state"'


@dataclass(slots=True)
class _SessionFile:
    """One file of a session, and the byte from which to read on."""

    path: Path
    offset: int = 0
    reader: ClaudeCodeUsage = field(default_factory=lambda: ClaudeCodeUsage(True))

    def new(self) -> list[HostResponse]:
        """Return the responses that were completed since the last call. A line that is not ended is left for later."""
        with self.path.open("rb") as file:
            for end, line in whole_lines(file, self.offset):
                self.reader.take(line, self.offset)
                self.offset = end
        return self.reader.finished()


class SessionFiles:
    """A session's files, read on from where they ended when this was made.

    `transcript` is the main conversation's file, as hooks get it. `used_before` is what former processes had
    used, of this session or of the one that it was forked from: the command goes on counting from there. It is None
    where no file tells.
    """

    def __init__(self, transcript: Path, forked_from: str | None = None) -> None:
        self._folder = transcript.with_suffix("") / "subagents"
        self._files = {path: _SessionFile(path, path.stat().st_size) for path in self._paths()}
        self.used_before = _recorded_total(transcript.with_stem(forked_from) if forked_from else transcript)

    def _paths(self) -> Iterator[Path]:
        return self._folder.rglob("*.jsonl")

    def new_responses(self) -> list[tuple[str, HostResponse]]:
        """Return sub-agents' responses that were completed since the last call, each with its sub-agent's id."""
        found: list[tuple[str, HostResponse]] = []
        for path in sorted(self._paths()):
            file = self._files.setdefault(path, _SessionFile(path))
            found += [(path.stem.removeprefix("agent-"), response) for response in file.new()]
        return found


def _recorded_total(transcript: Path) -> ModelUsage | None:
    if not transcript.is_file():
        return None
    last = next((line for line in last_lines(transcript, _TAIL_BYTES) if line.startswith(_TOTAL)), b"")
    told = next(iter(read_values(last)), {})
    return _sum_of_models(fields_of(told, "modelUsage"), told.get("totalCostUSD"))

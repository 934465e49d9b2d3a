"""Claude Code, after its hooks reference of 2.1.

Its moments are SessionStart, UserPromptSubmit, Stop, SubagentStop, PreCompact and SessionEnd.

Compaction forgets what hooks have said, and calls SessionStart again with the source `compact`. Claude Code ends a
turn that its Stop hooks have kept going eight times in a row.

Its usage stands in the transcript of Claude Code: JSON lines, several for each response.

Each content block of a response is a line of its own, with the response's id and a usage that grows up to the last;
`stop_reason` is on the last. Lines of sub-agents are marked `isSidechain`. A forked or resumed session repeats lines
with their ids, and so their keys. What Claude Code says itself has the model `<synthetic>` and consumed nothing.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

from telic.domain.budget import UsageKind
from telic.domain.clock import Instant
from telic.domain.errors import InvalidNumber
from telic.integrations.hosts.payload import COMMON_EVENTS, HookEvent, HookHost, HookPayload, read_common_payload
from telic.integrations.hosts.usage_sources import (
    TURN_BEGINS,
    HostResponse,
    TranscriptReader,
    instant_of,
    last_message_in,
)
from telic.loop.agents.claude_usage import ResponseUsage, response_usage
from telic.loop.agents.json_reader import Fields, fields_of, list_of, read_values, text_of


def _said(fields: Fields) -> str | None:
    """Return the text of a line of Claude Code's; a prompt, which is no tool's result, began the turn."""
    if fields.get("isSidechain") is True:
        return None
    message = fields_of(fields, "message")
    blocks = list_of(message, "content")
    match fields.get("type"):
        case "assistant":
            return "\n".join(filter(None, (text_of(block, "text") for block in blocks))) or None
        case "user":
            is_result = any(block.get("type") == "tool_result" for block in blocks)
            return None if is_result or fields.get("isMeta") is True else TURN_BEGINS
        case _:
            return None


def _read(fields: Fields, environment: Mapping[str, str]) -> HookPayload | None:
    payload = read_common_payload(fields, environment, COMMON_EVENTS, "CLAUDE_PROJECT_DIR")
    if payload is None or payload.event is not HookEvent.STOP:
        return payload
    if "last_assistant_message" not in fields:
        payload = replace(payload, last_message=last_message_in(payload.transcript, _said))
    wakes = bool(list_of(fields, "background_tasks") or list_of(fields, "session_crons"))
    # The releases that tell of background tasks take feedback from a hook; to older ones a refusal is the only way.
    return replace(payload, wakes_by_itself=wakes, takes_feedback="background_tasks" in fields)


@dataclass(slots=True)
class _OpenResponse:
    """A response of which more may come."""

    start: int
    side: str
    usage: ResponseUsage | None
    is_estimate: bool
    kind: UsageKind
    model: str | None
    at: Instant | None
    text: str = ""


class ClaudeCodeUsage(TranscriptReader):
    """Collects a response's lines until it is complete."""

    def __init__(self, is_sub_agent: bool, _own_turn: str | None = None) -> None:
        super().__init__()
        self._is_sub_agent = is_sub_agent
        self._open: dict[str, _OpenResponse] = {}

    def take(self, line: bytes, start: int, /) -> None:
        """See `TranscriptReader`."""
        if b'"usage"' not in line or b'"assistant"' not in line:
            return
        for fields in read_values(line):
            message = fields_of(fields, "message")
            identity = text_of(message, "id") or text_of(fields, "requestId")
            if fields.get("type") == "assistant" and identity and text_of(message, "model") != "<synthetic>":
                self._assistant(identity, fields, message, start)

    def _assistant(self, identity: str, fields: Fields, message: Fields, start: int) -> None:
        if "usage" not in message:
            return
        # Counts that are none say that something was used, and not how much: that is an estimate, and never nothing.
        usage = _told(fields_of(message, "usage"))
        is_side = self._is_sub_agent or fields.get("isSidechain") is True
        side = (text_of(fields, "agentId") or "sub-agent") if is_side else ""
        # A new response of the same side means that the one before is over, though its last line never came.
        for earlier in [each for each, known in self._open.items() if known.side == side and each != identity]:
            self._close(earlier)
        kind = UsageKind.SUB_AGENT if is_side else UsageKind.WORK
        begun = _OpenResponse(start, side, usage, False, kind, text_of(message, "model"), instant_of(fields))
        known = self._open.setdefault(identity, begun)
        known.usage = max(known.usage or usage, usage or known.usage, key=_all_output)
        known.is_estimate = usage is None
        known.text = "\n".join(text_of(block, "text") or "" for block in list_of(message, "content")) or known.text
        if text_of(message, "stop_reason"):
            self._close(identity)

    def _close(self, identity: str) -> None:
        known = self._open.pop(identity)
        key, told = f"claude-code/{identity}", known.usage
        own = HostResponse(
            key=key,
            usage=None if told is None else told.own,
            is_estimate=known.is_estimate,
            kind=known.kind,
            model=known.model,
            at=known.at,
            cache_write_tokens=0 if told is None else told.cache_write_tokens,
        )
        self._new.append(own)
        for number, side in enumerate(() if told is None else told.beside, 1):
            model = side.model or known.model
            beside = replace(own, key=f"{key}/beside-{number}", usage=side.usage, kind=side.kind, model=model)
            self._new.append(replace(beside, cache_write_tokens=0))

    def end_of_turn(self, last_message: str | None) -> None:
        """See `TranscriptReader`."""
        for identity, known in list(self._open.items()):
            said = known.text.strip()
            if last_message is None or (said and not known.side and said == last_message.strip()):
                self._close(identity)

    def safe_offset(self, end: int) -> int:
        """See `TranscriptReader`."""
        return min([known.start for known in self._open.values()], default=end)


def _told(record: Fields) -> ResponseUsage | None:
    try:
        return response_usage(record)
    except InvalidNumber:
        return None


def _all_output(usage: ResponseUsage | None) -> int:
    if usage is None:
        return 0
    return usage.own.output_tokens + sum(side.usage.output_tokens for side in usage.beside)


CLAUDE_CODE: Final = HookHost(
    name="claude-code",
    read=_read,
    block_cap=8,
    cap_variable="CLAUDE_CODE_STOP_HOOK_BLOCK_CAP",
    usage_reader=ClaudeCodeUsage,
    tells_compaction=True,
)

"""Gemini CLI, after its hooks reference: SessionStart, BeforeAgent, AfterAgent, PreCompress, SessionEnd.

Sub-agents' recordings stand in a folder beside the session's own, which has the session's id for its name.

Its usage stands in the session's recording: JSON lines, in which each message has an id, and the model's its `tokens`.

A message is written again, under its id, whenever something is added to it: its tokens come with one of these lines
and stay. A sub-agent's recording has the same form. Older versions' recordings are one JSON document each, and tell
nothing here.
"""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Final

from telic.domain.budget import UsageKind
from telic.integrations.hosts.payload import HookEvent, HookHost, HookPayload, read_common_payload
from telic.integrations.hosts.usage_sources import HostResponse, TranscriptReader, instant_of
from telic.loop.agents.gemini import answers_in
from telic.loop.agents.json_reader import Fields, text_of

_EVENTS: Final = {
    "SessionStart": HookEvent.SESSION_START,
    "BeforeAgent": HookEvent.PROMPT,
    "AfterAgent": HookEvent.STOP,
    "PreCompress": HookEvent.BOOKKEEPING,
    "SessionEnd": HookEvent.BOOKKEEPING,
}


def _read(fields: Fields, environment: Mapping[str, str]) -> HookPayload | None:
    payload = read_common_payload(fields, environment, _EVENTS, "GEMINI_PROJECT_DIR")
    if payload is None:
        return None
    return replace(
        payload,
        # After a turn that used a tool it is false although a hook had kept the turn going.
        goes_on=payload.goes_on or None,
        last_message=text_of(fields, "prompt_response") or "",
        sub_transcripts=_sub_transcripts(payload.transcript, payload.session),
    )


def _sub_transcripts(transcript: Path | None, session: str) -> tuple[Path, ...]:
    # A session's id is a word, and never the way to another folder.
    if transcript is None or not session.replace("-", "").isalnum():
        return ()
    try:
        return tuple(sorted((transcript.parent / session).glob("*.jsonl")))
    except OSError:
        return ()


class GeminiUsage(TranscriptReader):
    """Tells each message's tokens when they are there; one that has none yet is written again with them."""

    def __init__(self, is_sub_agent: bool, _own_turn: str | None = None) -> None:
        super().__init__()
        self._kind = UsageKind.SUB_AGENT if is_sub_agent else UsageKind.WORK
        self._last: str | None = None

    def take(self, line: bytes, _start: int, /) -> None:
        """See `TranscriptReader`."""
        for identity, fields, usage in answers_in(line):
            if identity != self._last:
                self._last = identity
                key, model = f"gemini/{identity}", text_of(fields, "model")
                self._new.append(
                    HostResponse(key=key, usage=usage, kind=self._kind, model=model, at=instant_of(fields))
                )

    def end_of_turn(self, last_message: str | None) -> None:
        """Change nothing: Gemini writes each response whole, so none is open."""

    def carry(self) -> Fields:
        """See `TranscriptReader`."""
        return {"last": self._last}

    def resume(self, carry: Fields) -> None:
        """See `TranscriptReader`."""
        self._last = text_of(carry, "last")


GEMINI: Final = HookHost(name="gemini", read=_read, decision="deny", usage_reader=GeminiUsage, hides_reasons=True)

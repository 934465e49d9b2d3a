"""Gemini CLI, after its hooks reference: SessionStart, BeforeAgent, AfterAgent, PreCompress, SessionEnd.

Sub-agents' recordings stand in a folder beside the session's own, which has the session's id for its name.
"""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Final

from telic.integrations.hosts.claude_code import read_like_claude_code
from telic.integrations.hosts.gemini_usage import GeminiUsage
from telic.integrations.hosts.payload import Host, Moment, Notice
from telic.loop.agents.json_reader import Fields, text_of

_MOMENTS: Final = {
    "SessionStart": Moment.SESSION_START,
    "BeforeAgent": Moment.PROMPT,
    "AfterAgent": Moment.STOP,
    "PreCompress": Moment.BOOKKEEPING,
    "SessionEnd": Moment.BOOKKEEPING,
}


def _read(payload: Fields, environment: Mapping[str, str]) -> Notice | None:
    notice = read_like_claude_code(payload, environment, _MOMENTS, "GEMINI_PROJECT_DIR")
    if notice is None:
        return None
    return replace(
        notice,
        # After a turn that used a tool it is false although a hook had kept the turn going.
        goes_on=notice.goes_on or None,
        last_message=text_of(payload, "prompt_response") or "",
        sub_transcripts=_sub_transcripts(notice.transcript, notice.session),
    )


def _sub_transcripts(transcript: Path | None, session: str) -> tuple[Path, ...]:
    """The recordings of the session's sub-agents. A session's id is a word, and never the way to another folder."""
    if transcript is None or not session.replace("-", "").isalnum():
        return ()
    try:
        return tuple(sorted((transcript.parent / session).glob("*.jsonl")))
    except OSError:
        return ()


GEMINI: Final = Host(name="gemini", read=_read, decision="deny", usage_reader=GeminiUsage, hides_reasons=True)

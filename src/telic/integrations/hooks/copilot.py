"""GitHub Copilot CLI, after its hooks reference: SessionStart and Stop, in its form that has Claude Code's names.

The form with names such as `agentStop` does not say which moment it is. The answer to a prompt's hook is dropped by
Copilot. What the model said last stands in its transcript alone; usage stands in a database beside.
"""

import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Final

from telic.integrations.hooks.claude_code import read_like_claude_code
from telic.integrations.hooks.copilot_usage import copilot_table
from telic.integrations.hooks.notice import Host, Moment, Notice
from telic.integrations.hooks.usage import open_transcript
from telic.loop.agents.parsing import Fields, fields_of, read_values, text_of

_MOMENTS: Final = {
    "SessionStart": Moment.SESSION_START,
    "UserPromptSubmit": Moment.PROMPT,
    "Stop": Moment.STOP,
    "SessionEnd": Moment.BOOKKEEPING,
}
_TAIL_BYTES: Final = 1024 * 1024


def _read(payload: Fields, environment: Mapping[str, str]) -> Notice | None:
    notice = read_like_claude_code(payload, environment, _MOMENTS)
    if notice is None or notice.moment is not Moment.STOP or notice.transcript is None:
        return notice
    return replace(notice, last_message=_last_message(notice.transcript), transcript=None)


def _last_message(transcript: Path) -> str:
    """What the last `assistant.message` near the transcript's end says."""
    file = open_transcript(transcript)
    if file is None:
        return ""
    with file:
        file.seek(max(0, file.seek(0, os.SEEK_END) - _TAIL_BYTES))
        lines = file.read().splitlines()
    for line in reversed(lines):
        for fields in read_values(line) if b"assistant.message" in line else ():
            said = text_of(fields_of(fields, "data"), "content")
            if fields.get("type") == "assistant.message" and said:
                return said
    return ""


COPILOT: Final = Host(
    name="copilot",
    read=_read,
    contexts=frozenset({Moment.SESSION_START}),
    nests_context=False,
    shows_messages=False,
    usage_table=copilot_table,
)

"""What a model said last, as its host's transcript has it: for hosts and releases whose payload does not."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Final

from telic.integrations.hosts.usage import open_transcript
from telic.loop.agents.json_reader import Fields, fields_of, list_of, read_values, text_of

TURN_BEGINS: Final = ""
"""What a line says with which a turn began: nothing before it is of this turn."""

_TAIL_BYTES: Final = 4 * 1024 * 1024


def last_words(transcript: Path | None, said: Callable[[Fields], str | None]) -> str:
    """Return what the last line near the transcript's end says of which `said` tells something; else nothing."""
    file = None if transcript is None else open_transcript(transcript)
    if file is None:
        return ""
    with file:
        file.seek(max(0, file.seek(0, os.SEEK_END) - _TAIL_BYTES))
        lines = file.read().splitlines()
    for line in reversed(lines):
        for fields in read_values(line):
            words = said(fields)
            if words is not None:
                return words
    return ""


def said_in_claude_code(fields: Fields) -> str | None:
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


def said_in_codex(fields: Fields) -> str | None:
    """Return the text of a line of Codex's."""
    payload = fields_of(fields, "payload")
    if payload.get("type") == "task_started":
        return TURN_BEGINS
    if payload.get("type") != "message" or payload.get("role") != "assistant":
        return None
    return "\n".join(filter(None, (text_of(block, "text") for block in list_of(payload, "content")))) or None


def said_in_copilot(fields: Fields) -> str | None:
    """Return the text of a line of Copilot's."""
    if fields.get("type") != "assistant.message":
        return None
    return text_of(fields_of(fields, "data"), "content") or None

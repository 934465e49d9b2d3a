"""What a host's hook tells, whichever host it is, and what can be answered."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from telic.integrations.hosts.usage import UsageReader
from telic.integrations.hosts.usage_rows import UsageTable
from telic.loop.agents.json_reader import Fields, text_of


class Moment(StrEnum):
    """When a hook is called."""

    SESSION_START = "session_start"
    PROMPT = "prompt"
    STOP = "stop"
    SUB_AGENT_STOP = "sub_agent_stop"
    BOOKKEEPING = "bookkeeping"
    """The host takes no answer, but its transcript can be read: before compaction, and at the end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """One call of a hook.

    `event` is the host's own name for the moment. `goes_on` tells whether the present turn was already kept going by
    a hook; None where the host does not say. `last_message` is what the model said last, `sub_transcripts` are the
    transcripts of its sub-agents, `ended_sub_transcript` that of the one whose end this is. `turn` is the present
    turn's id, `prompt` what the user typed, `source` why the session starts. The session `wakes_by_itself` where
    something runs in the background, and `takes_feedback` where its release goes on with what is no refusal.
    """

    moment: Moment
    event: str
    session: str
    folder: Path
    transcript: Path | None = None
    sub_transcripts: tuple[Path, ...] = ()
    ended_sub_transcript: Path | None = None
    goes_on: bool | None = None
    last_message: str = ""
    turn: str | None = None
    prompt: str = ""
    source: str = ""
    wakes_by_itself: bool = False
    takes_feedback: bool = False
    is_session_over: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Host:
    """A program whose hooks are answered: how its payload is read, and which answers it takes.

    It takes text for the model at the moments of `contexts`, inside `hookSpecificOutput` or, if not `nests_context`,
    flat. `decision` is its word for going on. `block_cap` is how many times in a row it lets a hook keep a turn
    going, `cap_variable` the environment variable that sets it; None where there is no such limit. `usage_reader`
    makes a reader of its transcripts, for a sub-agent's or the session's own, and told the present turn's id;
    `usage_table` names its database of usage; each is None where the host has no such thing. `context_variable` is
    the environment variable that names a file which the host shows to its model with every request. It tells of
    each compaction where `tells_compaction`, and `hides_reasons` where it shows a message in a reason's place.
    """

    name: str
    read: Callable[[Fields, Mapping[str, str]], Notice | None]
    contexts: frozenset[Moment] = frozenset({Moment.SESSION_START, Moment.PROMPT})
    nests_context: bool = True
    decision: str = "block"
    shows_messages: bool = True
    block_cap: int | None = None
    cap_variable: str | None = None
    usage_reader: Callable[[bool, str | None], UsageReader] | None = None
    usage_table: Callable[[Mapping[str, str]], UsageTable] | None = None
    context_variable: str | None = None
    tells_compaction: bool = False
    hides_reasons: bool = False

    def context(self, notice: Notice, text: str) -> Fields | None:
        """The answer that gives the model this text, or None where the host takes none at this moment."""
        if notice.moment not in self.contexts:
            return None
        if not self.nests_context:
            return {"additionalContext": text}
        return {"hookSpecificOutput": {"hookEventName": notice.event, "additionalContext": text}}

    def keep_going(self, notice: Notice, text: str, message: str) -> Fields:
        """The answer that begins another turn with this text; the user reads the message, where there is a way."""
        if notice.takes_feedback:
            told = {"hookEventName": notice.event, "additionalContext": text}
            return {"systemMessage": message, "hookSpecificOutput": told}
        refusal = {"decision": self.decision, "reason": text}
        return refusal | ({"systemMessage": message} if self.hides_reasons else {})

    def tell_user(self, text: str) -> Fields | None:
        """The answer that shows this text to the user and changes nothing, or None where the host has none."""
        return {"systemMessage": text} if self.shows_messages else None


def path_of(fields: Fields, name: str) -> Path | None:
    """The absolute path under the name, or None."""
    text = text_of(fields, name)
    if not text or "\0" in text:
        return None
    try:
        path = Path(text).expanduser()
    except RuntimeError:
        return None
    return path if path.is_absolute() else None


def folder_of(fields: Fields, environment: Mapping[str, str], *names: str) -> Path:
    """The project's folder: what an environment variable of these names says, or else the payload or the process."""
    for text in (*(environment.get(name) for name in names), text_of(fields, "cwd"), text_of(fields, "working_dir")):
        if text and "\0" not in text and Path(text).is_absolute():
            return Path(text)
    try:
        return Path.cwd()
    except FileNotFoundError:
        return Path("/")


def with_message(answer: Fields | None, message: str) -> Fields:
    """The answer, which also shows this text to the user, before what it shows already."""
    shown = [message, *([text] if answer and (text := text_of(answer, "systemMessage")) else [])]
    return {**(answer or {}), "systemMessage": " ".join(shown)}


def bool_of(fields: Fields, name: str) -> bool | None:
    """The truth value under the name, or None."""
    value = fields.get(name)
    return value if isinstance(value, bool) else None


def to_line(answer: Fields) -> bytes:
    """The answer as the one line that the host reads, ASCII only."""
    data: dict[str, Any] = dict(answer)
    return json.dumps(data).encode() + b"\n"

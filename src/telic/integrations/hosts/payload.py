"""A host's call of its hook, in one form for all hosts, and the answers that it takes."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

from telic.integrations.hosts.usage_sources import HostResponse, TranscriptReader
from telic.loop.agents.json_reader import Fields, text_of
from telic.loop.agents.protocol import claim_instructions
from telic.loop.agents.usage_records import UsageTable
from telic.prompt import SHORT_START


class HookEvent(StrEnum):
    """When a hook is called."""

    SESSION_START = "session_start"
    PROMPT = "prompt"
    STOP = "stop"
    SUB_AGENT_STOP = "sub_agent_stop"
    BOOKKEEPING = "bookkeeping"
    """The host takes no answer, but its transcript can be read: before compaction, and at the end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HookPayload:
    """One call of a hook.

    `event_name` is the host's own name for the event. `goes_on` tells whether a hook already kept the present turn
    going; None where the host does not say. `last_message` is what the model said last, `sub_transcripts` are the
    transcripts of its sub-agents, `ended_sub_transcript` that of the one whose end this is. `turn` is the present
    turn's id, `prompt` what the user typed, `source` why the session starts. The session `wakes_by_itself` where
    something runs in the background, and `takes_feedback` where its release goes on with what is no refusal.
    """

    event: HookEvent
    event_name: str
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
class HookHost:
    """A program whose hooks are answered: how its payload is read, and which answers it takes.

    It takes text for the model at the events of `contexts`, inside `hookSpecificOutput` or, if not `nests_context`,
    flat. `decision` is its word for going on. `block_cap` is how many times in a row it lets a hook keep a turn
    going, `cap_variable` the environment variable that sets it; None where there is no such limit. `usage_reader`
    makes a reader of its transcripts, for a sub-agent's or the session's own, and told the present turn's id;
    `usage_table` names its database of usage; each is None where the host has no such thing. `context_variable` is
    the environment variable that names a file which the host shows to its model with every request. It tells of
    each compaction where `tells_compaction`, and `hides_reasons` where it shows a message in a reason's place.
    """

    name: str
    read: Callable[[Fields, Mapping[str, str]], HookPayload | None]
    contexts: frozenset[HookEvent] = frozenset({HookEvent.SESSION_START, HookEvent.PROMPT})
    nests_context: bool = True
    decision: str = "block"
    shows_messages: bool = True
    block_cap: int | None = None
    cap_variable: str | None = None
    usage_reader: Callable[[bool, str | None], TranscriptReader] | None = None
    usage_table: Callable[[Mapping[str, str]], UsageTable[HostResponse]] | None = None
    context_variable: str | None = None
    tells_compaction: bool = False
    hides_reasons: bool = False

    def context(self, payload: HookPayload, text: str) -> Fields | None:
        """The answer that gives the model this text, or None where the host takes none at this event."""
        if payload.event not in self.contexts:
            return None
        if not self.nests_context:
            return {"additionalContext": text}
        return {"hookSpecificOutput": {"hookEventName": payload.event_name, "additionalContext": text}}

    def keep_going(self, payload: HookPayload, text: str, message: str) -> Fields:
        """The answer that begins another turn with this text; the user reads the message, where there is a way."""
        if payload.takes_feedback:
            told = {"hookEventName": payload.event_name, "additionalContext": text}
            return {"systemMessage": message, "hookSpecificOutput": told}
        refusal = {"decision": self.decision, "reason": text}
        return refusal | ({"systemMessage": message} if self.hides_reasons else {})

    def tell_user(self, text: str) -> Fields | None:
        """The answer that shows this text to the user and changes nothing, or None where the host has none."""
        return {"systemMessage": text} if self.shows_messages else None


def _path_of(fields: Fields, name: str) -> Path | None:
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


_CONTINUATIONS: Final = (claim_instructions(), SHORT_START)
"""The beginnings of texts that keep a turn going."""


COMMON_EVENTS: Final = {
    "SessionStart": HookEvent.SESSION_START,
    "UserPromptSubmit": HookEvent.PROMPT,
    "Stop": HookEvent.STOP,
    "SubagentStop": HookEvent.SUB_AGENT_STOP,
    "PreCompact": HookEvent.BOOKKEEPING,
    "SessionEnd": HookEvent.BOOKKEEPING,
}
"""The events of Claude Code and of Codex, by their names."""


def read_common_payload(
    fields: Fields, environment: Mapping[str, str], events: Mapping[str, HookEvent], *folder_variables: str
) -> HookPayload | None:
    """Return the call that a payload of Claude Code's form tells; other hosts use it too."""
    name, session = text_of(fields, "hook_event_name") or "", text_of(fields, "session_id")
    event = events.get(name)
    if event is None or not session:
        return None
    # A sub-agent's own prompt or stop, as Codex and Copilot report them, is not the session's: the goal is not its.
    if event is not HookEvent.SUB_AGENT_STOP and text_of(fields, "agent_id"):
        return None
    # What keeps a turn going comes back as a prompt in Gemini CLI and Copilot: not the user's, and it tells the goal.
    if event is HookEvent.PROMPT and (text_of(fields, "prompt") or "").startswith(_CONTINUATIONS):
        event = HookEvent.BOOKKEEPING
    transcript, named = _path_of(fields, "transcript_path"), _path_of(fields, "agent_transcript_path")
    return HookPayload(
        event=event,
        event_name=name,
        session=session,
        folder=folder_of(fields, environment, *folder_variables),
        transcript=transcript,
        sub_transcripts=_sub_transcripts(transcript, named),
        ended_sub_transcript=named if event is HookEvent.SUB_AGENT_STOP else None,
        goes_on=_bool_of(fields, "stop_hook_active"),
        last_message=text_of(fields, "last_assistant_message") or "",
        turn=text_of(fields, "turn_id"),
        prompt=text_of(fields, "prompt") or "",
        source=text_of(fields, "source") or "",
        is_session_over=name == "SessionEnd",
    )


def _sub_transcripts(transcript: Path | None, named: Path | None) -> tuple[Path, ...]:
    # A workflow puts its agents' files deeper; a payload names one of them that has just ended.
    folder = None if transcript is None else transcript.with_suffix("") / "subagents"
    try:
        beside = [] if folder is None else sorted(folder.rglob("*.jsonl"))
    except OSError:
        beside = []
    return (*(path for path in beside if path != named), *(() if named is None else (named,)))


def with_message(answer: Fields | None, message: str) -> Fields:
    """The answer, which also shows this text to the user, before what it shows already."""
    shown = [message, *([text] if answer and (text := text_of(answer, "systemMessage")) else [])]
    return {**(answer or {}), "systemMessage": " ".join(shown)}


def _bool_of(fields: Fields, name: str) -> bool | None:
    value = fields.get(name)
    return value if isinstance(value, bool) else None


def to_line(answer: Fields) -> bytes:
    """The answer as the one line that the host reads, ASCII only."""
    data: dict[str, Any] = dict(answer)
    return json.dumps(data).encode() + b"\n"

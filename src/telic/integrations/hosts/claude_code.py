"""Claude Code, after its hooks reference of 2.1.

Its moments are SessionStart, UserPromptSubmit, Stop, SubagentStop, PreCompact and SessionEnd.

Compaction forgets what hooks have said, and calls SessionStart again with the source `compact`. Claude Code ends a
turn that its Stop hooks have kept going eight times in a row.
"""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Final

from telic.integrations.hosts.claude_code_usage import ClaudeCodeUsage
from telic.integrations.hosts.last_words import last_words, said_in_claude_code
from telic.integrations.hosts.payload import Host, Moment, Notice, bool_of, folder_of, path_of
from telic.loop.agents.claims import claim_instructions
from telic.loop.agents.json_reader import Fields, list_of, text_of
from telic.prompt import SHORT_START

_MOMENTS: Final = {
    "SessionStart": Moment.SESSION_START,
    "UserPromptSubmit": Moment.PROMPT,
    "Stop": Moment.STOP,
    "SubagentStop": Moment.SUB_AGENT_STOP,
    "PreCompact": Moment.BOOKKEEPING,
    "SessionEnd": Moment.BOOKKEEPING,
}


_CONTINUATIONS: Final = (claim_instructions(), SHORT_START)
"""What texts begin with that keep a turn going."""


def read_like_claude_code(
    payload: Fields, environment: Mapping[str, str], moments: Mapping[str, Moment], *folder_variables: str
) -> Notice | None:
    """What a payload of Claude Code's form tells; other hosts use it too."""
    event, session = text_of(payload, "hook_event_name") or "", text_of(payload, "session_id")
    moment = moments.get(event)
    if moment is None or not session:
        return None
    # A sub-agent's own prompt or stop, as Codex and Copilot report them, is not the session's: the goal is not its.
    if moment is not Moment.SUB_AGENT_STOP and text_of(payload, "agent_id"):
        return None
    # What keeps a turn going comes back as a prompt in Gemini CLI and Copilot: not the user's, and it tells the goal.
    if moment is Moment.PROMPT and (text_of(payload, "prompt") or "").startswith(_CONTINUATIONS):
        moment = Moment.BOOKKEEPING
    transcript, named = path_of(payload, "transcript_path"), path_of(payload, "agent_transcript_path")
    return Notice(
        moment=moment,
        event=event,
        session=session,
        folder=folder_of(payload, environment, *folder_variables),
        transcript=transcript,
        sub_transcripts=_sub_transcripts(transcript, named),
        ended_sub_transcript=named if moment is Moment.SUB_AGENT_STOP else None,
        goes_on=bool_of(payload, "stop_hook_active"),
        last_message=text_of(payload, "last_assistant_message") or "",
        turn=text_of(payload, "turn_id"),
        prompt=text_of(payload, "prompt") or "",
        source=text_of(payload, "source") or "",
        is_session_over=event == "SessionEnd",
    )


def _sub_transcripts(transcript: Path | None, named: Path | None) -> tuple[Path, ...]:
    """The files beside a session's own, however deep a workflow has put them, and the one that the payload names."""
    folder = None if transcript is None else transcript.with_suffix("") / "subagents"
    try:
        beside = [] if folder is None else sorted(folder.rglob("*.jsonl"))
    except OSError:
        beside = []
    return (*(path for path in beside if path != named), *(() if named is None else (named,)))


def _read(payload: Fields, environment: Mapping[str, str]) -> Notice | None:
    notice = read_like_claude_code(payload, environment, _MOMENTS, "CLAUDE_PROJECT_DIR")
    if notice is None or notice.moment is not Moment.STOP:
        return notice
    if "last_assistant_message" not in payload:
        notice = replace(notice, last_message=last_words(notice.transcript, said_in_claude_code))
    wakes = bool(list_of(payload, "background_tasks") or list_of(payload, "session_crons"))
    # The releases that tell of background tasks take feedback from a hook; to older ones a refusal is the only way.
    return replace(notice, wakes_by_itself=wakes, takes_feedback="background_tasks" in payload)


CLAUDE_CODE: Final = Host(
    name="claude-code",
    read=_read,
    block_cap=8,
    cap_variable="CLAUDE_CODE_STOP_HOOK_BLOCK_CAP",
    usage_reader=ClaudeCodeUsage,
    tells_compaction=True,
)

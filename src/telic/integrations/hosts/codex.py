"""Codex, after the schemas of its hooks at 0.163: SessionStart, UserPromptSubmit, Stop.

Its answers have Claude Code's form, and a field that Codex does not know makes it drop the whole answer. It has no
limit of its own on how often a Stop hook keeps a turn going.
"""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Final

from telic.integrations.hosts.claude_code import read_like_claude_code
from telic.integrations.hosts.codex_usage import CodexUsage
from telic.integrations.hosts.last_words import last_words, said_in_codex
from telic.integrations.hosts.payload import Host, Moment, Notice
from telic.loop.agents.codex_rollouts import belongs_to
from telic.loop.agents.json_reader import Fields, text_of

_MOMENTS: Final = {
    "SessionStart": Moment.SESSION_START,
    "UserPromptSubmit": Moment.PROMPT,
    "Stop": Moment.STOP,
    "SubagentStop": Moment.SUB_AGENT_STOP,
    "PreCompact": Moment.BOOKKEEPING,
    "SessionEnd": Moment.BOOKKEEPING,
}


_DAYS: Final = "[0-9][0-9][0-9][0-9]/[0-9][0-9]/[0-9][0-9]"
"""The folders that the threads of a day lie in."""

_DAYS_ABOVE: Final = 3
_MOST_LATER_FILES: Final = 200


def _read(payload: Fields, environment: Mapping[str, str]) -> Notice | None:
    notice = read_like_claude_code(payload, environment, _MOMENTS)
    if notice is None:
        return None
    notice = replace(notice, sub_transcripts=_with_later_threads(notice))
    if notice.moment is not Moment.STOP or text_of(payload, "last_assistant_message") is not None:
        return notice
    return replace(notice, last_message=last_words(notice.transcript, said_in_codex))


def _with_later_threads(notice: Notice) -> tuple[Path, ...]:
    """The files of the session's sub-agents: one that was killed has no hook of its own that would name it.

    They are among the newest files, and newer than the session's.
    """
    named, own = notice.sub_transcripts, notice.transcript
    if own is None or not own.name.startswith("rollout-") or len(own.parents) <= _DAYS_ABOVE:
        return named
    try:
        days = sorted(day for day in own.parents[_DAYS_ABOVE].glob(_DAYS) if day >= own.parent)
        later = [path for day in days for path in sorted(day.glob("rollout-*.jsonl")) if path > own]
    except OSError:
        return named
    found = [path for path in later[-_MOST_LATER_FILES:] if path not in named and belongs_to(path, notice.session)]
    return (*found, *named)


CODEX: Final = Host(name="codex", read=_read, usage_reader=CodexUsage, tells_compaction=True)

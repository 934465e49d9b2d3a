"""Codex, after the schemas of its hooks at 0.163: SessionStart, UserPromptSubmit, Stop.

Its answers have Claude Code's form, and a field that Codex does not know makes it drop the whole answer. It has no
limit of its own on how often a Stop hook keeps a turn going.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from telic.integrations.hooks.claude_code import read_like_claude_code
from telic.integrations.hooks.codex_usage import CodexUsage
from telic.integrations.hooks.last_words import last_words, said_in_codex
from telic.integrations.hooks.notice import Host, Moment, Notice
from telic.loop.agents.parsing import Fields, text_of

_MOMENTS: Final = {
    "SessionStart": Moment.SESSION_START,
    "UserPromptSubmit": Moment.PROMPT,
    "Stop": Moment.STOP,
    "SubagentStop": Moment.SUB_AGENT_STOP,
    "PreCompact": Moment.BOOKKEEPING,
    "SessionEnd": Moment.BOOKKEEPING,
}


def _read(payload: Fields, environment: Mapping[str, str]) -> Notice | None:
    notice = read_like_claude_code(payload, environment, _MOMENTS)
    if notice is None or notice.moment is not Moment.STOP or text_of(payload, "last_assistant_message") is not None:
        return notice
    return replace(notice, last_message=last_words(notice.transcript, said_in_codex))


CODEX: Final = Host(name="codex", read=_read, usage_reader=CodexUsage, tells_compaction=True)

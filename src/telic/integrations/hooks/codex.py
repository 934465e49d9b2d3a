"""Codex, after the schemas of its hooks at 0.163: SessionStart, UserPromptSubmit, Stop.

Its answers have Claude Code's form, and a field that Codex does not know makes it drop the whole answer. It has no
limit of its own on how often a Stop hook keeps a turn going.
"""

from collections.abc import Mapping
from typing import Final

from telic.integrations.hooks.claude_code import read_like_claude_code
from telic.integrations.hooks.codex_usage import CodexUsage
from telic.integrations.hooks.notice import Host, Moment, Notice
from telic.loop.agents.parsing import Fields

_MOMENTS: Final = {
    "SessionStart": Moment.SESSION_START,
    "UserPromptSubmit": Moment.PROMPT,
    "Stop": Moment.STOP,
    "SubagentStop": Moment.SUB_AGENT_STOP,
    "PreCompact": Moment.BOOKKEEPING,
    "SessionEnd": Moment.BOOKKEEPING,
}


def _read(payload: Fields, environment: Mapping[str, str]) -> Notice | None:
    return read_like_claude_code(payload, environment, _MOMENTS)


CODEX: Final = Host(name="codex", read=_read, usage_reader=CodexUsage)

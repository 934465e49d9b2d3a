"""GitHub Copilot CLI, after its hooks reference: SessionStart and Stop, in its form that has Claude Code's names.

The form with names such as `agentStop` does not say which moment it is. The answer to a prompt's hook is dropped by
Copilot. What the model said last stands in its transcript alone; usage stands in a database beside.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from telic.integrations.hosts.claude_code import read_like_claude_code
from telic.integrations.hosts.copilot_usage import copilot_table
from telic.integrations.hosts.last_words import last_words, said_in_copilot
from telic.integrations.hosts.payload import Host, Moment, Notice
from telic.loop.agents.json_reader import Fields

_MOMENTS: Final = {
    "SessionStart": Moment.SESSION_START,
    "UserPromptSubmit": Moment.PROMPT,
    "Stop": Moment.STOP,
    "SessionEnd": Moment.BOOKKEEPING,
}


def _read(payload: Fields, environment: Mapping[str, str]) -> Notice | None:
    notice = read_like_claude_code(payload, environment, _MOMENTS)
    if notice is None or notice.moment is not Moment.STOP or notice.transcript is None:
        return notice
    return replace(notice, last_message=last_words(notice.transcript, said_in_copilot), transcript=None)


COPILOT: Final = Host(
    name="copilot",
    read=_read,
    contexts=frozenset({Moment.SESSION_START}),
    nests_context=False,
    shows_messages=False,
    usage_table=copilot_table,
)

"""Gemini CLI, after its hooks reference: SessionStart, BeforeAgent, AfterAgent.

Its transcript is written anew as a whole with every message, so that usage is not counted from it.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from telic.integrations.hooks.claude_code import read_like_claude_code
from telic.integrations.hooks.notice import Host, Moment, Notice
from telic.loop.agents.parsing import Fields, text_of

_MOMENTS: Final = {
    "SessionStart": Moment.SESSION_START,
    "BeforeAgent": Moment.PROMPT,
    "AfterAgent": Moment.STOP,
    "PreCompress": Moment.BOOKKEEPING,
    "SessionEnd": Moment.BOOKKEEPING,
}


def _read(payload: Fields, environment: Mapping[str, str]) -> Notice | None:
    notice = read_like_claude_code(payload, environment, _MOMENTS, "GEMINI_PROJECT_DIR")
    return None if notice is None else replace(notice, last_message=text_of(payload, "prompt_response") or "")


GEMINI: Final = Host(name="gemini", read=_read, decision="deny")

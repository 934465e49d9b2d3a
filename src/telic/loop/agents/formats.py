"""The formats that agents print, by name."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from telic.loop.agents.claude_code import ClaudeCodeParser
from telic.loop.agents.codex import CodexParser
from telic.loop.agents.cumulative import read_session
from telic.loop.agents.json_lines import JsonLinesParser
from telic.loop.agents.parsing import OutputParser
from telic.loop.agents.plain import PlainParser


def _same(session: str) -> str:
    return session


def _id_alone(session: str) -> str:
    read = read_session(session)
    return "" if read is None else read.id


@dataclass(frozen=True, slots=True)
class OutputFormat:
    """How a command's output is read: a parser for each turn, and the id that continues a session."""

    name: str
    parser: Callable[[str | None], OutputParser]
    session_id: Callable[[str], str] = _same


PLAIN: Final = OutputFormat("plain", lambda _: PlainParser())
JSON_LINES: Final = OutputFormat("json_lines", lambda _: JsonLinesParser())
CLAUDE_CODE: Final = OutputFormat("claude_code", ClaudeCodeParser, _id_alone)
CODEX: Final = OutputFormat("codex", CodexParser, _id_alone)

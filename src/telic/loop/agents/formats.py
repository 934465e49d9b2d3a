"""The formats that agents print, by name."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from telic.loop.agents.claude_code import ClaudeCodeParser
from telic.loop.agents.codex import CodexParser
from telic.loop.agents.codex_rollouts import CodexRollouts
from telic.loop.agents.copilot import CopilotParser, CopilotStore
from telic.loop.agents.gemini import GeminiParser, GeminiRecordings
from telic.loop.agents.json_lines import JsonLinesParser
from telic.loop.agents.json_reader import OutputParser
from telic.loop.agents.opencode import OpencodeDatabase, OpencodeParser
from telic.loop.agents.plain import PlainParser
from telic.loop.agents.qwen import QwenParser
from telic.loop.agents.records import UsageRecords
from telic.loop.agents.usage_delta import read_session


def _same(session: str) -> str:
    return session


def _id_alone(session: str) -> str:
    read = read_session(session)
    return "" if read is None else read.id


@dataclass(frozen=True, slots=True)
class OutputFormat:
    """How a command's output is read: a parser for each turn, and the id that continues a session.

    `records` gives what reads the host's own files, by the command's environment and the session. A format that
    `tells_usage` says how many tokens each turn used, and one that `tells_cost` what it cost, perhaps at its end only.
    A host's own format
    tells of its limits and conversations in that host's words. One that `prints_before_it_asks` has asked its model for
    nothing as long as it has printed nothing.
    """

    name: str
    parser: Callable[[str | None], OutputParser]
    session_id: Callable[[str], str] = _same
    records: Callable[[Mapping[str, str], str | None], UsageRecords] | None = None
    tells_usage: bool = True
    tells_cost: bool = False
    tells_cost_at_end: bool = False
    is_host: bool = True
    prints_before_it_asks: bool = True


PLAIN: Final = OutputFormat(
    "plain", lambda _: PlainParser(), tells_usage=False, is_host=False, prints_before_it_asks=False
)
JSON_LINES: Final = OutputFormat(
    "json_lines", lambda _: JsonLinesParser(), tells_cost=True, is_host=False, prints_before_it_asks=False
)
CLAUDE_CODE: Final = OutputFormat("claude_code", ClaudeCodeParser, _id_alone, tells_cost=True, tells_cost_at_end=True)
CODEX: Final = OutputFormat("codex", CodexParser, _id_alone, CodexRollouts)
GEMINI: Final = OutputFormat("gemini", GeminiParser, _id_alone, GeminiRecordings)
COPILOT: Final = OutputFormat("copilot", CopilotParser, _id_alone, CopilotStore)
OPENCODE: Final = OutputFormat(
    "opencode", OpencodeParser, _id_alone, OpencodeDatabase, tells_cost=True, prints_before_it_asks=False
)
QWEN: Final = OutputFormat("qwen", QwenParser, _id_alone)

"""Gemini CLI: the output of `gemini -p` with `--output-format stream-json`, and the recordings of its sessions.

Checked against Gemini CLI 0.61.0. The last line has the usage of this process, with sub-agents and the host's own
calls; thoughts are in its total alone, neither in input nor in output. A recording has the tokens of each message:
thoughts beside the output, and the input of tools beside the model's own.
"""

from collections.abc import Mapping
from pathlib import Path

from telic.domain.budget import ModelUsage
from telic.domain.errors import InvalidNumber
from telic.loop.agents.formats import HostParser
from telic.loop.agents.json_reader import Fields, amount_of, fields_of, read_values, text_of
from telic.loop.agents.usage_records import GrowingFiles, RecordedResponse, SessionRecords, home

_ID_CHARS = 8


class GeminiParser(HostParser):
    """Follows the messages of one run."""

    def __init__(self, session: str | None = None) -> None:
        super().__init__(session)
        self._is_open = False
        self._total: ModelUsage | None = None

    def _message(self, fields: Fields) -> None:
        kind = fields.get("type")
        self._has_answered = self._has_answered or kind in ("tool_use", "tool_result")
        match kind:
            case "init":
                self._session = text_of(fields, "session_id") or self._session
                self._model = text_of(fields, "model")
            case "message" if fields.get("role") == "assistant":
                self._has_answered = True
                self._say(text_of(fields, "content") or "", fields.get("delta") is True)
            case "tool_result":
                self._is_open = False
                self._tool_output.add(text_of(fields, "output") or "")
            case "error":
                self._failure = text_of(fields, "message") or "the agent reports an error"
            case "result":
                self._take_result(fields)
            case _:
                self._is_open = False

    def _say(self, text: str, is_piece: bool) -> None:
        # Pieces of one message come one by one; the last message is what counts.
        self._text = self._text + text if is_piece and self._is_open else text
        self._is_open = is_piece

    def _take_result(self, fields: Fields) -> None:
        self._finished = True
        is_error = fields.get("status") == "error"
        said = text_of(fields_of(fields, "error"), "message")
        self._failure = (said or self._failure or "the turn failed") if is_error else None
        self._total = _stats(fields_of(fields, "stats"))

    def _usage(self) -> ModelUsage | None:
        return self._total


def _stats(stats: Fields) -> ModelUsage | None:
    total, asked = amount_of(stats, "total_tokens"), amount_of(stats, "input_tokens")
    output, cached = amount_of(stats, "output_tokens") or 0, amount_of(stats, "cached") or 0
    if total is None or asked is None:
        return None
    thoughts = max(total - asked - output, 0)
    return ModelUsage(
        input_tokens=asked,
        cached_input_tokens=min(cached, asked),
        output_tokens=output + thoughts,
        reasoning_tokens=thoughts,
    )


class GeminiRecordings(SessionRecords):
    """Follows the recordings of one session and of its sub-agents."""

    def __init__(self, environment: Mapping[str, str], session: str | None) -> None:
        super().__init__(session)
        self._folder = home(environment) / ".gemini" / "tmp"
        self._files = GrowingFiles()

    def _read(self) -> None:
        for line in self._files.lines(self._paths()):
            # Most lines are long and of no interest: to read them all as JSON would cost much.
            if b'"tokens"' in line and b'"gemini"' in line:
                for fields in read_values(line):
                    self._take(fields)

    def _paths(self) -> list[Path]:
        if self._session is None:
            return []
        own = self._folder.glob(f"*/chats/session-*-{self._session[:_ID_CHARS]}.jsonl")
        return sorted({*own, *self._folder.glob(f"*/chats/{self._session}/**/*.jsonl")})

    def _take(self, fields: Fields) -> None:
        identity, tokens = text_of(fields, "id"), fields_of(fields, "tokens")
        if fields.get("type") != "gemini" or identity is None or not tokens:
            return
        self._model = text_of(fields, "model") or self._model
        self._responses.take(RecordedResponse(identity, recorded_tokens(tokens)))


def recorded_tokens(tokens: Fields) -> ModelUsage | None:
    """Return the usage in the `tokens` of a recorded message; None where a count is none."""
    try:
        asked, answered, thoughts = (amount_of(tokens, name) for name in ("input", "output", "thoughts"))
        if asked is None or answered is None:
            return None
        asked += amount_of(tokens, "tool") or 0
        return ModelUsage(
            input_tokens=asked,
            cached_input_tokens=min(amount_of(tokens, "cached") or 0, asked),
            output_tokens=answered + (thoughts or 0),
            reasoning_tokens=thoughts or 0,
        )
    except InvalidNumber:
        return None

"""Gemini CLI: the output of `gemini -p` with `--output-format stream-json`, and the recordings of its sessions.

Checked against Gemini CLI 0.61.0. The last line has the usage of this process, with sub-agents and the host's own
calls; thoughts are in its total alone, neither in input nor in output. A recording has the tokens of each message:
thoughts beside the output, and the input of tools beside the model's own, unless its `total` says that they are inside.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path

from telic.domain.budget import ModelUsage
from telic.loop.agents.formats import HostParser
from telic.loop.agents.json_reader import Fields, amount_of, fields_of, model_usage, read_values, text_of
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
            for identity, fields, usage in answers_in(line):
                self._model = text_of(fields, "model") or self._model
                self._responses.take(RecordedResponse(identity, usage))

    def _paths(self) -> list[Path]:
        if self._session is None:
            return []
        own = self._folder.glob(f"*/chats/session-*-{self._session[:_ID_CHARS]}.jsonl")
        return sorted({*own, *self._folder.glob(f"*/chats/{self._session}/**/*.jsonl")})


def answers_in(line: bytes) -> Iterator[tuple[str, Fields, ModelUsage | None]]:
    """Give each message of the model in a line of a recording that has its tokens: its id, its fields, its usage.

    The usage is None where a count is none.
    """
    # Most lines are long and of no interest: to read them all as JSON would cost much.
    if b'"tokens"' not in line or b'"gemini"' not in line:
        return
    for fields in read_values(line):
        identity, tokens = text_of(fields, "id"), fields_of(fields, "tokens")
        if fields.get("type") == "gemini" and identity and tokens:
            yield identity, fields, _recorded_usage(tokens)


def _recorded_usage(tokens: Fields) -> ModelUsage | None:
    def sum_of(whole: str, beside: str) -> int | None:
        # Without the whole nothing is known; what comes beside it may be left out.
        counts = [count for count in (tokens.get(whole), tokens.get(beside) or 0) if type(count) is int and count >= 0]
        return sum(counts) if len(counts) == len((whole, beside)) else None

    return model_usage(
        input_tokens=sum_of("input", "tool"),
        cached_input_tokens=tokens.get("cached"),
        output_tokens=sum_of("output", "thoughts"),
        reasoning_tokens=tokens.get("thoughts"),
        total_tokens=tokens.get("total"),
    )

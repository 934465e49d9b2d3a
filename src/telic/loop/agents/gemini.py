"""What `gemini -p` prints with `--output-format stream-json`, and the recordings of its sessions.

Checked against Gemini CLI 0.61.0. The last line has what this process used, with sub-agents and the host's own calls;
thoughts are in its total alone, neither in input nor in output. A recording has the tokens of each message: thoughts
beside the output, and what tools read of the model's own beside the input.
"""

from collections.abc import Mapping
from pathlib import Path

from telic.domain.budget import ModelUsage
from telic.domain.clock import Instant
from telic.domain.errors import InvalidNumber
from telic.loop.agents.claims import read_claim
from telic.loop.agents.json_reader import Fields, Parsed, TextTail, count_of, fields_of, read_values, text_of
from telic.loop.agents.provider_errors import quota_of
from telic.loop.agents.usage_records import (
    GrowingFiles,
    RecordedResponse,
    RecordedResponses,
    home,
    read_session,
    with_recorded,
)

_ID_CHARS = 8


class GeminiParser:
    """Follows the messages of one run."""

    def __init__(self, session: str | None = None) -> None:
        self._session: str | None = session
        self._model: str | None = None
        self._said = ""
        self._is_open = False
        self._tool_output = TextTail()
        self._usage: ModelUsage | None = None
        self._finished = False
        self._failure: str | None = None
        self._broken: str | None = None

    def take(self, line: bytes) -> None:
        """The message of the line is taken in; what is no JSON was not said by Gemini CLI."""
        for fields in read_values(line):
            try:
                self._message(fields)
            except InvalidNumber as error:
                self._broken = str(error)

    def _message(self, fields: Fields) -> None:
        match fields.get("type"):
            case "init":
                self._session = text_of(fields, "session_id") or self._session
                self._model = text_of(fields, "model")
            case "message" if fields.get("role") == "assistant":
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
        """Pieces of one message come one by one; the last message is what counts."""
        self._said = self._said + text if is_piece and self._is_open else text
        self._is_open = is_piece

    def _take_result(self, fields: Fields) -> None:
        self._finished = True
        is_error = fields.get("status") == "error"
        told = text_of(fields_of(fields, "error"), "message")
        self._failure = (told or self._failure or "the turn failed") if is_error else None
        self._usage = _stats(fields_of(fields, "stats"))

    def so_far(self) -> Parsed:
        """See `OutputParser`."""
        return Parsed(usage=self._usage, model=self._model, session=_session(self._session))

    def parsed(self, now: Instant) -> Parsed:
        """What the messages say."""
        return Parsed(
            text=self._said,
            usage=self._usage,
            is_estimate=not self._finished,
            model=self._model,
            statement=read_claim(self._said, now),
            session=_session(self._session),
            tool_output_tail=str(self._tool_output),
            quota=quota_of(self._failure, now),
            finished=self._finished,
            failure=self._failure,
            broken=self._broken,
        )


def _session(text: str | None) -> str | None:
    session = read_session(text)
    return None if session is None else session.id


def _stats(stats: Fields) -> ModelUsage | None:
    total, asked = count_of(stats, "total_tokens"), count_of(stats, "input_tokens")
    output, cached = count_of(stats, "output_tokens") or 0, count_of(stats, "cached") or 0
    if total is None or asked is None:
        return None
    thoughts = max(total - asked - output, 0)
    return ModelUsage(
        input_tokens=asked,
        cached_input_tokens=min(cached, asked),
        output_tokens=output + thoughts,
        reasoning_tokens=thoughts,
    )


class GeminiRecordings:
    """Follows the recordings of one session and of its sub-agents."""

    def __init__(self, environment: Mapping[str, str], session: str | None) -> None:
        self._folder = home(environment) / ".gemini" / "tmp"
        self._session = _session(session)
        self._files = GrowingFiles()
        self._responses = RecordedResponses()
        self._model: str | None = None

    def begin(self) -> None:
        """See `UsageRecords`."""
        self._read()
        self._responses.begin()

    def improve(self, parsed: Parsed) -> Parsed:
        """See `UsageRecords`."""
        self._session = _session(parsed.session) or self._session
        self._read()
        return with_recorded(parsed, self._responses.total, self._model)

    def _read(self) -> None:
        for line in self._files.lines(self._paths()):
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
        try:
            self._responses.take(RecordedResponse(identity, recorded_tokens(tokens)))
        except InvalidNumber:
            return


def recorded_tokens(tokens: Fields) -> ModelUsage:
    """What the `tokens` of a recorded message say.

    Raises:
        InvalidNumber: a count is none.
    """
    asked = (count_of(tokens, "input") or 0) + (count_of(tokens, "tool") or 0)
    thoughts = count_of(tokens, "thoughts") or 0
    return ModelUsage(
        input_tokens=asked,
        cached_input_tokens=min(count_of(tokens, "cached") or 0, asked),
        output_tokens=(count_of(tokens, "output") or 0) + thoughts,
        reasoning_tokens=thoughts,
    )

"""What `qwen` prints with `--output-format stream-json`: Claude Code's messages, with counts of another meaning.

Checked against Qwen Code 0.15.10. Cached input is a part of the input. Each block of an answer is a message of its own,
one of which has the counts. The final `result` has what the whole session has used, with what the host asks beside it.
"""

from telic.domain.budget import ModelUsage
from telic.domain.clock import Instant
from telic.domain.errors import InvalidNumber
from telic.loop.agents.claims import read_claim
from telic.loop.agents.claude_usage import ResponseSums, share_of_turn
from telic.loop.agents.json_reader import (
    Fields,
    Parsed,
    TextTail,
    count_of,
    fields_of,
    list_of,
    read_values,
    sum_usage,
    text_of,
)
from telic.loop.agents.provider_errors import quota_of
from telic.loop.agents.usage_records import CumulativeSession, read_session


class QwenParser:
    """Follows the messages of one run."""

    def __init__(self, session: str | None = None) -> None:
        self._resumed = read_session(session)
        self._session: str | None = None
        self._model: str | None = None
        self._text = ""
        self._tool_output = TextTail()
        self._responses = ResponseSums()
        self._total: ModelUsage | None = None
        self._finished = False
        self._failure: str | None = None
        self._broken: str | None = None

    def take(self, line: bytes) -> None:
        """The messages of the line are taken in; what is no JSON was not said by Qwen Code."""
        for fields in read_values(line):
            try:
                self._message(fields, fields_of(fields, "message"))
            except InvalidNumber as error:
                self._broken = str(error)

    def _message(self, fields: Fields, message: Fields) -> None:
        self._session = text_of(fields, "session_id") or self._session
        match fields.get("type"):
            case "system" if fields.get("subtype") == "init":
                self._model = text_of(fields, "model")
            case "assistant":
                self._responses.hear(str(message.get("id")), _usage(fields_of(message, "usage")))
                for block in list_of(message, "content"):
                    if block.get("type") == "text" and fields.get("parent_tool_use_id") is None:
                        self._text = text_of(block, "text") or self._text
            case "user":
                for block in list_of(message, "content"):
                    self._tool_output.add(text_of(block, "content") or "")
            case "result":
                self._finished = True
                self._text = text_of(fields, "result") or self._text
                self._total = _usage(fields_of(fields, "usage"))
                self._failure = _error(fields) if fields.get("is_error") is True else None
            case _:
                pass

    def so_far(self) -> Parsed:
        """See `OutputParser`."""
        heard = self._responses.total
        return Parsed(usage=heard, model=self._model, session=self._session_text(heard))

    def parsed(self, now: Instant) -> Parsed:
        """What the messages say."""
        usage = self._share()
        return Parsed(
            text=self._text,
            usage=None if self._broken is not None else usage,
            is_estimate=not self._finished,
            model=self._model,
            statement=read_claim(self._text, now),
            session=self._session_text(usage),
            tool_output_tail=str(self._tool_output),
            quota=quota_of(self._failure, now),
            finished=self._finished,
            failure=self._failure,
            broken=self._broken,
        )

    def _share(self) -> ModelUsage | None:
        heard = self._responses.total
        if self._total is None or (self._resumed is not None and self._resumed.used is None):
            return heard
        return share_of_turn(None if self._resumed is None else self._resumed.used, self._total, heard)

    def _session_text(self, used: ModelUsage | None) -> str | None:
        session = read_session(self._session)
        if session is None:
            return None
        before = ModelUsage() if self._resumed is None else self._resumed.used
        total = self._total or (None if before is None else sum_usage([before, used or ModelUsage()]))
        return str(CumulativeSession(session.id, total))


def _error(result: Fields) -> str:
    return text_of(fields_of(result, "error"), "message") or text_of(result, "result") or "the turn failed"


def _usage(usage: Fields) -> ModelUsage | None:
    asked, output = count_of(usage, "input_tokens"), count_of(usage, "output_tokens")
    if asked is None or output is None or not asked + output:
        return None
    cached = count_of(usage, "cache_read_input_tokens") or 0
    return ModelUsage(input_tokens=asked, cached_input_tokens=min(cached, asked), output_tokens=output)

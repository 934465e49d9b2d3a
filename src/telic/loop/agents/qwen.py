"""Qwen Code: the output of `qwen` with `--output-format stream-json`.

Checked against Qwen Code 0.15.10. Its messages are Claude Code's, with counts of another meaning: cached input is a
part of the input. Each block of an answer is a message of its own, one of which has the counts. The final `result` has
the usage of the whole session, with the host's own calls.
"""

import re
from typing import Final

from telic.domain.budget import ModelUsage
from telic.loop.agents.claude_usage import ResponseSums, share_of_turn
from telic.loop.agents.formats import HostParser
from telic.loop.agents.json_reader import Fields, amount_of, fields_of, list_of, text_of

_API_ERROR: Final = re.compile(r"\[API Error: .*\]\s*", re.DOTALL)


class QwenParser(HostParser):
    """Follows the messages of one run."""

    def __init__(self, session: str | None = None) -> None:
        super().__init__(session)
        self._responses = ResponseSums()
        self._total: ModelUsage | None = None

    def _message(self, fields: Fields) -> None:
        self._session = text_of(fields, "session_id") or self._session
        message = fields_of(fields, "message")
        match fields.get("type"):
            case "system" if fields.get("subtype") == "init":
                self._model = text_of(fields, "model")
            case "assistant":
                self._responses.add(str(message.get("id")), _counts(fields_of(message, "usage")))
                for block in list_of(message, "content"):
                    text = text_of(block, "text") or ""
                    self._has_answered = self._has_answered or _API_ERROR.fullmatch(text) is None
                    if block.get("type") == "text" and fields.get("parent_tool_use_id") is None:
                        self._text = text or self._text
            case "user":
                for block in list_of(message, "content"):
                    self._tool_output.add(text_of(block, "content") or "")
            case "result":
                self._finished = True
                self._text = text_of(fields, "result") or self._text
                self._total = _counts(fields_of(fields, "usage"))
                # A provider's error is printed as the model's own words, of a turn that is called a success.
                is_error = fields.get("is_error") is True or _API_ERROR.fullmatch(self._text) is not None
                self._failure = _error(fields) if is_error else None
            case _:
                pass

    def _usage(self) -> ModelUsage | None:
        sums = self._responses.total
        if self._total is None or (self._resumed is not None and self._resumed.used is None):
            return sums
        return share_of_turn(None if self._resumed is None else self._resumed.used, self._total, sums)

    def _session_text(self, usage: ModelUsage | None, /) -> str | None:
        return self._cumulative_session(self._total, usage)


def _error(result: Fields) -> str:
    return text_of(fields_of(result, "error"), "message") or text_of(result, "result") or "the turn failed"


def _counts(usage: Fields) -> ModelUsage | None:
    asked, output = amount_of(usage, "input_tokens"), amount_of(usage, "output_tokens")
    if asked is None or output is None or not asked + output:
        return None
    cached = amount_of(usage, "cache_read_input_tokens") or 0
    return ModelUsage(input_tokens=asked, cached_input_tokens=min(cached, asked), output_tokens=output)

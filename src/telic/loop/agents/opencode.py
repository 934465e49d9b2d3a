"""opencode: the output of `opencode run --format json`, and the sums in its database.

Checked against opencode 1.18.33. Each step has its tokens: cached input beside the rest, reasoning beside the output.
Sub-agents have sessions of their own, which only the database shows; the call that finds a title is recorded nowhere.
"""

import json
from collections.abc import Mapping
from functools import partial
from typing import Final

from telic.domain.budget import ModelUsage
from telic.domain.errors import InvalidNumber, StoreError
from telic.loop.agents.formats import HostParser, Parsed, id_of
from telic.loop.agents.json_reader import (
    Fields,
    amount_of,
    as_fields,
    cost_of,
    count_of,
    fields_of,
    sum_usage,
    text_of,
    used_since,
)
from telic.loop.agents.usage_records import (
    MOST_SESSIONS,
    RecordedResponse,
    RecordedResponses,
    folder_of,
    home,
    rows_below,
    with_recorded,
)
from telic.storage.drivers.sqlite_reader import Selection, read_selected

_COUNTS: Final = ("tokens_input", "tokens_output", "tokens_reasoning", "tokens_cache_read", "tokens_cache_write")
_ANSWERS: Final = ("step_start", "text", "reasoning", "tool_use", "step_finish")
"""Events that come only after the model has answered: a step starts with the first piece of an answer."""


class OpencodeParser(HostParser):
    """Follows the events of one run."""

    def __init__(self, session: str | None = None) -> None:
        super().__init__(session)
        self._steps = RecordedResponses()

    def _message(self, fields: Fields) -> None:
        self._session = text_of(fields, "sessionID") or self._session
        part, kind = fields_of(fields, "part"), fields.get("type")
        self._has_answered = self._has_answered or kind in _ANSWERS
        match kind:
            case "text":
                self._text = text_of(part, "text") or self._text
            case "tool_use":
                self._tool_output.add(text_of(fields_of(part, "state"), "output") or "")
            case "step_finish":
                self._finished = part.get("reason") != "tool-calls"
                self._steps.take(RecordedResponse(str(part.get("id")), _step_usage(part)))
            case "error":
                error = fields_of(fields, "error")
                data = fields_of(error, "data")
                said = text_of(data, "message") or text_of(error, "message")
                self._status = count_of(data, "statusCode")
                self._failure = said or text_of(error, "name") or "the agent reports an error"
            case _:
                pass

    def _usage(self) -> ModelUsage | None:
        return self._steps.total


def _step_usage(part: Fields) -> ModelUsage:
    tokens = fields_of(part, "tokens")
    counts = [amount_of(tokens, name) for name in ("input", "output", "reasoning")]
    return _usage_of(part, counts + [amount_of(fields_of(tokens, "cache"), name) for name in ("read", "write")])


def _usage_of(fields: Fields, counts: list[int | None]) -> ModelUsage:
    asked, output, thought, read, written = (count or 0 for count in counts)
    return ModelUsage(
        input_tokens=asked + read + written,
        cached_input_tokens=read,
        output_tokens=output + thought,
        reasoning_tokens=thought,
        cost_microunits=cost_of(fields, "cost") or 0,
    )


class OpencodeDatabase:
    """Follows the sums of one session and of those that were begun in it."""

    def __init__(self, environment: Mapping[str, str], session: str | None) -> None:
        data = folder_of(environment, "XDG_DATA_HOME", home(environment) / ".local" / "share")
        self._path = data / "opencode" / "opencode.db"
        self._session = id_of(session)
        self._before = ModelUsage()
        self._model: str | None = None
        self._is_partial = False

    def begin(self) -> None:
        """See `UsageRecords`."""
        self._before = self._total() or ModelUsage()

    def improve(self, parsed: Parsed) -> Parsed:
        """See `UsageRecords`."""
        self._session = id_of(parsed.session) or self._session
        self._is_partial = False
        total = self._total()
        share = None if total is None else used_since(self._before, total)
        # Sums that have not grown yet prove nothing: a request may be under way.
        has_grown = share is not None and share.input_tokens + share.output_tokens > 0
        return with_recorded(parsed, share if has_grown else None, self._model, is_partial=self._is_partial)

    def _total(self) -> ModelUsage | None:
        if self._session is None:
            return None
        try:
            own = self._rows("id", (self._session,))
            family = own + rows_below([str(row["id"]) for row in own], partial(self._rows, "parent_id"))
            for row in own:
                self._model = _model_of(row) or self._model
            used = [_usage_of(row, [amount_of(row, name) for name in _COUNTS]) for row in family]
            return sum_usage(used) if used else None
        except StoreError:
            # It is not there yet, or another process is writing it: the next call reads it.
            return None
        except InvalidNumber:
            self._is_partial = True
            return None

    def _rows(self, column: str, values: tuple[str, ...]) -> list[Fields]:
        selection = Selection(
            table="session",
            columns=("id", "model", "cost", *_COUNTS),
            column=column,
            values=values,
            id_column="id",
            first_id="",
            most_rows=MOST_SESSIONS,
        )
        return [*read_selected(self._path, selection)]


def _model_of(row: Fields) -> str | None:
    try:
        model = as_fields(json.loads(text_of(row, "model") or "{}"))
    except (ValueError, RecursionError):
        return None
    return None if model is None else text_of(model, "id")

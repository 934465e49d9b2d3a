"""Copilot CLI: the output of `copilot` with `--output-format json`, and the rows of usage in its session store.

Checked against Copilot CLI 1.0.102. It prints no tokens: its store has a row for each call of a model, of sub-agents
too. Input includes cached tokens, output includes reasoning. The session is named in the last line alone, so a new one
is begun under an id that the loop chose.
"""

from collections.abc import Mapping
from typing import Final

from telic.domain.budget import ModelUsage
from telic.domain.errors import InvalidNumber, StoreError
from telic.loop.agents.formats import HostParser
from telic.loop.agents.json_reader import Fields, amount_of, count_of, fields_of, text_of
from telic.loop.agents.usage_records import RecordedResponse, SessionRecords, folder_of, home
from telic.storage.drivers.sqlite_reader import Selection, read_selected

_COLUMNS: Final = (
    *("id", "session_id", "created_at", "model"),
    *("input_tokens", "output_tokens", "cache_read_tokens", "reasoning_tokens"),
)
_MOST_ROWS: Final = 500
_ANSWERS: Final = ("assistant.message", "assistant.reasoning", "assistant.usage", "tool.")
"""The beginnings of events that come only after the model has answered."""


class CopilotParser(HostParser):
    """Follows the events of one run."""

    def _message(self, fields: Fields) -> None:
        data, kind = fields_of(fields, "data"), str(fields.get("type"))
        self._has_answered = self._has_answered or kind.startswith(_ANSWERS)
        match kind:
            case "assistant.message" if data.get("parentToolCallId") is None:
                self._text = text_of(data, "content") or self._text
            case "tool.execution_complete":
                self._tool_output.add(text_of(fields_of(data, "result"), "content") or "")
            case "model.call_failure":
                self._status = count_of(data, "statusCode")
            case "model.call_finished":
                self._has_answered = self._has_answered or data.get("outcome") != "error"
            case "session.error":
                self._failure = text_of(data, "message") or "the agent reports an error"
            case "result":
                self._session = text_of(fields, "sessionId") or self._session
                exit_code = count_of(fields, "exitCode")
                self._finished = exit_code is not None
                self._failure = None if exit_code == 0 else self._failure
            case _:
                pass

    def _usage(self) -> ModelUsage | None:
        return None


class CopilotStore(SessionRecords):
    """Follows the rows of one session."""

    def __init__(self, environment: Mapping[str, str], session: str | None) -> None:
        super().__init__(session)
        self._path = folder_of(environment, "COPILOT_HOME", home(environment) / ".copilot") / "session-store.db"
        self._last = 0

    def _read(self) -> None:
        if self._session is None:
            return
        while True:
            selection = Selection(
                table="assistant_usage_events",
                columns=_COLUMNS,
                column="session_id",
                values=(self._session,),
                id_column="id",
                first_id=self._last + 1,
                most_rows=_MOST_ROWS,
            )
            try:
                rows = read_selected(self._path, selection)
            except StoreError:
                # It is not there yet, or another process is writing it: the next call reads it.
                return
            for row in rows:
                self._take(row)
            if len(rows) < _MOST_ROWS:
                return

    def _take(self, row: Fields) -> None:
        number = row.get("id")
        self._last = max(self._last, number if type(number) is int else 0)
        self._model = text_of(row, "model") or self._model
        self._responses.take(RecordedResponse(f"{number} {row.get('created_at')}", _row_usage(row)))


def _row_usage(row: Fields) -> ModelUsage | None:
    """Return the usage that the row tells; None where a count is none."""
    try:
        asked, output = amount_of(row, "input_tokens"), amount_of(row, "output_tokens")
        if asked is None or output is None:
            return None
        return ModelUsage(
            input_tokens=asked,
            cached_input_tokens=min(amount_of(row, "cache_read_tokens") or 0, asked),
            output_tokens=output,
            reasoning_tokens=min(amount_of(row, "reasoning_tokens") or 0, output),
        )
    except InvalidNumber:
        return None

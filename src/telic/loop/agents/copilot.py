"""Copilot CLI: the output of `copilot` with `--output-format json`, and the rows of usage in its session store.

Checked against Copilot CLI 1.0.102. It prints no tokens: its store has a row for each call of a model, of sub-agents
too. Input includes cached tokens, output includes reasoning. The session is named in the last line alone, so a new one
is begun under an id that the loop chose.
"""

from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final, TypeVar

from telic.domain.budget import ModelUsage
from telic.domain.errors import StoreError
from telic.loop.agents.formats import HostParser
from telic.loop.agents.json_reader import Fields, count_of, fields_of, text_of
from telic.loop.agents.usage_records import (
    FilePlace,
    RecordedResponse,
    SessionRecords,
    UsageTable,
    folder_of,
    home,
    usage_of_row,
)

_COLUMNS: Final = (
    *("id", "session_id", "created_at", "model", "input_tokens", "output_tokens", "cache_read_tokens"),
    *("reasoning_tokens", "agent_id", "parent_tool_call_id"),
)
_ANSWERS: Final = ("assistant.message", "assistant.reasoning", "assistant.usage", "tool.")
"""The beginnings of events that come only after the model has answered."""
T = TypeVar("T")


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


def usage_rows(environment: Mapping[str, str], user_home: Path, response: Callable[[Fields, str], T]) -> UsageTable[T]:
    """Return the table in the store of Copilot's folder, which is `COPILOT_HOME` or `~/.copilot`."""
    return UsageTable(
        path=folder_of(environment, "COPILOT_HOME", user_home / ".copilot") / "session-store.db",
        table="assistant_usage_events",
        columns=_COLUMNS,
        response=response,
    )


class CopilotStore(SessionRecords):
    """Follows the rows of one session."""

    def __init__(self, environment: Mapping[str, str], session: str | None) -> None:
        super().__init__(session)
        self._table = usage_rows(environment, home(environment), self._response)
        self._place = FilePlace()

    def _read(self) -> None:
        if self._session is None:
            return
        # Where it is not there yet, or another process is writing it, the next call reads it.
        with suppress(StoreError):
            for place, response in self._table.rows(self._session, self._place):
                self._place = place
                self._responses.take(response)

    def _response(self, row: Fields, _session: str) -> RecordedResponse:
        self._model = text_of(row, "model") or self._model
        return RecordedResponse(f"{row.get('id')} {row.get('created_at')}", usage_of_row(row))

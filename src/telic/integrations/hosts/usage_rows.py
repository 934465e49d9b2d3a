"""Usage as a host's own database tells it: a row for each response of a model, in a table that only grows."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Final

from telic.domain.budget import ModelUsage
from telic.domain.clock import Instant
from telic.domain.errors import InvalidInput
from telic.domain.limits import MAX_COUNTER
from telic.integrations.hosts.transcripts import FilePlace, HostResponse
from telic.integrations.model_calls import model_usage
from telic.loop.agents.claims import read_time
from telic.loop.agents.json_reader import Fields
from telic.storage.drivers.sqlite_reader import Selection, read_selected

_MOST_ROWS: Final = 500
_MOST_SESSIONS: Final = 500
_PATIENCE_SECONDS: Final = 0.3
_SECOND: Final = 1_000_000
_MILLISECOND: Final = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageTable:
    """Where a host keeps its rows, and how one is read; `columns` has the ids of the row and its session first.

    Sub-agents have sessions of their own where `sessions` names the table that tells whose they are.
    """

    path: Path
    table: str
    columns: tuple[str, ...]
    response: Callable[[Fields, str], HostResponse | None]
    sessions: str | None = None

    def rows(self, session: str, place: FilePlace) -> Iterator[tuple[FilePlace, HostResponse | None]]:
        """The rows after the place, in order, each with its own place, which the next call goes on from.

        Raises:
            StoreError: the database cannot be read now.
        """
        sessions = self._family(session)
        while found := self._page(sessions, place):
            for row in found:
                place = _place(row, self.columns)
                yield place, self.response(row, session)
            if not place.offset:
                return

    def _family(self, session: str) -> tuple[str, ...]:
        """The session, and those of its sub-agents and theirs."""
        family, newest = [session], [session]
        while newest and self.sessions is not None and len(family) < _MOST_SESSIONS:
            found = self._read(self.sessions, ("id",), "parent_session_id", tuple(newest), "id", "")
            names = [row["id"] for row in found if isinstance(row["id"], str)]
            newest = [name for name in names if name not in family]
            family += newest
        return tuple(family)

    def _page(self, sessions: tuple[str, ...], place: FilePlace) -> list[Fields]:
        identity, owner = self.columns[:2]
        rows = self._read(self.table, self.columns, owner, sessions, identity, place.offset)
        if not place.offset:
            return rows
        if rows and _place(rows[0], self.columns) == place:
            return rows[1:]
        # The row is gone, as in a database that was made anew, where numbers begin anew: all is read again.
        return self._read(self.table, self.columns, owner, sessions, identity, 0)

    def _read(
        self, table: str, columns: tuple[str, ...], column: str, values: tuple[str, ...], order: str, first: int | str
    ) -> list[Fields]:
        selection = Selection(
            table=table,
            columns=columns,
            column=column,
            values=values,
            id_column=order,
            first_id=first,
            most_rows=_MOST_ROWS,
        )
        return [*read_selected(self.path, selection, patience_seconds=_PATIENCE_SECONDS)]


def _place(row: Fields, columns: tuple[str, ...]) -> FilePlace:
    """The row's number, and the hash of what it says, by which it is known again."""
    number = row.get(columns[0])
    said = repr([row.get(name) for name in columns])
    return FilePlace(
        number if type(number) is int and 0 < number <= MAX_COUNTER else 0, sha256(said.encode()).hexdigest()
    )


def usage_of_row(row: Fields) -> ModelUsage | None:
    """Return the usage that the row tells; None where it tells none."""
    return model_usage(
        input_tokens=row.get("input_tokens"),
        cached_input_tokens=row.get("cache_read_tokens"),
        output_tokens=row.get("output_tokens"),
        reasoning_tokens=row.get("reasoning_tokens"),
        total_tokens=row.get("total_tokens"),
    )


def time_of_row(value: object) -> tuple[Instant | None, int]:
    """When the row was written, from a text or a number of seconds, and to how many microseconds that is known."""
    if type(value) is int and 0 <= value <= MAX_COUNTER // _SECOND:
        return Instant(value * _SECOND), _SECOND
    try:
        text = value if isinstance(value, str) else ""
        return read_time(text), _MILLISECOND if "." in text else _SECOND
    except InvalidInput:
        return None, _SECOND

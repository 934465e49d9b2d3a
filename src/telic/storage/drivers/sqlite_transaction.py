"""Named statements as one SQLite connection runs them, and the functions of ours that they call."""

import time
from collections.abc import Callable, Sequence
from operator import itemgetter
from typing import Final

import apsw

from telic.domain.ids import digest
from telic.storage.drivers.sqlite_errors import SQLITE_FAILURES, translate
from telic.storage.statements import load_statements, number_parameters, parameter_names
from telic.storage.transaction import Parameters, Row, Value

ROW_READS: Final = ("goals.get", "goals.active")
_MOST_ROWIDS: Final = 10_000

Step = tuple[str, Callable[[Parameters], Sequence[Value]]]
"""One SQL statement, and what picks its values out of the parameters."""

Statement = tuple[list[Step], Step]
"""The steps of a named statement but the last, and the last, which gives the rows.

Each is handed over on its own and with values by position. apsw looks a statement up by all the text that it is
given, so of five steps in one text it would read the last one five times, and it looks up values by name slowly.
"""


def steady_microseconds(*_: object) -> int:
    """Return microseconds of the machine's monotonic clock, by which leases and holds expire.

    All processes of one machine share this clock, and nobody can set it. It stands still while the machine sleeps, as
    its workers do, and starts over when the machine starts (ADR 25).
    """
    return time.monotonic_ns() // 1000


def wall_microseconds(*_: object) -> int:
    """Return microseconds since the epoch, by the machine's clock: the times that people set are compared with it."""
    return time.time_ns() // 1000


def add_functions(connection: apsw.Connection) -> None:
    """The connection knows the functions that the statements call."""
    connection.create_scalar_function("telic_digest", lambda *given: digest(str(given[0])), 1, deterministic=True)
    connection.create_scalar_function("telic_now", steady_microseconds, 0)
    connection.create_scalar_function("telic_wall_now", wall_microseconds, 0)


def sqlite_statements() -> dict[str, Statement]:
    """Every named statement."""
    found: dict[str, Statement] = {}
    for name, text in load_statements("sqlite").items():
        parts = [sql.strip() for sql in text.split(";")]
        *first, last = [(number_parameters(sql, "?"), _picker(parameter_names(sql))) for sql in parts]
        found[name] = first, last
    return found


def _picker(names: Sequence[str]) -> Callable[[Parameters], Sequence[Value]]:
    if len(names) > 1:
        return itemgetter(*names)
    if not names:
        return lambda _: ()
    (name,) = names
    return lambda parameters: (parameters[name],)


class _CachedRead:
    """A statement that reads one row by its key, and the rowids at which it found rows before.

    A goal's row keeps its rowid for ever, so the next read goes there at once, and its WHERE clause checks that the
    row is still the one that is asked for. That spares the descent through the index, whose pages are far apart in a
    large database (ADR 19). A rowid that no longer fits gives no row, and the index is asked: the cache can be
    stale, but never wrong.
    """

    def __init__(self, name: str, statements: dict[str, Statement]) -> None:
        self.by_index, self.at_rowid, self.rowid_of = (
            statements[f"{name}{part}"][1][0] for part in ("", ".at_rowid", ".rowid_of")
        )
        self.rowids: Final[dict[Value, int]] = {}

    def remember(self, key: Value, rowid: int | None) -> None:
        if len(self.rowids) >= _MOST_ROWIDS:
            self.rowids.clear()
        if rowid is not None:
            self.rowids[key] = rowid


class SqliteTransaction:
    """Runs named statements on one connection."""

    def __init__(self, connection: apsw.Connection, statements: dict[str, Statement]) -> None:
        self.execute: Final = connection.cursor().execute
        self._file = connection.filename
        self._statements = statements
        self._cached_reads = {name: _CachedRead(name, statements) for name in ROW_READS}

    def read_one(self, statement: str, parameters: Parameters) -> Row | None:
        """Return the row of one of the `ROW_READS`, or None if there is none."""
        cached = self._cached_reads[statement]
        (key,) = parameters.values()
        try:
            rowid = cached.rowids.get(key)
            if rowid is not None:
                row: Row | None = self.execute(cached.at_rowid, (rowid, key)).get
                if row is not None:
                    return row
            return self._by_index(cached, key)
        except SQLITE_FAILURES as error:
            raise translate(error, self._file) from error

    def _by_index(self, cached: "_CachedRead", key: Value) -> Row | None:
        row: Row | None = self.execute(cached.by_index, (key,)).get
        if row is not None:
            cached.remember(key, self.execute(cached.rowid_of, (key,)).get)
        return row

    async def one_or_none(self, statement: str, parameters: Parameters) -> Row | None:
        rows = self._rows(statement, parameters)
        return rows[0] if rows else None

    async def all(self, statement: str, parameters: Parameters) -> list[Row]:
        return self._rows(statement, parameters)

    def _rows(self, statement: str, parameters: Parameters) -> list[Row]:
        execute = self.execute
        first, (sql, values) = self._statements[statement]
        try:
            for step, step_values in first:
                execute(step, step_values(parameters))
            return execute(sql, values(parameters)).fetchall()
        except SQLITE_FAILURES as error:
            raise translate(error, self._file) from error

"""Named statements as one SQLite connection runs them."""

from collections.abc import Callable, Sequence
from operator import itemgetter
from typing import Final

import apsw

from telic.storage.drivers.sqlite_errors import SQLITE_FAILURES, translate
from telic.storage.statements import load_statements, number_parameters, parameter_names
from telic.storage.transaction import Parameters, Row, Value

POINTS: Final = ("goals.get", "goals.active")
_MOST_PLACES: Final = 10_000

Step = tuple[str, Callable[[Parameters], Sequence[Value]]]
"""One SQL statement, and what picks its values out of the parameters."""

Statement = tuple[list[Step], Step]
"""The steps of a named statement but the last, and the last, which gives the rows.

Each is handed over on its own and with values by position. apsw looks a statement up by all the text that it is
given, so of five steps in one text it would read the last one five times, and it looks up values by name slowly.
"""


def sqlite_statements() -> dict[str, Statement]:
    """Every named statement."""
    return {name: _statement(text) for name, text in load_statements("sqlite").items()}


def _statement(text: str) -> Statement:
    *first, last = [_step(sql.strip()) for sql in text.split(";")]
    return first, last


def _step(sql: str) -> Step:
    return number_parameters(sql, "?"), _picker(parameter_names(sql))


def _picker(names: Sequence[str]) -> Callable[[Parameters], Sequence[Value]]:
    if len(names) > 1:
        return itemgetter(*names)
    if not names:
        return lambda _: ()
    (name,) = names
    return lambda parameters: (parameters[name],)


class _Point:
    """A point read, and where it found its rows.

    A goal never moves, so the next look goes there at once and checks that it is the one. That spares the way
    through the index, whose pages are far apart in a large database.
    """

    def __init__(self, name: str, statements: dict[str, Statement]) -> None:
        self.anywhere, self.at_place, self.place_of = (
            statements[f"{name}{part}"][1][0] for part in ("", ".at_place", ".place_of")
        )
        self.places: Final[dict[Value, int]] = {}

    def remember(self, key: Value, place: int | None) -> None:
        if len(self.places) >= _MOST_PLACES:
            self.places.clear()
        if place is not None:
            self.places[key] = place


class SqliteTransaction:
    """Runs named statements on one connection."""

    def __init__(self, connection: apsw.Connection, statements: dict[str, Statement]) -> None:
        self.execute: Final = connection.cursor().execute
        self._file = connection.filename
        self._statements = statements
        self._points = {name: _Point(name, statements) for name in POINTS}

    def point(self, statement: str, parameters: Parameters) -> Row | None:
        """The only row, or None where there is none."""
        point = self._points[statement]
        (key,) = parameters.values()
        try:
            place = point.places.get(key)
            if place is not None:
                row: Row | None = self.execute(point.at_place, (place, key)).get
                if row is not None:
                    return row
            return self._looked_for(point, key)
        except SQLITE_FAILURES as error:
            raise translate(error, self._file) from error

    def _looked_for(self, point: "_Point", key: Value) -> Row | None:
        row: Row | None = self.execute(point.anywhere, (key,)).get
        if row is not None:
            point.remember(key, self.execute(point.place_of, (key,)).get)
        return row

    async def maybe(self, statement: str, parameters: Parameters) -> Row | None:
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

"""Named statements as PostgreSQL's prepared ones, sent and read without psycopg's cursors.

A cursor looks at each value's type, at a cache of what is prepared and at each column, and in a pipeline it sends
each statement by itself: more work than the server has with a turn. What a Telic statement needs is known in
advance. The generators here are psycopg's own kind: `Connection.wait` runs them, with its deadline and its way
with interrupts.
"""

import hashlib
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Final

from psycopg import OperationalError
from psycopg.abc import PQGen
from psycopg.adapt import Transformer
from psycopg.errors import error_from_result
from psycopg.generators import execute, fetch_many, send
from psycopg.pq import ExecStatus
from psycopg.pq.abc import PGconn, PGresult

from telic.storage.statements import number_parameters, parameter_names
from telic.storage.transaction import Parameters, Row, Value

_TEXT: Final = 0
_BINARY: Final = 1
_GOOD: Final = frozenset({ExecStatus.TUPLES_OK, ExecStatus.COMMAND_OK})


@dataclass(frozen=True, slots=True)
class PostgresStatement:
    """A statement with numbered parameters, their names in order, and the name under which sessions prepare it."""

    sql: bytes
    names: tuple[str, ...]
    prepared_name: bytes

    @classmethod
    def of(cls, text: str) -> "PostgresStatement":
        """Return the statement with named parameters."""
        sql = number_parameters(text).encode()
        # The name follows from the text: behind a pooler a session may be another release's as well.
        return cls(sql, parameter_names(text), b"telic_" + hashlib.sha256(sql).hexdigest()[:16].encode())

    def values(self, parameters: Parameters) -> list[Value]:
        """Return the parameters in the statement's order."""
        return [parameters[name] for name in self.names]


Request = tuple[PostgresStatement, list[Value]]


class PostgresTransaction:
    """Runs named statements by a function that sends them, and blocks."""

    def __init__(self, send: Callable[[str, Parameters], list[Row]]) -> None:
        self._send = send

    async def one_or_none(self, statement: str, parameters: Parameters) -> Row | None:
        rows = self._send(statement, parameters)
        return rows[0] if rows else None

    async def all(self, statement: str, parameters: Parameters) -> list[Row]:
        return self._send(statement, parameters)


class AsyncPostgresTransaction:
    """`PostgresTransaction`, of a function that is awaited."""

    def __init__(self, send: Callable[[str, Parameters], Awaitable[list[Row]]]) -> None:
        self._send = send

    async def one_or_none(self, statement: str, parameters: Parameters) -> Row | None:
        rows = await self._send(statement, parameters)
        return rows[0] if rows else None

    async def all(self, statement: str, parameters: Parameters) -> list[Row]:
        return await self._send(statement, parameters)


class StatementSession:
    """The statements that one connection has prepared, and the reading of its results."""

    def __init__(self, pgconn: PGconn) -> None:
        self._pgconn = pgconn
        self._prepared: set[bytes] = set()
        self._transformer = Transformer()

    def ask(self, request: Request, *, prepares: bool) -> PQGen[list[Row]]:
        """Return the rows of one statement, in one round trip once it is prepared."""
        statement, _ = request
        if prepares and statement.prepared_name not in self._prepared:
            self._pgconn.send_prepare(statement.prepared_name, statement.sql)
            _check((yield from execute(self._pgconn)))
            self._prepared.add(statement.prepared_name)
        self._send(request, prepares=prepares)
        return self._rows((yield from execute(self._pgconn)))

    def ask_all(self, requests: Sequence[Request], *, prepares: bool) -> PQGen[list[list[Row]]]:
        """Return the rows of each statement, in one round trip and one transaction, of which an error undoes all."""
        self._pgconn.enter_pipeline_mode()
        named = {statement.prepared_name: statement.sql for statement, _ in requests} if prepares else {}
        unprepared = named.keys() - self._prepared
        for name in unprepared:
            self._pgconn.send_prepare(name, named[name])
        for request in requests:
            self._send(request, prepares=prepares)
        self._pgconn.pipeline_sync()
        yield from send(self._pgconn)
        results = yield from self._until_sync()
        self._pgconn.exit_pipeline_mode()
        for name in unprepared:
            _check(results.popleft())
            self._prepared.add(name)
        return [self._rows(each) for each in results]

    def _until_sync(self) -> PQGen[deque[list[PGresult]]]:
        # The results of each command; they end sooner where the connection did.
        results: deque[list[PGresult]] = deque()
        while True:
            found = yield from fetch_many(self._pgconn)
            if not found:
                for each in results:
                    _check(each)
                raise OperationalError("the server gave fewer results than there were statements")
            if found[0].status == ExecStatus.PIPELINE_SYNC:
                return results
            results.append(found)

    def _send(self, request: Request, *, prepares: bool) -> None:
        statement, values = request
        # Text is sent as binary because libpq takes other values to end at a NUL.
        encoded = [None if value is None else str(value).encode() for value in values]
        formats = [_BINARY if isinstance(value, str) else _TEXT for value in values]
        if prepares:
            self._pgconn.send_query_prepared(statement.prepared_name, encoded, formats, result_format=_BINARY)
        else:
            self._pgconn.send_query_params(statement.sql, encoded, param_formats=formats, result_format=_BINARY)

    def _rows(self, results: Sequence[PGresult]) -> list[Row]:
        result = _check(results)
        self._transformer.set_pgresult(result)
        return self._transformer.load_rows(0, result.ntuples, tuple)


def _check(results: Sequence[PGresult]) -> PGresult:
    if not results:
        raise OperationalError("the server gave no result")
    if results[-1].status not in _GOOD:
        raise error_from_result(results[-1])
    return results[-1]

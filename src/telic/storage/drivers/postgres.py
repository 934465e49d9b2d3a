"""Blocking PostgreSQL: every operation takes a connection from a pool."""

import time
from typing import Any, Final, TypeVar

import psycopg
from psycopg.abc import PQGen
from psycopg.pq import TransactionStatus
from psycopg_pool import ConnectionPool, PoolClosed, PoolTimeout

from telic.domain.errors import StoreClosed, StoreUnavailable
from telic.domain.findings import Finding
from telic.storage.drive import complete
from telic.storage.drivers.fork import after_fork
from telic.storage.drivers.postgres_errors import translate
from telic.storage.drivers.postgres_inspection import inspect_server
from telic.storage.drivers.postgres_server import PostgresServer, Replays, is_lost, require_quiet
from telic.storage.options import OpenOptions
from telic.storage.transaction import Mode, Operation, Parameters, Raced, Row

T = TypeVar("T")
_R = TypeVar("_R")


class PatientConnection(psycopg.Connection[Row]):
    """A connection that never waits for ever: a server, or a pooler before it, may not answer."""

    wait_seconds: float | None = None

    def wait(self, gen: PQGen[_R], interval: float = 0.1, timeout: float | None = None) -> _R:
        return super().wait(gen, interval, self.wait_seconds if timeout is None else timeout)


class PostgresTransaction:
    """Runs named statements on one connection."""

    def __init__(self, connection: psycopg.Connection[Row], server: PostgresServer) -> None:
        self._cursor: Any = psycopg.RawCursor(connection)
        self._server = server

    async def maybe(self, statement: str, parameters: Parameters) -> Row | None:
        rows = self._execute(statement, parameters)
        return rows[0] if rows else None

    async def all(self, statement: str, parameters: Parameters) -> list[Row]:
        return self._execute(statement, parameters)

    def _execute(self, name: str, parameters: Parameters) -> list[Row]:
        statement = self._server.statements[name]
        values = statement.values(parameters)
        try:
            rows: list[Row] = self._cursor.execute(statement.sql, values, prepare=self._server.prepares).fetchall()
        except psycopg.errors.CheckViolation as error:
            raise translate(error) from error
        return rows


class PostgresDriver:
    """A pool of connections; safe to use from many threads."""

    def __init__(self, url: str, options: OpenOptions) -> None:
        self._server = PostgresServer(url, options)
        self._server.open()
        self._start()
        after_fork(self, "_start")

    def _start(self) -> None:
        self._pool: ConnectionPool[PatientConnection] = ConnectionPool(
            kwargs=self._server.connection_arguments(),
            connection_class=PatientConnection,
            min_size=1,
            max_size=self._server.options.pool_size,
            timeout=self._server.options.timeout_seconds,
            configure=self._configure,
            check=require_quiet,
            num_workers=1,
            open=True,
        )

    def _configure(self, connection: PatientConnection) -> None:
        connection.wait_seconds = self._server.wait_seconds
        connection.prepare_threshold = 5 if self._server.prepares else None

    def run(self, operation: Operation[T], mode: Mode, key: str | None) -> T:
        """See `Driver.run`."""
        replays: Replays | None = None
        while True:
            try:
                return self._run_once(operation, mode, key)
            except Raced as error:
                replays = replays or Replays(self._server.options.timeout_seconds)
                time.sleep(replays.pause_after(error))

    def point(self, statement: str, parameters: Parameters) -> Row | None:
        return self.run(lambda tx: tx.maybe(statement, parameters), Mode.READ, None)

    def _run_once(self, operation: Operation[T], mode: Mode, key: str | None) -> T:
        connection = self._take_connection()
        may_have_written = mode is Mode.SINGLE
        try:
            if mode is not Mode.ATOMIC:
                return complete(operation(PostgresTransaction(connection, self._server)))
            connection.execute(_BEGIN)
            result = complete(operation(PostgresTransaction(connection, self._server)))
            may_have_written = True
            connection.execute(_COMMIT)
            return result
        except psycopg.Error as error:
            raise self._server.meaning(
                error, is_lost=is_lost(connection), may_have_written=may_have_written, key=key
            ) from error
        finally:
            self._give_back(connection)

    def _take_connection(self) -> PatientConnection:
        try:
            return self._pool.getconn()
        except PoolClosed:
            raise StoreClosed("the store is closed") from None
        except PoolTimeout as error:
            raise StoreUnavailable(
                f"no connection to PostgreSQL at {self._server.place} within the time-out"
            ) from error

    def _give_back(self, connection: PatientConnection) -> None:
        status = connection.pgconn.transaction_status
        try:
            if status in (TransactionStatus.INTRANS, TransactionStatus.INERROR):
                connection.execute(_ROLLBACK)
            elif status != TransactionStatus.IDLE:
                connection.close()
        except psycopg.Error:
            connection.close()
        self._pool.putconn(connection)

    def inspect(self) -> list[Finding]:
        connection = self._take_connection()
        try:
            return inspect_server(connection)
        except psycopg.Error as error:
            raise translate(error) from error
        finally:
            self._give_back(connection)

    def close(self) -> None:
        """See `Driver.close`."""
        self._pool.close()


_BEGIN: Final = b"BEGIN"
_COMMIT: Final = b"COMMIT"
_ROLLBACK: Final = b"ROLLBACK"

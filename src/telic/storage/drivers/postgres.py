"""Blocking PostgreSQL: every operation takes a connection from a pool."""

import time
from pathlib import Path
from typing import Final, TypeVar

import psycopg

from telic.domain.findings import Finding
from telic.storage.drivers.fork import watch_forks
from telic.storage.drivers.postgres_changes import PostgresChanges
from telic.storage.drivers.postgres_errors import Replays, translate
from telic.storage.drivers.postgres_inspection import inspect_server
from telic.storage.drivers.postgres_pool import BoundedWaitConnection, ConnectionPool
from telic.storage.drivers.postgres_server import PostgresServer, is_lost
from telic.storage.transaction import Mode, OpenOptions, Operation, Parameters, Raced, Row, complete

T = TypeVar("T")


class PostgresTransaction:
    """Runs named statements on one connection."""

    def __init__(self, connection: BoundedWaitConnection, server: PostgresServer) -> None:
        self._connection = connection
        self._server = server

    async def one_or_none(self, statement: str, parameters: Parameters) -> Row | None:
        rows = self._execute(statement, parameters)
        return rows[0] if rows else None

    async def all(self, statement: str, parameters: Parameters) -> list[Row]:
        return self._execute(statement, parameters)

    def _execute(self, name: str, parameters: Parameters) -> list[Row]:
        statement = self._server.statements[name]
        request = (statement, statement.values(parameters))
        connection = self._connection
        try:
            return connection.wait(connection.session.ask(request, prepares=self._server.prepares))
        except psycopg.errors.CheckViolation as error:
            raise translate(error) from error


class PostgresDriver:
    """A pool of connections; safe to use from many threads."""

    def __init__(self, url: str, options: OpenOptions) -> None:
        self._server = PostgresServer(url, options)
        self._server.open()
        self._pool = ConnectionPool(self._server)
        watch_forks(self)

    def before_fork(self) -> None:
        """See `Forked`; connections of other threads are theirs, before and after."""

    def after_fork_in_parent(self) -> None:
        """See `Forked`."""

    def after_fork_in_child(self) -> None:
        """See `Forked`."""
        # The parent's connections are kept from ever being closed: closing them would end the parent's sessions.
        self._inherited = self._pool, getattr(self, "_inherited", None)
        self._pool = ConnectionPool(self._server)

    def run(self, operation: Operation[T], mode: Mode, key: str | None) -> T:
        """See `Driver.run`."""
        replays = Replays(self._server.options.timeout_seconds)
        while True:
            try:
                return self._run_once(operation, mode, key)
            except Raced as error:
                time.sleep(replays.pause_after(error))

    def read_one(self, statement: str, parameters: Parameters) -> Row | None:
        return self.run(lambda tx: tx.one_or_none(statement, parameters), Mode.READ, None)

    def changes(self) -> PostgresChanges:
        """See `Driver.changes`."""
        return PostgresChanges(self._server)

    def _run_once(self, operation: Operation[T], mode: Mode, key: str | None) -> T:
        connection = self._pool.take()
        may_have_written = mode is Mode.SINGLE
        try:
            if mode is not Mode.ATOMIC:
                return complete(operation(PostgresTransaction(connection, self._server)))
            connection.execute(self._server.begin, prepare=False)
            result = complete(operation(PostgresTransaction(connection, self._server)))
            may_have_written = True
            connection.execute(_COMMIT, prepare=False)
            return result
        except psycopg.Error as error:
            raise self._server.meaning(
                error, is_lost=is_lost(connection), may_have_written=may_have_written, key=key
            ) from error
        finally:
            self._pool.give_back(connection)

    def inspect(self) -> list[Finding]:
        connection = self._pool.take()
        try:
            return inspect_server(connection)
        except psycopg.Error as error:
            raise translate(error) from error
        finally:
            self._pool.give_back(connection)

    def copy_into(self, _target: Path, /) -> None:
        """See `Driver.copy_into`."""
        raise self._server.copied_by_pg_dump()

    def close(self) -> None:
        """See `Driver.close`."""
        self._server.is_closed = True
        self._pool.close()


_COMMIT: Final = b"COMMIT"

# Generated from src/telic/storage/drivers/postgres_async.py: change that, then run `make generate`.

"""PostgreSQL: every operation takes a connection from a pool.

Telic has its own pool because psycopg's lets an outage outlast the server's by minutes: its pauses between two
attempts double without bound, and stale connections are replaced one by one with such a pause after each (ADR 8).
"""

import time
from collections.abc import Hashable
from functools import cached_property, partial
from math import inf
from pathlib import Path
from typing import Any, ClassVar, Self, TypeVar

import psycopg
from psycopg.abc import PQGen

from telic.domain.errors import StoreBusy, StoreClosed
from telic.domain.report import Finding
from telic.storage.drivers.postgres_changes import LOOK_SECONDS, NotificationListener
from telic.storage.drivers.postgres_connections import (
    Attempts,
    ConnectionSlots,
    IdleConnections,
    connect,
    is_in_transaction,
    readable,
)
from telic.storage.drivers.postgres_errors import Replays, translate
from telic.storage.drivers.postgres_server import PostgresServer, is_lost
from telic.storage.drivers.postgres_statements import PostgresTransaction, StatementSession
from telic.storage.transaction import Mode, OpenOptions, Operation, Parameters, Raced, Row, complete, watch_forks

T = TypeVar("T")


class BoundedWaitConnection(psycopg.Connection[Row]):
    """A connection whose waits are bounded, since a server, or a pooler before it, may not answer."""

    wait_seconds: float | None = None

    @cached_property
    def session(self) -> StatementSession:
        """The session's prepared statements."""
        return StatementSession(self.pgconn)

    def wait(self, gen: PQGen[T], interval: float = 0.1, timeout: float | None = None) -> T:
        return super().wait(gen, interval, self.wait_seconds if timeout is None else timeout)


class ConnectionPool:
    """Lends connections to one caller at a time, opens them when needed, and replaces those the server hung up on."""

    def __init__(self, server: PostgresServer) -> None:
        self._server = server
        self._slots = ConnectionSlots(server.options.pool_size)
        self._idle_connections: IdleConnections[BoundedWaitConnection] = IdleConnections()
        self._is_closed = False

    def take(self) -> BoundedWaitConnection:
        """Return a connection of the caller's own until it is given back.

        Raises:
            StoreClosed, StoreBusy, StoreUnavailable: there is none.
        """
        if self._is_closed:
            raise StoreClosed("the store is closed")
        deadline = self._server.deadline()
        if not self._slots.take(self._server.options.timeout_seconds):
            raise StoreBusy("all connections were in use for longer than the time-out")
        try:
            return self._idle_connections.take() or self._idle_connections.add(self._open(deadline))
        except BaseException:
            self._slots.release()
            raise

    def _open(self, deadline: float) -> BoundedWaitConnection:
        attempts = Attempts(deadline)
        opens = partial(BoundedWaitConnection.connect, **self._server.connection_arguments())
        while True:
            try:
                connection = connect(self._server.hosts, deadline, opens)
                connection.wait_seconds = self._server.wait_seconds
                return connection
            except psycopg.Error as error:
                refusal = self._server.unreachable(error)
            time.sleep(attempts.pause_after(refusal))

    def give_back(self, connection: BoundedWaitConnection) -> None:
        """The connection is idle again; what it had not committed is rolled back."""
        try:
            if is_in_transaction(connection):
                connection.execute(b"ROLLBACK", prepare=False)
        except psycopg.Error:
            connection.pgconn.finish()
        finally:
            self._idle_connections.put(connection)
            self._slots.release()

    def close(self) -> None:
        """No connection is lent any more, and those that were have been given back, or the time is up."""
        if self._is_closed:
            return
        self._is_closed = True
        deadline = time.monotonic() + self._server.wait_seconds
        for _ in range(self._server.options.pool_size):
            self._slots.take(max(0.0, deadline - time.monotonic()))
        self._idle_connections.close()


class PostgresChanges(NotificationListener):
    """See `Changes`."""

    def wait(self, token: Hashable, seconds: float) -> None:
        if self.wants_connection:
            self.connect()
        if self.token() != token:
            return
        socket = self.socket()
        if socket is None:
            time.sleep(min(seconds, LOOK_SECONDS))
            return
        for pause in self.pauses(seconds):
            if readable(socket, pause):
                return


class PostgresDriver:
    """Runs each operation on a connection that it has for itself."""

    longest_lock_seconds: ClassVar[float] = inf

    def __init__(self, server: PostgresServer) -> None:
        self._server = server
        self._pool = ConnectionPool(server)
        watch_forks(self)

    @classmethod
    def open(cls, url: str, options: OpenOptions) -> Self:
        """Return a driver whose database answers and is at the newest schema."""
        server = PostgresServer(url, options, lock_seconds=min(options.timeout_seconds, cls.longest_lock_seconds))
        server.open()
        return cls(server)

    def before_fork(self) -> None:
        """See `ForkAware`; connections that are lent are their callers', before and after."""

    def after_fork_in_parent(self) -> None:
        """See `ForkAware`."""

    def after_fork_in_child(self) -> None:
        # The parent's connections are kept from ever being closed: closing them would end the parent's sessions.
        self._inherited: Any = self._pool, getattr(self, "_inherited", None)
        self._pool = ConnectionPool(self._server)

    def run(self, operation: Operation[T], mode: Mode, key: str | None) -> T:
        replays = Replays(self._server.options.timeout_seconds)
        while True:
            try:
                return self._run_once(operation, mode, key)
            except Raced as error:
                time.sleep(replays.pause_after(error))

    def _run_once(self, operation: Operation[T], mode: Mode, key: str | None) -> T:
        connection = self._pool.take()
        # A single statement commits itself: where its answer is lost, nobody knows whether it did.
        may_have_written = mode is Mode.SINGLE
        try:
            if mode is Mode.ATOMIC:
                connection.execute(self._server.begin, prepare=False)
            result = complete(operation(PostgresTransaction(partial(self._execute, connection))))
            if mode is Mode.ATOMIC:
                may_have_written = True
                connection.execute(b"COMMIT", prepare=False)
            return result
        except psycopg.Error as error:
            lost = is_lost(connection)
            raise self._server.meaning(error, is_lost=lost, may_have_written=may_have_written, key=key) from error
        finally:
            self._pool.give_back(connection)

    def _execute(self, connection: BoundedWaitConnection, name: str, parameters: Parameters) -> list[Row]:
        statement = self._server.statements[name]
        request = (statement, statement.values(parameters))
        try:
            return connection.wait(connection.session.ask(request, prepares=self._server.prepares))
        except psycopg.errors.CheckViolation as error:
            # A transaction that has failed answers no more, and the operation reads to say which number is too large.
            if is_in_transaction(connection):
                connection.execute(b"ROLLBACK", prepare=False)
            raise translate(error) from error

    def read_one(self, statement: str, parameters: Parameters) -> Row | None:
        return self.run(lambda tx: tx.one_or_none(statement, parameters), Mode.READ, None)

    def changes(self) -> PostgresChanges:
        return PostgresChanges(self._server)

    def inspect(self) -> list[Finding]:
        return self._server.inspect()

    def copy_into(self, _target: Path, /) -> None:
        raise self._server.copied_by_pg_dump()

    def close(self) -> None:
        self._server.is_closed = True
        self._pool.close()

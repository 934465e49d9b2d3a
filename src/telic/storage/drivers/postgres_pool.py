"""Connections to one server: lent to one caller at a time, opened when needed, replaced once the server hung up.

Telic has its own pool because psycopg's lets an outage outlast the server's by minutes: its pauses between two
attempts double without bound, and stale connections are replaced one by one with such a pause after each.
"""

import asyncio
import random
import select
import threading
import time
from collections import deque
from functools import cached_property, partial
from typing import Any, Final, Generic, TypeVar

import psycopg
from psycopg.abc import PQGen
from psycopg.pq import PipelineStatus, TransactionStatus

from telic.domain.errors import StoreBusy, StoreClosed, StoreUnavailable
from telic.storage.drivers.postgres_hosts import connect_async, connect_blocking
from telic.storage.drivers.postgres_server import PostgresServer
from telic.storage.drivers.postgres_statements import StatementSession
from telic.storage.transaction import Row

C = TypeVar("C", bound=psycopg.BaseConnection[Any])
_R = TypeVar("_R")

_LONGEST_IDLE_SECONDS: Final = 600.0
_REST_SECONDS: Final = 3.0
"""How long a task's connection is kept for the next: a worker that has nothing to do needs none but its listener's."""
_LONGEST_LIFE_SECONDS: Final = 3600.0
_LONGEST_PAUSE_SECONDS: Final = 0.25
_ROLLBACK: Final = b"ROLLBACK"


class BoundedWaitConnection(psycopg.Connection[Row]):
    """A connection that never waits for ever: a server, or a pooler before it, may not answer."""

    wait_seconds: float | None = None

    @cached_property
    def session(self) -> StatementSession:
        """What this connection has prepared."""
        return StatementSession(self.pgconn)

    def wait(self, gen: PQGen[_R], interval: float = 0.1, timeout: float | None = None) -> _R:
        return super().wait(gen, interval, self.wait_seconds if timeout is None else timeout)


class AsyncBoundedWaitConnection(psycopg.AsyncConnection[Row]):
    """`BoundedWaitConnection`, awaited."""

    wait_seconds: float | None = None

    @cached_property
    def session(self) -> StatementSession:
        """See `BoundedWaitConnection.session`."""
        return StatementSession(self.pgconn)

    async def wait(self, gen: PQGen[_R], interval: float = 0.1, timeout: float | None = None) -> _R:
        return await super().wait(gen, interval, self.wait_seconds if timeout is None else timeout)


class IdleConnections(Generic[C]):
    """Idle connections, of which the last used is taken first."""

    def __init__(self) -> None:
        self._idle: deque[tuple[float, C]] = deque()
        self._opened_at: dict[C, float] = {}
        self._is_closed = False

    def take(self) -> C | None:
        """A connection that was idle and on which the server has not hung up; None where there is none."""
        while self._idle:
            try:
                _, connection = self._idle.pop()
            except IndexError:  # another thread was faster
                break
            if _is_quiet(connection):
                return connection
            self._drop(connection)
        return None

    def add(self, connection: C) -> C:
        """The connection, known to have been opened now."""
        self._opened_at[connection] = time.monotonic()
        return connection

    def put(self, connection: C) -> None:
        """The connection waits for its next use, or is closed where it should have none."""
        now = time.monotonic()
        is_old = now > self._opened_at[connection] + _LONGEST_LIFE_SECONDS
        if is_old or self._is_closed or not _is_usable(connection):
            self._drop(connection)
            return
        self._idle.append((now, connection))
        if self._idle[0][0] < now - _LONGEST_IDLE_SECONDS:
            self._drop(self._idle.popleft()[1])

    def close_idle(self, seconds: float) -> bool:
        """Those that were not used for so long are closed; whether others are still idle."""
        before = time.monotonic() - seconds
        while self._idle and self._idle[0][0] <= before:
            self._drop(self._idle.popleft()[1])
        return bool(self._idle)

    def close(self) -> None:
        """Every idle connection is closed, and every other one when it is put back."""
        self._is_closed = True
        while self._idle:
            self._drop(self._idle.pop()[1])

    def _drop(self, connection: C) -> None:
        del self._opened_at[connection]
        connection.pgconn.finish()


def _is_quiet(connection: psycopg.BaseConnection[Any]) -> bool:
    """Whether nothing waits to be read: what a server says to an idle connection is good-bye. No round trip."""
    if connection.closed:
        return False
    poll = select.poll()
    poll.register(connection.pgconn.socket, select.POLLIN)
    return not poll.poll(0)


def _is_usable(connection: psycopg.BaseConnection[Any]) -> bool:
    state = connection.pgconn
    return state.transaction_status == TransactionStatus.IDLE and state.pipeline_status == PipelineStatus.OFF


def _is_in_transaction(connection: psycopg.BaseConnection[Any]) -> bool:
    return connection.pgconn.transaction_status in (TransactionStatus.INTRANS, TransactionStatus.INERROR)


class _Attempts:
    """How long to pause after a connection was refused, so that a server that comes back is found soon."""

    def __init__(self, deadline: float) -> None:
        self._deadline = deadline
        self._pause_seconds = 0.01

    def pause_after(self, refusal: StoreUnavailable) -> float:
        """Seconds to wait before the next attempt.

        Raises:
            StoreUnavailable: the time is up.
        """
        self._pause_seconds = min(self._pause_seconds * 2, _LONGEST_PAUSE_SECONDS)
        pause = random.uniform(self._pause_seconds / 2, self._pause_seconds)
        if time.monotonic() + pause > self._deadline:
            raise refusal
        return pause


class ConnectionPool:
    """Lends connections to threads."""

    def __init__(self, server: PostgresServer) -> None:
        self._server = server
        self._slots = threading.Semaphore(server.options.pool_size)
        self._idle_connections: IdleConnections[BoundedWaitConnection] = IdleConnections()
        self._is_closed = False

    def take(self) -> BoundedWaitConnection:
        """A connection of the caller's own until it is given back.

        Raises:
            StoreClosed, StoreBusy, StoreUnavailable: there is none.
        """
        if self._is_closed:
            raise StoreClosed("the store is closed")
        deadline = self._server.deadline()
        if not self._slots.acquire(timeout=self._server.options.timeout_seconds):
            raise StoreBusy("all connections were in use for longer than the time-out")
        try:
            return self._idle_connections.take() or self._idle_connections.add(self._open(deadline))
        except BaseException:
            self._slots.release()
            raise

    def _open(self, deadline: float) -> BoundedWaitConnection:
        attempts = _Attempts(deadline)
        connect = partial(BoundedWaitConnection.connect, **self._server.connection_arguments())
        while True:
            try:
                connection = connect_blocking(self._server.hosts, deadline, connect)
                connection.wait_seconds = self._server.wait_seconds
                return connection
            except psycopg.Error as error:
                refusal = self._server.unreachable(error)
            time.sleep(attempts.pause_after(refusal))

    def give_back(self, connection: BoundedWaitConnection) -> None:
        """The connection is nobody's; what it had not committed is undone."""
        try:
            if _is_in_transaction(connection):
                connection.execute(_ROLLBACK, prepare=False)
        except psycopg.Error:
            connection.pgconn.finish()
        finally:
            self._idle_connections.put(connection)
            self._slots.release()

    def close(self) -> None:
        """No connection is lent any more, and those that are have been given back or the time is up."""
        if self._is_closed:
            return
        self._is_closed = True
        deadline = time.monotonic() + self._server.wait_seconds
        for _ in range(self._server.options.pool_size):
            self._slots.acquire(timeout=max(0.0, deadline - time.monotonic()))
        self._idle_connections.close()


class AsyncConnectionPool:
    """Lends connections to the tasks of one event loop."""

    def __init__(self, server: PostgresServer) -> None:
        self._server = server
        self._slots = asyncio.Semaphore(server.options.pool_size)
        self._idle_connections: IdleConnections[AsyncBoundedWaitConnection] = IdleConnections()
        self._is_closed = False
        self._closing: asyncio.TimerHandle | None = None

    async def take(self) -> AsyncBoundedWaitConnection:
        """See `ConnectionPool.take`."""
        if self._is_closed:
            raise StoreClosed("the store is closed")
        deadline = self._server.deadline()
        await self._take_slot()
        try:
            return self._idle_connections.take() or self._idle_connections.add(await self._open(deadline))
        except BaseException:
            self._slots.release()
            raise

    async def _take_slot(self) -> None:
        if not self._slots.locked():
            # It is there at once, and a time-out costs more than the rest of lending a connection.
            await self._slots.acquire()
            return
        try:
            async with asyncio.timeout(self._server.options.timeout_seconds):
                await self._slots.acquire()
        except TimeoutError:
            raise StoreBusy("all connections were in use for longer than the time-out") from None

    async def _open(self, deadline: float) -> AsyncBoundedWaitConnection:
        attempts = _Attempts(deadline)
        connect = partial(AsyncBoundedWaitConnection.connect, **self._server.connection_arguments())
        while True:
            try:
                connection = await connect_async(self._server.hosts, deadline, connect)
                connection.wait_seconds = self._server.wait_seconds
                return connection
            except psycopg.Error as error:
                refusal = self._server.unreachable(error)
            await asyncio.sleep(attempts.pause_after(refusal))

    async def give_back(self, connection: AsyncBoundedWaitConnection) -> None:
        """See `ConnectionPool.give_back`."""
        try:
            if _is_in_transaction(connection):
                await connection.execute(_ROLLBACK, prepare=False)
        except psycopg.Error:
            connection.pgconn.finish()
        finally:
            self._idle_connections.put(connection)
            self._slots.release()
            self._close_later()

    def _close_later(self) -> None:
        if self._closing is None and not self._is_closed:
            self._closing = asyncio.get_running_loop().call_later(_REST_SECONDS, self._close_idle)

    def _close_idle(self) -> None:
        self._closing = None
        if self._idle_connections.close_idle(_REST_SECONDS):
            self._close_later()

    async def close(self) -> None:
        """See `ConnectionPool.close`."""
        if self._is_closed:
            return
        self._is_closed = True
        if self._closing is not None:
            self._closing.cancel()
        try:
            async with asyncio.timeout(self._server.wait_seconds):
                for _ in range(self._server.options.pool_size):
                    await self._slots.acquire()
        except TimeoutError:
            pass
        self._idle_connections.close()

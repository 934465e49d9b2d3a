"""Async PostgreSQL: single statements share connections through a queue, transactions take one of their own."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import TypeVar

import psycopg
from psycopg.abc import PQGen
from psycopg.pq import TransactionStatus
from psycopg_pool import AsyncConnectionPool, PoolClosed, PoolTimeout

from telic.domain.errors import StoreClosed, StoreUnavailable
from telic.storage.drivers.postgres_queue import AsyncConnection, StatementQueue
from telic.storage.drivers.postgres_server import PostgresServer, Replays, is_lost, require_quiet
from telic.storage.options import OpenOptions
from telic.storage.transaction import Mode, Operation, Parameters, Raced, Row

T = TypeVar("T")
_R = TypeVar("_R")


class PatientAsyncConnection(psycopg.AsyncConnection[Row]):
    """A connection that never waits for ever: a server, or a pooler before it, may not answer."""

    wait_seconds: float | None = None

    async def wait(self, gen: PQGen[_R], interval: float = 0.1, timeout: float | None = None) -> _R:
        return await super().wait(gen, interval, self.wait_seconds if timeout is None else timeout)


class QueuedTransaction:
    """Runs each statement through the queue."""

    def __init__(self, queue: StatementQueue, mode: Mode, key: str | None) -> None:
        self._queue = queue
        self._mode = mode
        self._key = key

    async def maybe(self, statement: str, parameters: Parameters) -> Row | None:
        rows = await self._queue.submit(statement, parameters, self._mode, self._key)
        return rows[0] if rows else None

    async def all(self, statement: str, parameters: Parameters) -> list[Row]:
        return await self._queue.submit(statement, parameters, self._mode, self._key)


class AsyncPostgresTransaction:
    """Runs named statements on one connection."""

    def __init__(self, connection: AsyncConnection, server: PostgresServer) -> None:
        self._cursor = psycopg.AsyncRawCursor(connection)
        self._server = server

    async def maybe(self, statement: str, parameters: Parameters) -> Row | None:
        rows = await self.all(statement, parameters)
        return rows[0] if rows else None

    async def all(self, statement: str, parameters: Parameters) -> list[Row]:
        named = self._server.statements[statement]
        await self._cursor.execute(named.sql, named.values(parameters), prepare=self._server.prepares)
        return await self._cursor.fetchall()


class AsyncPostgresDriver:
    """A pool of connections for one event loop."""

    def __init__(self, server: PostgresServer) -> None:
        self._server = server
        self._pool: AsyncConnectionPool[PatientAsyncConnection] = AsyncConnectionPool(
            kwargs=server.connection_arguments(),
            connection_class=PatientAsyncConnection,
            min_size=1,
            max_size=server.options.pool_size,
            timeout=server.options.timeout_seconds,
            configure=self._configure,
            check=_require_quiet,
            num_workers=1,
            open=False,
        )
        carriers = max(1, server.options.pool_size // 2)
        self._queue = StatementQueue(server, self._connection, carriers)

    @classmethod
    async def open(cls, url: str, options: OpenOptions) -> "AsyncPostgresDriver":
        """A driver whose database answers and is at the newest schema."""
        server = PostgresServer(url, options)
        await asyncio.to_thread(server.open)
        driver = cls(server)
        await driver._pool.open()
        return driver

    async def _configure(self, connection: PatientAsyncConnection) -> None:
        connection.wait_seconds = self._server.wait_seconds
        connection.prepare_threshold = 5 if self._server.prepares else None

    async def run(self, operation: Operation[T], mode: Mode, key: str | None) -> T:
        """See `Driver.run`; other tasks go on meanwhile."""
        replays: Replays | None = None
        while True:
            try:
                if mode is Mode.ATOMIC:
                    return await self._run_atomic(operation, key)
                return await operation(QueuedTransaction(self._queue, mode, key))
            except Raced as error:
                replays = replays or Replays(self._server.options.timeout_seconds)
                await asyncio.sleep(replays.pause_after(error))

    async def point(self, statement: str, parameters: Parameters) -> Row | None:
        rows = await self._queue.submit(statement, parameters, Mode.READ, None)
        return rows[0] if rows else None

    async def _run_atomic(self, operation: Operation[T], key: str | None) -> T:
        may_have_written = False
        async with self._connection() as connection:
            try:
                await connection.execute(b"BEGIN")
                result = await operation(AsyncPostgresTransaction(connection, self._server))
                may_have_written = True
                await connection.execute(b"COMMIT")
                return result
            except psycopg.Error as error:
                raise self._server.meaning(
                    error, is_lost=is_lost(connection), may_have_written=may_have_written, key=key
                ) from error

    @asynccontextmanager
    async def _connection(self) -> AsyncGenerator[AsyncConnection]:
        connection = await self._take_connection()
        try:
            yield connection
        finally:
            await self._give_back(connection)

    async def _take_connection(self) -> PatientAsyncConnection:
        try:
            return await self._pool.getconn()
        except PoolClosed:
            raise StoreClosed("the store is closed") from None
        except PoolTimeout as error:
            raise StoreUnavailable(
                f"no connection to PostgreSQL at {self._server.place} within the time-out"
            ) from error

    async def _give_back(self, connection: PatientAsyncConnection) -> None:
        status = connection.pgconn.transaction_status
        try:
            if status in (TransactionStatus.INTRANS, TransactionStatus.INERROR):
                await connection.execute(b"ROLLBACK")
            elif status != TransactionStatus.IDLE:
                await connection.close()
        except psycopg.Error:
            await connection.close()
        await self._pool.putconn(connection)

    async def close(self) -> None:
        """See `Driver.close`."""
        await self._pool.close()


async def _require_quiet(connection: PatientAsyncConnection) -> None:
    require_quiet(connection)

"""Async PostgreSQL: single statements share connections through a queue, transactions take one of their own."""

import asyncio
from pathlib import Path
from typing import Final, TypeVar

import psycopg

from telic.domain.errors import StoreClosed
from telic.storage.drivers.postgres_changes import AsyncPostgresChanges
from telic.storage.drivers.postgres_errors import Replays
from telic.storage.drivers.postgres_pool import AsyncBoundedWaitConnection, AsyncConnectionPool
from telic.storage.drivers.postgres_queue import StatementQueue
from telic.storage.drivers.postgres_server import PostgresServer, is_lost
from telic.storage.transaction import Mode, OpenOptions, Operation, Parameters, Raced, Row

T = TypeVar("T")


class QueuedTransaction:
    """Runs each statement through the queue."""

    def __init__(self, queue: StatementQueue, mode: Mode, key: str | None) -> None:
        self._queue = queue
        self._mode = mode
        self._key = key

    async def one_or_none(self, statement: str, parameters: Parameters) -> Row | None:
        rows = await self._queue.submit(statement, parameters, self._mode, self._key)
        return rows[0] if rows else None

    async def all(self, statement: str, parameters: Parameters) -> list[Row]:
        return await self._queue.submit(statement, parameters, self._mode, self._key)


class AsyncPostgresTransaction:
    """Runs named statements on one connection."""

    def __init__(self, connection: AsyncBoundedWaitConnection, server: PostgresServer) -> None:
        self._connection = connection
        self._server = server

    async def one_or_none(self, statement: str, parameters: Parameters) -> Row | None:
        rows = await self.all(statement, parameters)
        return rows[0] if rows else None

    async def all(self, statement: str, parameters: Parameters) -> list[Row]:
        named = self._server.statements[statement]
        request = (named, named.values(parameters))
        return await self._connection.wait(self._connection.session.ask(request, prepares=self._server.prepares))


class AsyncPostgresDriver:
    """A pool of connections for one event loop."""

    def __init__(self, server: PostgresServer) -> None:
        self._server = server
        self._pool = AsyncConnectionPool(server)
        senders = max(1, server.options.pool_size // 2)
        self._queue = StatementQueue(server, self._pool, senders)

    @classmethod
    async def open(cls, url: str, options: OpenOptions) -> "AsyncPostgresDriver":
        """A driver whose database answers and is at the newest schema."""
        server = PostgresServer(url, options, lock_seconds=min(options.timeout_seconds, _LOCK_SECONDS))
        await asyncio.to_thread(server.open)
        return cls(server)

    async def run(self, operation: Operation[T], mode: Mode, key: str | None) -> T:
        """See `Driver.run`; other tasks go on meanwhile."""
        if self._server.is_closed:
            raise StoreClosed("the store is closed")
        replays = Replays(self._server.options.timeout_seconds)
        while True:
            try:
                if mode is Mode.ATOMIC:
                    return await self._run_atomic(operation, key)
                return await operation(QueuedTransaction(self._queue, mode, key))
            except Raced as error:
                await asyncio.sleep(replays.pause_after(error))

    async def read_one(self, statement: str, parameters: Parameters) -> Row | None:
        return await self.run(lambda tx: tx.one_or_none(statement, parameters), Mode.READ, None)

    def changes(self) -> AsyncPostgresChanges:
        """See `AsyncDriver.changes`."""
        return AsyncPostgresChanges(self._server)

    async def _run_atomic(self, operation: Operation[T], key: str | None) -> T:
        may_have_written = False
        connection = await self._pool.take()
        try:
            await connection.execute(self._server.begin, prepare=False)
            result = await operation(AsyncPostgresTransaction(connection, self._server))
            may_have_written = True
            await connection.execute(b"COMMIT", prepare=False)
            return result
        except psycopg.Error as error:
            raise self._server.meaning(
                error, is_lost=is_lost(connection), may_have_written=may_have_written, key=key
            ) from error
        finally:
            await self._pool.give_back(connection)

    def copy_into(self, _target: Path, /) -> None:
        """See `Driver.copy_into`."""
        raise self._server.copied_by_pg_dump()

    async def close(self) -> None:
        """See `Driver.close`."""
        self._server.is_closed = True
        await self._queue.finish()
        await self._pool.close()


_LOCK_SECONDS: Final = 0.25
"""How long a statement waits for a locked goal at a time, as it keeps those behind it waiting as well."""

"""The queue in which async callers share a connection, a round trip and a commit.

A few carriers take what has gathered, send it down one connection in pipeline mode, and share one commit. Such
a batch is one transaction to the server: where one statement fails, all are rolled back, and each is run alone.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Any, Final

import psycopg

from telic.domain.errors import StoreError
from telic.storage.drivers.postgres_server import PostgresServer, Statement, is_lost
from telic.storage.transaction import Mode, Parameters, Row, Value

AsyncConnection = psycopg.AsyncConnection[Row]
TakeConnection = Callable[[], AbstractAsyncContextManager[AsyncConnection]]

_LARGEST_BATCH: Final = 32
_ALONE: Final = frozenset({"goals.create", "goals.resume"})
"""Statements that may lock two goals. All others lock one, and a batch locks its goals in the order of their
ids, so that no two batches wait for each other."""


@dataclass(slots=True, eq=False)
class Request:
    """One statement that a caller waits for."""

    name: str
    statement: Statement
    parameters: Parameters
    mode: Mode
    key: str | None
    future: asyncio.Future[list[Row]]

    def __lt__(self, other: "Request") -> bool:
        return self._order < other._order

    @property
    def _order(self) -> str:
        return str(self.parameters.get("id") or "")

    @property
    def values(self) -> list[Value]:
        return self.statement.values(self.parameters)


class StatementQueue:
    """Waiting statements, and at most `carriers` batches of them under way."""

    def __init__(self, server: PostgresServer, take_connection: TakeConnection, carriers: int) -> None:
        self._server = server
        self._take_connection = take_connection
        self._most_carriers = carriers
        self._carriers = 0
        self._waiting: deque[Request] = deque()
        self._tasks: set[asyncio.Task[None]] = set()

    async def submit(self, name: str, parameters: Parameters, mode: Mode, key: str | None) -> list[Row]:
        """The rows that the statement gave, committed."""
        future: asyncio.Future[list[Row]] = asyncio.get_running_loop().create_future()
        self._waiting.append(Request(name, self._server.statements[name], parameters, mode, key, future))
        if self._carriers < self._most_carriers:
            await self._carry_own()
        return await future

    async def _carry_own(self) -> None:
        """Sends what waits, without a task's delay, and leaves to a task what has gathered meanwhile."""
        self._carriers += 1
        try:
            await self._send(self._next_batch())
        finally:
            task = asyncio.get_running_loop().create_task(self._carry_on()) if self._waiting else None
            if task is None:
                self._carriers -= 1
            else:
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)

    async def _carry_on(self) -> None:
        try:
            while self._waiting:
                await self._send(self._next_batch())
        finally:
            self._carriers -= 1

    def _next_batch(self) -> list[Request]:
        share = -(-len(self._waiting) // self._most_carriers)
        batch = [self._waiting.popleft()]
        while len(batch) < min(share, _LARGEST_BATCH) and batch[0].name not in _ALONE:
            if self._waiting[0].name in _ALONE:
                break
            batch.append(self._waiting.popleft())
        return sorted(batch)

    async def _send(self, batch: list[Request]) -> None:
        try:
            async with self._take_connection() as connection:
                if len(batch) == 1 or not await self._pipeline(connection, batch):
                    for request in batch:
                        await self._execute(connection, request)
        except BaseException as error:
            for request in batch:
                if not request.future.done():
                    _refuse(request, error)
            if not isinstance(error, StoreError):
                raise

    async def _pipeline(self, connection: AsyncConnection, batch: list[Request]) -> bool:
        """Whether the batch was committed; otherwise nothing of it was, unless the connection was lost."""
        cursors = [psycopg.AsyncRawCursor(connection) for _ in batch]
        try:
            async with connection.pipeline():
                for cursor, request in zip(cursors, batch, strict=True):
                    await cursor.execute(request.statement.sql, request.values, prepare=self._server.prepares)
        except psycopg.Error as error:
            if is_lost(connection):
                for request in batch:
                    self._fail(connection, request, error)
            return is_lost(connection)
        for cursor, request in zip(cursors, batch, strict=True):
            _deliver(request, await cursor.fetchall())
        return True

    async def _execute(self, connection: AsyncConnection, request: Request) -> None:
        cursor: Any = psycopg.AsyncRawCursor(connection)
        try:
            await cursor.execute(request.statement.sql, request.values, prepare=self._server.prepares)
            _deliver(request, await cursor.fetchall())
        except psycopg.Error as error:
            self._fail(connection, request, error)

    def _fail(self, connection: AsyncConnection, request: Request, error: psycopg.Error) -> None:
        writes = request.mode is not Mode.READ
        meaning = self._server.meaning(error, is_lost=is_lost(connection), may_have_written=writes, key=request.key)
        meaning.__cause__ = error
        _refuse(request, meaning)


def _deliver(request: Request, rows: list[Row]) -> None:
    if not request.future.done():
        request.future.set_result(rows)


def _refuse(request: Request, error: BaseException) -> None:
    if request.future.done():
        return
    if isinstance(error, Exception):
        request.future.set_exception(error)
    else:
        request.future.cancel()

"""The queue in which async callers share a connection, a round trip and a commit (ADR 54).

A few senders take what has gathered, send it down one connection in pipeline mode, and share one commit. Such
a batch is one transaction to the server: where one statement fails, all are rolled back, and each is run alone.

Writes to one goal are under way in one batch at a time; those that come meanwhile are parked until it is done. A
goal that another session keeps locked so holds up one sender, not all, and its writes are then sent alone.
"""

import asyncio
import time
from collections import deque
from dataclasses import dataclass
from functools import partial
from typing import ClassVar, Final, TypeVar

import psycopg

from telic.domain.errors import StoreBusy, StoreClosed, StoreError
from telic.storage.drivers.postgres_async import AsyncBoundedWaitConnection, AsyncConnectionPool, AsyncPostgresDriver
from telic.storage.drivers.postgres_errors import LockHeld
from telic.storage.drivers.postgres_server import PostgresServer, is_lost
from telic.storage.drivers.postgres_statements import AsyncPostgresTransaction, PostgresStatement
from telic.storage.transaction import Mode, Operation, Parameters, Row, Value

T = TypeVar("T")

_LARGEST_BATCH: Final = 32
_ALONE: Final = frozenset({"goals.create", "goals.resume"})
"""Statements that may lock two goals. All others lock one, and a batch locks its goals in the order of their
ids, so that no two batches wait for each other."""


@dataclass(slots=True, eq=False)
class QueuedStatement:
    """One statement that a caller waits for."""

    name: str
    statement: PostgresStatement
    parameters: Parameters
    mode: Mode
    key: str | None
    future: asyncio.Future[list[Row]]
    deadline: float

    def __lt__(self, other: "QueuedStatement") -> bool:
        return self.goal < other.goal

    @property
    def goal(self) -> str:
        """The goal that it locks, or would if it wrote."""
        return str(self.parameters.get("id") or "")

    @property
    def writes(self) -> bool:
        """Whether it may change its goal, and so locks it."""
        return self.mode is not Mode.READ

    def is_given_up(self, now: float) -> bool:
        """Return whether nobody waits for it any more; one that waited for too long is refused."""
        if now > self.deadline:
            _refuse(self, StoreBusy("others kept the connections busy for longer than the time-out"))
        return self.future.done()

    @property
    def values(self) -> list[Value]:
        return self.statement.values(self.parameters)


class StatementQueue:
    """Waiting statements, and a bounded number of batches of them under way."""

    def __init__(self, server: PostgresServer, pool: AsyncConnectionPool) -> None:
        self._server = server
        self._pool = pool
        # The other half of the connections is left to transactions.
        self._max_senders = max(1, server.options.pool_size // 2)
        self._senders = 0
        self._waiting: deque[QueuedStatement] = deque()
        self._parked: dict[str, deque[QueuedStatement]] = {}
        self._contended: set[str] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._is_idle = asyncio.Event()
        self._is_idle.set()

    async def submit(self, name: str, parameters: Parameters, mode: Mode, key: str | None) -> list[Row]:
        """Return the rows that the statement gave, committed."""
        future: asyncio.Future[list[Row]] = asyncio.get_running_loop().create_future()
        deadline = time.monotonic() + self._server.options.timeout_seconds
        self._waiting.append(
            QueuedStatement(name, self._server.statements[name], parameters, mode, key, future, deadline)
        )
        if self._senders < self._max_senders:
            await self._send_at_once()
        return await future

    async def finish(self) -> None:
        """Wait until everything that was submitted has its answer."""
        await self._is_idle.wait()

    async def _send_at_once(self) -> None:
        """Send the waiting statements without a task's delay; those that have gathered meanwhile are left to a task."""
        self._senders += 1
        self._is_idle.clear()
        try:
            await self._send_batch()
        finally:
            if self._waiting:
                task = asyncio.get_running_loop().create_task(self._send_until_empty())
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)
            else:
                self._stop_sending()

    async def _send_until_empty(self) -> None:
        try:
            while self._waiting:
                await self._send_batch()
        finally:
            self._stop_sending()

    def _stop_sending(self) -> None:
        self._senders -= 1
        if not self._senders:
            self._is_idle.set()

    async def _send_batch(self) -> None:
        batch, goals = self._next_batch()
        for goal in goals:
            self._parked[goal] = deque()
        try:
            if batch:
                # In the order of goals, as every batch: two batches then never wait for each other's locks.
                await self._send(sorted(batch))
        finally:
            for goal in goals:
                self._unpark(goal)

    def _unpark(self, goal: str) -> None:
        parked = self._parked.pop(goal)
        if goal in self._contended:
            # Another session holds the goal's lock: its writes go to the end, so that they hold up nobody else.
            self._waiting.extend(parked)
        else:
            self._waiting.extendleft(reversed(parked))

    def _next_batch(self) -> tuple[list[QueuedStatement], set[str]]:
        """Return requests to share a transaction, and the goals they write to; park writes to a goal under way."""
        # Each free sender gets an equal part, rounded up: one batch with everything would leave the others idle.
        share = -(-len(self._waiting) // self._max_senders)
        batch: list[QueuedStatement] = []
        goals: set[str] = set()
        now = time.monotonic()
        while self._waiting and len(batch) < _LARGEST_BATCH:
            request = self._waiting[0]
            if request.is_given_up(now):
                self._waiting.popleft()
                continue
            if request.writes and request.goal in self._parked:
                self._parked[request.goal].append(self._waiting.popleft())
                continue
            goes_alone = request.name in _ALONE or (request.writes and request.goal in self._contended)
            if batch and (goes_alone or (len(batch) >= share and request.goal not in goals)):
                break
            batch.append(self._waiting.popleft())
            if request.writes:
                goals.add(request.goal)
            if goes_alone:
                break
        return batch, goals

    async def _send(self, batch: list[QueuedStatement]) -> None:
        try:
            connection = await self._pool.take()
            try:
                if len(batch) == 1 or not await self._pipeline(connection, batch):
                    await self._send_each(connection, batch)
            finally:
                await self._pool.give_back(connection)
        except BaseException as error:
            for request in batch:
                _refuse(request, error)
            if not isinstance(error, Exception):
                raise

    async def _pipeline(self, connection: AsyncBoundedWaitConnection, batch: list[QueuedStatement]) -> bool:
        """Return whether each request has its answer; if not, nothing of the batch was committed."""
        # One implicit transaction: the server commits at the pipeline's end, or rolls all back at the first error.
        statements = [(request.statement, request.values) for request in batch]
        try:
            answers = await connection.wait(connection.session.ask_all(statements, prepares=self._server.prepares))
        except psycopg.Error as error:
            if is_lost(connection):
                for request in batch:
                    _refuse(request, self._meaning(connection, request, error))
            return is_lost(connection)
        for request, rows in zip(batch, answers, strict=True):
            _deliver(request, rows)
        return True

    async def _send_each(self, connection: AsyncBoundedWaitConnection, batch: list[QueuedStatement]) -> None:
        # Each is a transaction of its own; a goal found locked is not waited for a second time.
        held: dict[str, StoreError] = {}
        for request in batch:
            known = held.get(request.goal) if request.writes else None
            error = known or await self._execute(connection, request)
            if error is not None:
                _refuse(request, error)
            if isinstance(error, LockHeld) and request.name not in _ALONE:
                held[request.goal] = error
                self._contended.add(request.goal)
            elif request.writes:
                self._contended.discard(request.goal)

    async def _execute(self, connection: AsyncBoundedWaitConnection, request: QueuedStatement) -> StoreError | None:
        """Answer the request, or return the error to refuse it with."""
        statement = (request.statement, request.values)
        try:
            rows = await connection.wait(connection.session.ask(statement, prepares=self._server.prepares))
            _deliver(request, rows)
        except psycopg.Error as error:
            return self._meaning(connection, request, error)
        return None

    def _meaning(
        self, connection: AsyncBoundedWaitConnection, request: QueuedStatement, error: psycopg.Error
    ) -> StoreError:
        lost = is_lost(connection)
        meaning = self._server.meaning(error, is_lost=lost, may_have_written=request.writes, key=request.key)
        meaning.__cause__ = error
        return meaning


def _deliver(request: QueuedStatement, rows: list[Row]) -> None:
    if not request.future.done():
        request.future.set_result(rows)


def _refuse(request: QueuedStatement, error: BaseException) -> None:
    if request.future.done():
        return
    if isinstance(error, Exception):
        request.future.set_exception(error)
    else:
        request.future.cancel()


class QueuedPostgresDriver(AsyncPostgresDriver):
    """Single statements share connections through a queue, transactions take one of their own."""

    longest_lock_seconds: ClassVar[float] = 0.25
    """A statement waits for a locked goal this long at a time, as it keeps those behind it waiting as well."""

    def __init__(self, server: PostgresServer) -> None:
        super().__init__(server)
        self._queue = StatementQueue(server, self._pool)

    def after_fork_in_child(self) -> None:
        # What the parent's callers wait for is the parent's to send.
        super().after_fork_in_child()
        self._queue = StatementQueue(self._server, self._pool)

    async def _run_once(self, operation: Operation[T], mode: Mode, key: str | None) -> T:
        if self._server.is_closed:
            raise StoreClosed("the store is closed")
        if mode is Mode.ATOMIC:
            return await super()._run_once(operation, mode, key)
        return await operation(AsyncPostgresTransaction(partial(self._queue.submit, mode=mode, key=key)))

    async def close(self) -> None:
        self._server.is_closed = True
        await self._queue.finish()
        await super().close()

"""Async SQLite: one writer thread, in which the operations that wait at the same moment share a commit.

Each operation of such a batch has a savepoint of its own, so one that fails harms no other, and one disk sync
acknowledges them all. A cancelled caller's operation may still happen: its outcome is unknown to the caller,
and the same call with the same key is the safe retry.
"""

import asyncio
import queue
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeVar

from telic.domain.errors import OutcomeUnknown, StoreClosed
from telic.storage.drive import complete
from telic.storage.drivers.fork import after_fork
from telic.storage.drivers.sqlite_database import SqliteDatabase, SqliteTransaction
from telic.storage.drivers.sqlite_errors import SQLITE_FAILURES, translate
from telic.storage.options import OpenOptions
from telic.storage.transaction import Mode, Operation, Parameters, Row, Transaction

T = TypeVar("T")

_LARGEST_BATCH: Final = 256


@dataclass(slots=True)
class _Call:
    operation: Operation[Any]
    key: str | None
    future: asyncio.Future[Any]
    result: Any = None
    error: Exception | None = None

    def settle(self) -> None:
        if self.future.done():
            return
        if self.error is None:
            self.future.set_result(self.result)
        else:
            self.future.set_exception(self.error)


_Work = _Call | Callable[[], None]


class AsyncSqliteDriver:
    """Reads run inline on a connection of their own; writes are handed to the writer thread."""

    def __init__(self, path: str | Path, options: OpenOptions) -> None:
        self.database = SqliteDatabase(path, options)
        self.database.reading()
        self._start()
        after_fork(self, "_start_in_child")

    def _start(self) -> None:
        self._work: queue.SimpleQueue[_Work] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._is_closing = False

    def _start_in_child(self) -> None:
        self.database.abandon()
        self._start()

    async def run(self, operation: Operation[T], mode: Mode, key: str | None) -> T:
        """See `Driver.run`; other tasks go on meanwhile."""
        # Statements of an in-memory database share one connection, where a read would see uncommitted writes.
        if mode is Mode.READ and not self.database.is_memory:
            return self._read(operation)
        future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._submit(_Call(operation, key, future))
        return await future

    def _read(self, operation: Operation[T]) -> T:
        return complete(operation(self.database.read_transaction or self.database.reading()))

    async def point(self, statement: str, parameters: Parameters) -> Row | None:
        if self.database.is_memory:

            async def read(tx: Transaction) -> Row | None:
                return await tx.maybe(statement, parameters)

            return await self.run(read, Mode.READ, None)
        return (self.database.read_transaction or self.database.reading()).point(statement, parameters)

    def _submit(self, work: _Work) -> None:
        if self._is_closing:
            raise StoreClosed("the store is closed")
        if self._thread is None:
            # Not joined at exit: a store that was not closed must not keep the interpreter from ending.
            self._thread = threading.Thread(target=self._write_until_closed, name="telic-sqlite-writer", daemon=True)
            self._thread.start()
        self._work.put(work)

    def _write_until_closed(self) -> None:
        while True:
            batch: list[_Call] = []
            work = self._work.get()
            while isinstance(work, _Call):
                batch.append(work)
                if len(batch) == _LARGEST_BATCH or self._work.empty():
                    break
                work = self._work.get()
            if batch:
                self._write(batch)
            if not isinstance(work, _Call):
                work()
                return

    def _write(self, batch: list[_Call]) -> None:
        """Whatever happens, every caller is told, and the thread goes on."""
        try:
            transaction = self.database.begin()
            for call in batch:
                self._run_in_savepoint(call, transaction)
            self.database.commit(None)
        except SQLITE_FAILURES as error:
            self.database.rollback()
            _fail(batch, translate(error))
        except Exception as error:
            self.database.rollback()
            _fail(batch, error)
        _settle(batch)

    def _run_in_savepoint(self, call: _Call, transaction: SqliteTransaction) -> None:
        transaction.execute("SAVEPOINT call")
        try:
            call.result = complete(call.operation(transaction))
        except Exception as error:
            if not self.database.is_in_transaction:
                # A full or failing disk has ended the transaction, and all that was done in it.
                raise
            call.error = error
            transaction.execute("ROLLBACK TO call")
        transaction.execute("RELEASE call")

    async def close(self) -> None:
        """See `Driver.close`; calls already made are finished first."""
        if self._is_closing:
            return
        loop = asyncio.get_running_loop()
        closed: asyncio.Future[None] = loop.create_future()

        def close() -> None:
            self.database.close()
            loop.call_soon_threadsafe(closed.set_result, None)

        self._submit(close)
        self._is_closing = True
        await closed


def _fail(batch: list[_Call], error: Exception) -> None:
    for call in batch:
        call.error = call.error or _own(error, call)


def _own(error: Exception, call: _Call) -> Exception:
    return OutcomeUnknown(call.key) if isinstance(error, OutcomeUnknown) else error


def _settle(batch: list[_Call]) -> None:
    for loop in {call.future.get_loop() for call in batch}:
        # Where the callers' loop has ended, so has everyone who could be told.
        with suppress(RuntimeError):
            loop.call_soon_threadsafe(_settle_those_of, loop, batch)


def _settle_those_of(loop: asyncio.AbstractEventLoop, batch: list[_Call]) -> None:
    for call in batch:
        if call.future.get_loop() is loop:
            call.settle()

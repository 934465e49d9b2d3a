"""Async SQLite: one writer thread, in which the operations that wait at the same moment share a commit (ADR 54).

Each operation of such a batch has a savepoint of its own, so one that fails harms no other, and one disk sync
acknowledges them all. A cancelled caller's operation may still happen: its outcome is unknown to the caller,
and the same call with the same key is the safe retry.
"""

import asyncio
import queue
import threading
import time
from collections.abc import Hashable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeVar

from telic.domain.errors import OutcomeUnknown, StoreBusy, StoreClosed
from telic.storage.drivers.sqlite_changes import POLL_SECONDS, VersionWatch
from telic.storage.drivers.sqlite_database import SqliteDatabase
from telic.storage.drivers.sqlite_errors import MOST_ATTEMPTS, SQLITE_FAILURES, race_error, translate, translated
from telic.storage.drivers.sqlite_transaction import SqliteTransaction
from telic.storage.transaction import Mode, OpenOptions, Operation, Parameters, Raced, Row, complete, watch_forks

T = TypeVar("T")

_LARGEST_BATCH: Final = 256


@dataclass(slots=True)
class _WaitingCall:
    operation: Operation[Any]
    key: str | None
    deadline: float
    future: asyncio.Future[Any]
    result: Any = None
    error: Exception | None = None


class AsyncSqliteChanges(VersionWatch):
    """See `AsyncChanges`."""

    async def wait(self, token: Hashable, seconds: float) -> None:
        for pause, quiet in self.pauses(token, seconds):
            if quiet is None:
                await asyncio.sleep(pause)
            else:
                await _readable(quiet.descriptor, pause)
        # A look at a file whose readers are locked out may outlast the time: the task that could end that has a turn.
        await asyncio.sleep(0)


async def _readable(descriptor: int, seconds: float) -> None:
    loop = asyncio.get_running_loop()
    is_readable = asyncio.Event()
    try:
        loop.add_reader(descriptor, is_readable.set)
    except NotImplementedError:
        await asyncio.sleep(min(seconds, POLL_SECONDS))
        return
    try:
        async with asyncio.timeout(seconds):
            await is_readable.wait()
    except TimeoutError:
        return
    finally:
        loop.remove_reader(descriptor)


class AsyncSqliteDriver:
    """Reads run inline on a connection of their own; writes are handed to the writer thread."""

    def __init__(self, path: str | Path, options: OpenOptions) -> None:
        self.database = SqliteDatabase(path, options)
        self.database.reading()
        self._read_lock = threading.Lock()
        self._write_lock = threading.Lock()
        self._start()
        watch_forks(self)

    def _start(self) -> None:
        # None ends the thread.
        self._work: queue.SimpleQueue[_WaitingCall | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._is_closing = False

    async def run(self, operation: Operation[T], mode: Mode, key: str | None) -> T:
        self._require_open()
        # Statements of an in-memory database share one connection, where a read would see uncommitted writes.
        if mode is Mode.READ and not self.database.is_memory:
            with self._read_lock:
                return complete(operation(self.database.read_transaction or self.database.reading()))
        future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        deadline = time.monotonic() + self.database.options.timeout_seconds
        if self._thread is None:
            # Not joined at exit: a store that was not closed must not keep the interpreter from ending.
            self._thread = threading.Thread(target=self._write_until_closed, name="telic-sqlite-writer", daemon=True)
            self._thread.start()
        self._work.put(_WaitingCall(operation, key, deadline, future))
        return await future

    async def read_one(self, statement: str, parameters: Parameters) -> Row | None:
        if self.database.is_memory:
            return await self.run(lambda tx: tx.one_or_none(statement, parameters), Mode.READ, None)
        self._require_open()
        with self._read_lock:
            return (self.database.read_transaction or self.database.reading()).read_one(statement, parameters)

    def changes(self) -> AsyncSqliteChanges:
        return AsyncSqliteChanges(self._version, self.database.log)

    def _version(self) -> Hashable:
        self._require_open()
        with self._write_lock if self.database.is_memory else self._read_lock:
            return self.database.version()

    def _require_open(self) -> None:
        if self._is_closing:
            raise StoreClosed("the store is closed")

    def _write_until_closed(self) -> None:
        waiting: list[_WaitingCall] = []
        is_ending = False
        while waiting or not is_ending:
            is_ending = self._gather(waiting) or is_ending
            if waiting:
                with self._write_lock:
                    waiting = self._write(waiting)

    def _gather(self, waiting: list[_WaitingCall]) -> bool:
        """Wait for calls and put them all into `waiting`; return whether the thread must end."""
        while len(waiting) < _LARGEST_BATCH and not (waiting and self._work.empty()):
            call = self._work.get()
            if call is None:
                return True
            waiting.append(call)
        return False

    def _write(self, batch: list[_WaitingCall]) -> list[_WaitingCall]:
        """Return the calls to try again; all others have their answer, whatever happens."""
        try:
            transaction = self.database.begin(min(call.deadline for call in batch))
        except StoreBusy as error:
            late = [call for call in batch if call.deadline <= time.monotonic()]
            _fail(late, error)
            return [call for call in batch if call not in late]
        except Exception as error:
            _fail(batch, error)
            return []
        try:
            # Group commit (ADR 54): a sync to disk costs more than all else, and one sync serves the whole batch.
            # No caller is answered before it, so what was acknowledged survives a power cut.
            for call in batch:
                self._run_in_savepoint(call, transaction)
            self.database.commit(None)
        except Exception as error:
            self.database.rollback()
            _fail(batch, translate(error) if isinstance(error, SQLITE_FAILURES) else error)
        else:
            _settle(batch)
        return []

    def _run_in_savepoint(self, call: _WaitingCall, transaction: SqliteTransaction) -> None:
        for _ in range(MOST_ATTEMPTS):
            self._attempt(call, transaction)
            if not isinstance(call.error, Raced):
                return
        assert isinstance(call.error, Raced)
        call.error = race_error(call.error)

    def _attempt(self, call: _WaitingCall, transaction: SqliteTransaction) -> None:
        # A call that fails is rolled back alone; the others of its batch are committed all the same.
        transaction.execute("SAVEPOINT call")
        try:
            call.result, call.error = complete(call.operation(transaction)), None
        except Exception as error:
            if not self.database.is_in_transaction:
                # A full or failing disk has ended the transaction, and all that was done in it.
                raise
            call.error = error
            transaction.execute("ROLLBACK TO call")
        transaction.execute("RELEASE call")

    def copy_into(self, target: Path, /) -> None:
        self.database.copy_into(target)

    async def close(self) -> None:
        if self._is_closing:
            return
        self._is_closing = True
        await asyncio.to_thread(self._end)

    def _end(self) -> None:
        if self._thread is not None:
            self._work.put(None)
            self._thread.join()
        with self._read_lock, self._write_lock, translated():
            self.database.close()

    def before_fork(self) -> None:
        self._write_lock.acquire()
        self._read_lock.acquire()

    def after_fork_in_parent(self) -> None:
        self._write_lock.release()
        self._read_lock.release()

    def after_fork_in_child(self) -> None:
        # What other threads' callers wait for is the parent's to answer.
        self.database.leave_to_parent()
        self._start()
        self.after_fork_in_parent()


def _fail(calls: list[_WaitingCall], error: Exception) -> None:
    for call in calls:
        call.error = call.error or (OutcomeUnknown(call.key) if isinstance(error, OutcomeUnknown) else error)
    _settle(calls)


def _settle(calls: list[_WaitingCall]) -> None:
    for loop in {call.future.get_loop() for call in calls}:
        # Where the callers' loop has ended, so have all callers that wait.
        with suppress(RuntimeError):
            loop.call_soon_threadsafe(_settle_those_of, loop, calls)


def _settle_those_of(loop: asyncio.AbstractEventLoop, calls: list[_WaitingCall]) -> None:
    for call in calls:
        # One that was cancelled has its answer already, whatever has become of its operation.
        if call.future.get_loop() is loop and not call.future.done():
            if call.error is None:
                call.future.set_result(call.result)
            else:
                call.future.set_exception(call.error)

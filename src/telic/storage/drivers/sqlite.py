"""Blocking SQLite: every operation runs in its caller's thread."""

import threading
import time
from collections.abc import Hashable
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

from telic.domain.errors import StoreBusy
from telic.domain.report import Finding
from telic.storage.drivers.sqlite_changes import SqliteChanges
from telic.storage.drivers.sqlite_database import SqliteDatabase
from telic.storage.drivers.sqlite_errors import MOST_ATTEMPTS, race_error, translated
from telic.storage.drivers.sqlite_inspection import inspect_database
from telic.storage.transaction import Mode, OpenOptions, Operation, Parameters, Raced, Row, complete, watch_forks

T = TypeVar("T")


class SqliteDriver:
    """One writer and one reader connection, each guarded by a lock; reads never wait for another thread's write."""

    def __init__(self, path: str | Path, options: OpenOptions) -> None:
        self.database = SqliteDatabase(path, options)
        self._write_lock = threading.Lock()
        self._read_lock = self._write_lock if self.database.is_memory else threading.Lock()
        watch_forks(self)

    def run(self, operation: Operation[T], mode: Mode, key: str | None) -> T:
        if mode is Mode.READ:
            with self._read_lock:
                return complete(operation(self.database.read_transaction or self.database.reading()))
        deadline = self._wait_to_write()
        try:
            for _ in range(MOST_ATTEMPTS - 1):
                with suppress(Raced):
                    return self._write(operation, deadline, key)
            return self._write(operation, deadline, key)
        except Raced as error:
            raise race_error(error) from error
        finally:
            self._write_lock.release()

    def _write(self, operation: Operation[T], deadline: float, key: str | None) -> T:
        transaction = self.database.begin(deadline)
        try:
            result = complete(operation(transaction))
        except BaseException:
            self.database.rollback()
            raise
        self.database.commit(key)
        return result

    def read_one(self, statement: str, parameters: Parameters) -> Row | None:
        with self._read_lock:
            return (self.database.read_transaction or self.database.reading()).read_one(statement, parameters)

    def changes(self) -> SqliteChanges:
        return SqliteChanges(self._version, self.database.log)

    def _version(self) -> Hashable:
        with self._read_lock:
            return self.database.version()

    def _wait_to_write(self) -> float:
        """Return the call's deadline; the caller has the lock, and releases it."""
        deadline = time.monotonic() + self.database.options.timeout_seconds
        if not self._write_lock.acquire(timeout=self.database.options.timeout_seconds):
            raise StoreBusy("other threads kept writing for longer than the time-out")
        return deadline

    def inspect(self) -> list[Finding]:
        self._wait_to_write()
        try:
            with translated(self.database.requested_path):
                return inspect_database(self.database)
        finally:
            self._write_lock.release()

    def copy_into(self, target: Path, /) -> None:
        self.database.copy_into(target)

    def close(self) -> None:
        self.before_fork()
        try:
            with translated():
                self.database.close()
        finally:
            self.after_fork_in_parent()

    def before_fork(self) -> None:
        self._write_lock.acquire()
        if self._read_lock is not self._write_lock:
            self._read_lock.acquire()

    def after_fork_in_parent(self) -> None:
        self._write_lock.release()
        if self._read_lock is not self._write_lock:
            self._read_lock.release()

    def after_fork_in_child(self) -> None:
        self.database.leave_to_parent()
        self.after_fork_in_parent()

"""Blocking SQLite: every operation runs in its caller's thread."""

import threading
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from telic.domain.errors import StoreBusy
from telic.domain.findings import Finding
from telic.storage.drive import complete
from telic.storage.drivers.fork import after_fork
from telic.storage.drivers.sqlite_database import SqliteDatabase
from telic.storage.drivers.sqlite_errors import translated
from telic.storage.drivers.sqlite_inspection import inspect_database
from telic.storage.options import OpenOptions
from telic.storage.transaction import Mode, Operation, Parameters, Row

T = TypeVar("T")


class SqliteDriver:
    """One writer and one reader connection, each guarded by a lock; reads never wait for another thread's write."""

    def __init__(self, path: str | Path, options: OpenOptions) -> None:
        self.database = SqliteDatabase(path, options)
        self._start()
        after_fork(self, "_start_in_child")

    def _start(self) -> None:
        self._write_lock = threading.Lock()
        self._read_lock = self._write_lock if self.database.is_memory else threading.Lock()

    def _start_in_child(self) -> None:
        self.database.abandon()
        self._start()

    def run(self, operation: Operation[T], mode: Mode, key: str | None) -> T:
        """See `Driver.run`."""
        if mode is Mode.READ:
            return self._read(operation)
        with self._turn_to_write():
            transaction = self.database.begin()
            try:
                result = complete(operation(transaction))
            except BaseException:
                self.database.rollback()
                raise
            self.database.commit(key)
            return result

    def _read(self, operation: Operation[T]) -> T:
        with self._read_lock:
            return complete(operation(self.database.read_transaction or self.database.reading()))

    def point(self, statement: str, parameters: Parameters) -> Row | None:
        with self._read_lock:
            return (self.database.read_transaction or self.database.reading()).point(statement, parameters)

    @contextmanager
    def _turn_to_write(self) -> Generator[None]:
        if not self._write_lock.acquire(timeout=self.database.options.timeout_seconds):
            raise StoreBusy("other threads kept writing for longer than the time-out")
        try:
            yield
        finally:
            self._write_lock.release()

    def inspect(self) -> list[Finding]:
        with self._turn_to_write(), translated():
            return inspect_database(self.database)

    def close(self) -> None:
        """See `Driver.close`."""
        with self._turn_to_write(), translated():
            self.database.close()

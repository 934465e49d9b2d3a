"""One SQLite file: its connections, its write transactions, and what must hold before it acknowledges one."""

import ctypes
import os
import threading
import time
from collections.abc import Hashable
from contextlib import suppress
from pathlib import Path
from typing import Final

import apsw

from telic.domain.errors import (
    InvalidInput,
    OutcomeUnknown,
    StoreBusy,
    StoreClosed,
    StoreFull,
    StoreMisconfigured,
    StoreMoved,
)
from telic.storage.drivers.sqlite_errors import translate, translated
from telic.storage.drivers.sqlite_files import MEMORY, identity, prepare_file
from telic.storage.drivers.sqlite_provenance import Provenance, copy_database, recall, remember
from telic.storage.drivers.sqlite_schema import SchemaCheck, end_former_runs, migrate
from telic.storage.drivers.sqlite_transaction import SqliteTransaction, add_functions, sqlite_statements
from telic.storage.drivers.turnstile import Turnstile
from telic.storage.transaction import Durability, OpenOptions

OLDEST_SAFE_SQLITE: Final = 3_051_003
"""SQLite's own advice on the WAL-reset bug: 3.51.3 is the first release without it (sqlite.org/wal.html)."""

_FLAGS: Final = apsw.SQLITE_OPEN_READWRITE | apsw.SQLITE_OPEN_NOFOLLOW
_READER_FLAGS: Final = _FLAGS | apsw.SQLITE_OPEN_NOMUTEX
"""SQLite locks a connection for each value of each row, which is a tenth of a read's time. The reader does without:
it is used under its driver's lock alone, and by one cursor, which nothing can keep alive or end elsewhere."""
_CACHE_KIBIBYTES: Final = 64 * 1024
_PAUSE_SECONDS: Final = 0.002
LOG_BYTES: Final = 8 * 1024 * 1024
"""The log beside the database shrinks to this once nobody needs more of it: twice what SQLite gathers by itself."""


class SqliteDatabase:
    """The writing and the reading connection to one file. Not thread-safe: a driver guards each of them."""

    def __init__(self, path: str | Path, options: OpenOptions) -> None:
        self.is_memory = str(path) == MEMORY
        self.options = options
        self.statements = sqlite_statements()
        self.requested_path = Path(path)
        self._identity: tuple[int, int] | None = None
        self._is_closed = False
        self._moved = ctypes.c_int(0)
        self._moved_address = ctypes.addressof(self._moved)
        self._forget()
        try:
            self.writing()
        except BaseException:
            self.close()
            raise

    def _forget(self) -> None:
        self._writer: apsw.Connection | None = None
        self._reader: apsw.Connection | None = None
        self._turnstile: Turnstile | None = None
        self._opening = threading.RLock()
        self._deadline = 0.0
        self.write_transaction: SqliteTransaction | None = None
        self.read_transaction: SqliteTransaction | None = None

    def leave_to_parent(self) -> None:
        """In a forked child: the inherited connections are closed, and others opened when next used.

        They must be at rest. SQLite forbids to *use* them here, as the locks are the parent's; but left open they
        would make it believe that this process has locks already, and so take none for a new connection.
        """
        if self.is_memory:
            return
        for connection in (self._reader, self._writer):
            if connection is not None:
                # The parent may have closed its own meanwhile, and the log that is there now be another's.
                connection.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1)
        self._release()

    def writing(self) -> SqliteTransaction:
        """Return the writing connection's statements; it is opened if need be."""
        with self._opening:  # a lock: the first read and the first write may come at once
            if self.write_transaction is None:
                if self._is_closed:
                    raise StoreClosed("the store is closed")
                with translated(self.requested_path):
                    self.write_transaction = SqliteTransaction(self._open_writer(), self.statements)
            return self.write_transaction

    def reading(self) -> SqliteTransaction:
        """Return the reading connection's statements; it is opened if need be."""
        with self._opening:
            if self.read_transaction is None:
                writing = self.writing()
                if self.is_memory:
                    self.read_transaction = writing
                else:
                    with translated(self.requested_path):
                        self._reader = self._connect(str(self.path), _READER_FLAGS)
                        self._reader.set_busy_timeout(int(self.options.timeout_seconds * 1000))
                    self.read_transaction = SqliteTransaction(self._reader, self.statements)
            return self.read_transaction

    def version(self) -> Hashable:
        """Return something that differs after every commit of any process; asks the reading connection."""
        execute = self.reading().execute
        with translated(self.requested_path):
            # In memory there is one connection, which does not count its own commits as others'.
            changed = self.writer.total_changes() if self.is_memory else 0
            return execute("PRAGMA data_version").get, changed, os.getpid()

    @property
    def log(self) -> Path | None:
        """The log beside the file, to which every commit is written first; None in memory."""
        return None if self.is_memory else self.path.with_name(f"{self.path.name}-wal")

    @property
    def provenance(self) -> Provenance:
        """The memory of where the file came from."""
        return Provenance() if self._turnstile is None else recall(self._turnstile)

    @property
    def writer(self) -> apsw.Connection:
        """The writing connection, opened if need be."""
        if self._writer is None:
            self.writing()
        assert self._writer is not None
        return self._writer

    def _open_writer(self) -> apsw.Connection:
        self._deadline = time.monotonic() + self.options.timeout_seconds
        if apsw.SQLITE_VERSION_NUMBER < OLDEST_SAFE_SQLITE:
            raise StoreMisconfigured(f"SQLite {apsw.sqlite_lib_version()} can corrupt a shared database: upgrade apsw")
        if self.is_memory:
            self._writer = self._open_migrated(MEMORY, create=True)
            return self._writer
        self._find_file()
        self._turnstile = self._turnstile or Turnstile(self.path)
        self._turnstile.enter(self._deadline)
        try:
            self._writer = self._open_migrated(str(self.path), create=self.options.create)
            remember(self._writer, self._turnstile)
        finally:
            self._turnstile.leave()
        return self._writer

    def _open_migrated(self, path: str, *, create: bool) -> apsw.Connection:
        connection = self._connect(path)
        try:
            migrate(connection, self.requested_path, create=create)
            end_former_runs(connection)
            self._schema = SchemaCheck(connection)
        except BaseException:
            connection.close()
            raise
        return connection

    def _find_file(self) -> None:
        """The file is there, made if it may be; opened once more, it must be the one that was opened first."""
        if self._identity is None:
            self.path = prepare_file(self.requested_path, create=self.options.create)
            self._identity = identity(self.path)
        elif identity(self.path) != self._identity:
            raise StoreMoved(f"{self.path} was deleted or replaced while it was open")

    def _connect(self, path: str, flags: int = _FLAGS) -> apsw.Connection:
        while True:
            connection = apsw.Connection(path, flags=flags, statementcachesize=200)
            try:
                return self._configured(connection)
            except apsw.BusyError:
                # While the last other connection closes, even the first PRAGMA can be refused at once.
                connection.close()
                if time.monotonic() > self._deadline:
                    raise
                time.sleep(_PAUSE_SECONDS)
            except BaseException:
                connection.close()
                raise

    def _configured(self, connection: apsw.Connection) -> apsw.Connection:
        connection.set_busy_handler(self._waits_on)
        connection.config(apsw.SQLITE_DBCONFIG_DEFENSIVE, 1)
        connection.config(apsw.SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0)
        connection.config(apsw.SQLITE_DBCONFIG_ENABLE_FKEY, 1)
        # Without it SQLite compiles some statements again at each execution, to look at the bound values.
        connection.config(apsw.SQLITE_DBCONFIG_ENABLE_QPSG, 1)
        add_functions(connection)
        full = self.options.durability is Durability.FULL
        connection.execute(f"PRAGMA synchronous = {'FULL' if full else 'NORMAL'}")
        connection.execute(f"PRAGMA cache_size = -{_CACHE_KIBIBYTES}")
        # What a long reader has made the log grow to is given back by the first write after it has gone.
        connection.execute(f"PRAGMA journal_size_limit = {LOG_BYTES}")
        return connection

    def _waits_on(self, _attempt: int) -> bool:
        # SQLite's busy handler: the deadline is the call's, however often it had to wait.
        if time.monotonic() > self._deadline:
            return False
        time.sleep(_PAUSE_SECONDS)
        return True

    def begin(self, deadline: float) -> SqliteTransaction:
        """A write transaction is open, the only one of all processes; `deadline` is a moment of `time.monotonic`.

        Raise StoreBusy at the deadline, StoreMoved if the file is no longer the one that was opened, SchemaMismatch if
        another release has migrated it meanwhile.
        """
        transaction = self.write_transaction or self.writing()
        self._deadline = deadline
        if self._turnstile is not None:
            self._turnstile.enter(deadline)
        try:
            transaction.execute("BEGIN IMMEDIATE")
            self._schema.require_same()
            if self.has_moved():
                raise StoreMoved(f"{self.path} was deleted or replaced while it was open")
        except apsw.Error as error:
            self.rollback()
            raise translate(error, self.requested_path) from error
        except BaseException:
            self.rollback()
            raise
        return transaction

    def has_moved(self) -> bool:
        """Return whether the path no longer leads to the file that is open."""
        if self._writer is None or self.is_memory:
            return False
        self._writer.file_control("main", apsw.SQLITE_FCNTL_HAS_MOVED, self._moved_address)
        return bool(self._moved.value)

    def commit(self, key: str | None) -> None:
        """The transaction's changes are durable.

        Raise StoreFull or StoreBusy if nothing was written, OutcomeUnknown if the disk failed, so that it may be.
        """
        assert self.write_transaction is not None
        try:
            self.write_transaction.execute("COMMIT")
        except apsw.Error as error:
            meaning = translate(error, self.requested_path)
            self.rollback()
            raise (meaning if isinstance(meaning, StoreFull | StoreBusy) else OutcomeUnknown(key)) from error
        except BaseException:
            self.rollback()
            raise
        if self._turnstile is not None:
            self._turnstile.leave()

    def rollback(self) -> None:
        """The transaction is rolled back, and others may write."""
        # Where a failing disk refuses even this, the next BEGIN tells.
        with suppress(apsw.Error):
            if self.is_in_transaction:
                self.writer.execute("ROLLBACK")
        if self._turnstile is not None:
            self._turnstile.leave()

    @property
    def is_in_transaction(self) -> bool:
        """Whether the write transaction is still open; some failures end it on their own."""
        return self._writer is not None and self._writer.in_transaction

    def copy_into(self, target: Path) -> None:
        if self.is_memory:
            raise InvalidInput("a store in memory has no file to back up: export its goals")
        copy_database(self.path, target, self.options.timeout_seconds)

    def close(self) -> None:
        """Both connections and the turnstile are closed. Idempotent."""
        self._is_closed = True
        if self._writer is not None and self._turnstile is not None and self._writer.total_changes():
            with suppress(apsw.Error):
                remember(self._writer, self._turnstile)
        self._release()

    def _release(self) -> None:
        # The reader first: the last connection to close moves the log into the database.
        for resource in (self._reader, self._writer, self._turnstile):
            if resource is not None:
                resource.close()
        self._forget()

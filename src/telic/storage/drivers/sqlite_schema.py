"""Opening an SQLite file: is it a store, at which schema, and has the machine restarted since it was written?

Nothing is written to a file that is no store.
"""

import ctypes
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import apsw

from telic.domain.errors import SchemaMismatch, StoreMisconfigured
from telic.storage.statements import Migration, pending, require_version

_VERSION: Final = "SELECT max(version) FROM schema_version"

_CHANGES: Final = "PRAGMA schema_version"
_TABLES: Final = frozenset({"goals", "turns", "events"})
_BOOT_ID: Final = Path("/proc/sys/kernel/random/boot_id")
_DARWIN_BOOT_ID: Final = b"kern.bootsessionuuid"
_LONGEST_ID_BYTES: Final = 64


def migrate(connection: apsw.Connection, path: Path, *, create: bool) -> None:
    """The database is at the newest schema, and keeps a write-ahead log.

    Raise SchemaMismatch if it is newer than this release, or another program's; StoreMisconfigured if it is empty, and
    nothing may be made.
    """
    try:
        migrations = _pending(connection)
    except SchemaMismatch as error:
        raise SchemaMismatch(f"{path}: {error}") from error
    if len(migrations) == len(pending("sqlite", 0)) and not create:
        raise StoreMisconfigured(f"{path} holds no Telic store")
    if connection.filename and connection.pragma("journal_mode") != "wal":
        connection.pragma("journal_mode", "wal")
    if migrations:
        _apply_pending(connection)


class SchemaCheck:
    """Tells a write transaction whether the database still has the schema that it was opened with.

    SQLite counts in the file's header how often its schema was changed, and that number costs a microsecond to ask for.
    Only when it is another are Telic's own numbers looked at: VACUUM, or an index of the operator's, change it as well.
    """

    def __init__(self, connection: apsw.Connection) -> None:
        self._execute = connection.cursor().execute
        self._version = int(self._execute(_VERSION).get)
        self._count = self._execute(_CHANGES).get

    def require_same(self) -> None:
        """Raise SchemaMismatch where another release has migrated the database meanwhile."""
        count = self._execute(_CHANGES).get
        if count != self._count:
            require_version(int(self._execute(_VERSION).get), self._version)
            self._count = count


def _apply_pending(connection: apsw.Connection) -> None:
    with _writing(connection):
        # Looked up again: another process may have been first.
        for migration in _pending(connection):
            connection.execute("CREATE TABLE IF NOT EXISTS schema_version (version INTEGER PRIMARY KEY) STRICT")
            connection.execute(migration.script)
            connection.execute("INSERT INTO schema_version VALUES (?)", (migration.version,))


@contextmanager
def _writing(connection: apsw.Connection) -> Generator[None]:
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        # A full or failing disk ends the transaction by itself.
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def _pending(connection: apsw.Connection) -> list[Migration]:
    names = {str(name) for (name,) in connection.execute("SELECT name FROM sqlite_schema")}
    version = connection.execute(_VERSION).get if "schema_version" in names else None
    if version is None and not names & _TABLES:
        return pending("sqlite", 0)
    if not isinstance(version, int) or not names >= _TABLES:
        raise SchemaMismatch("the database has tables of Telic's names that Telic did not make")
    return pending("sqlite", version)


def end_former_runs(connection: apsw.Connection) -> None:
    """Leases and holds from before the machine's start have expired: their workers are gone, and so is their clock."""
    present = _boot_id()
    known = "SELECT count(*) FROM store_identity WHERE boot = ?"
    if connection.execute(known, (present,)).get:
        return
    with _writing(connection):
        # Looked up again: another process may have been first, and have granted something since.
        if not connection.execute(known, (present,)).get:
            connection.execute("UPDATE goals SET lease_expires_at = 0 WHERE lease_expires_at > 0")
            connection.execute("UPDATE holds SET expires_at = 0 WHERE state = 'open'")
            connection.execute("UPDATE store_identity SET boot = ?", (present,))


def _boot_id() -> str:
    # The id of this run of the machine; empty on platforms without one.
    if sys.platform == "darwin":
        text = ctypes.create_string_buffer(_LONGEST_ID_BYTES)
        size = ctypes.c_size_t(_LONGEST_ID_BYTES)
        ctypes.CDLL(None).sysctlbyname(_DARWIN_BOOT_ID, text, ctypes.byref(size), None, 0)
        return text.value.decode()
    return _BOOT_ID.read_text(encoding="ascii").strip() if _BOOT_ID.exists() else ""

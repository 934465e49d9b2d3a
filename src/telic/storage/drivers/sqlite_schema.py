"""Whether an SQLite file is a store, and at which schema; nothing is written to one that is not."""

from pathlib import Path
from typing import Final

import apsw

from telic.domain.errors import SchemaMismatch, StoreMisconfigured
from telic.storage.statements import Migration, pending, require_version

_VERSION: Final = "SELECT max(version) FROM schema_version"

TABLES: Final = frozenset({"goals", "turns", "events"})


def migrate(connection: apsw.Connection, path: Path, *, create: bool) -> None:
    """The database is at the newest schema, and keeps a write-ahead log.

    Raises:
        SchemaMismatch: it is newer than this release, or another program's.
        StoreMisconfigured: it is empty, and nothing may be made.
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


_CHANGES: Final = "PRAGMA schema_version"


def _apply_pending(connection: apsw.Connection) -> None:
    connection.execute("BEGIN IMMEDIATE")
    try:
        # Looked up again: another process may have been first.
        for migration in _pending(connection):
            connection.execute("CREATE TABLE IF NOT EXISTS schema_version (version INTEGER PRIMARY KEY) STRICT")
            connection.execute(migration.script)
            connection.execute("INSERT INTO schema_version VALUES (?)", (migration.version,))
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def _pending(connection: apsw.Connection) -> list[Migration]:
    names = {str(name) for (name,) in connection.execute("SELECT name FROM sqlite_schema")}
    version = connection.execute(_VERSION).get if "schema_version" in names else None
    if version is None and not names & TABLES:
        return pending("sqlite", 0)
    if not isinstance(version, int) or not names >= TABLES:
        raise SchemaMismatch("the database has tables of Telic's names that Telic did not make")
    return pending("sqlite", version)

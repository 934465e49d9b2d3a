"""Whether an SQLite file is a store, and at which schema; nothing is written to one that is not."""

from pathlib import Path
from typing import Final

import apsw

from telic.domain.errors import SchemaMismatch, StoreMisconfigured
from telic.storage.migrate import Migration, pending

TABLES: Final = frozenset({"goals", "turns", "events"})


def migrate(connection: apsw.Connection, path: Path, *, create: bool) -> None:
    """The database is at the newest schema, and keeps a write-ahead log.

    Raises:
        SchemaMismatch: it is newer than this release, or another program's.
        StoreMisconfigured: it is empty, and nothing may be made.
    """
    migrations = _pending(connection)
    if len(migrations) == len(pending("sqlite", 0)) and not create:
        raise StoreMisconfigured(f"{path} holds no Telic store")
    if connection.filename and connection.pragma("journal_mode") != "wal":
        connection.pragma("journal_mode", "wal")
    if migrations:
        _apply_pending(connection)


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
    version = connection.execute("SELECT max(version) FROM schema_version").get if "schema_version" in names else None
    if version is None and not names & TABLES:
        return pending("sqlite", 0)
    if not isinstance(version, int) or not names >= TABLES:
        raise SchemaMismatch("the database has tables of Telic's names that Telic did not make")
    return pending("sqlite", version)

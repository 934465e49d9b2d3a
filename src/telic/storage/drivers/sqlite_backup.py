"""A copy of an SQLite file that others go on writing to."""

from pathlib import Path
from typing import Final

import apsw

from telic.domain.errors import InvalidInput
from telic.storage.drivers.sqlite_database import SqliteDatabase
from telic.storage.drivers.sqlite_errors import translated
from telic.storage.drivers.sqlite_provenance import mark_as_whole

_PAGES_AT_A_TIME: Final = 1_000


def copy_database(database: SqliteDatabase, target: Path) -> None:
    """The empty file holds everything that was committed when the copying began.

    Writers go on meanwhile: the copy is read from one snapshot, which no write makes it begin anew.

    Raises:
        InvalidInput: the database is in memory only.
        StoreError: it could not be read, or the copy not be written.
    """
    if database.is_memory:
        raise InvalidInput("a store in memory has no file to back up: export its goals")
    with translated(database.requested_path):
        # A connection of its own: the store's are another thread's to use meanwhile.
        source = apsw.Connection(str(database.path), apsw.SQLITE_OPEN_READWRITE | apsw.SQLITE_OPEN_NOFOLLOW)
        copy = apsw.Connection(str(target), apsw.SQLITE_OPEN_READWRITE | apsw.SQLITE_OPEN_NOFOLLOW)
        try:
            source.set_busy_timeout(int(database.options.timeout_seconds * 1000))
            _copy(source, copy)
            mark_as_whole(copy)
        finally:
            source.close()
            copy.close()


def _copy(source: apsw.Connection, copy: apsw.Connection) -> None:
    source.execute("BEGIN")
    # A transaction begins with its first read; from here on the snapshot stays.
    source.execute("SELECT count(*) FROM sqlite_schema").fetchall()
    with copy.backup("main", source, "main") as copying:
        while not copying.done:
            copying.step(_PAGES_AT_A_TIME)
    source.execute("COMMIT")

"""SQLite's result codes as Telic's errors."""

from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import apsw

from telic.domain.errors import SchemaMismatch, StoreBusy, StoreCorrupt, StoreError, StoreFull, StoreUnavailable
from telic.storage.transaction import ConstraintRefused, LimitViolated, Raced, never_accepted

_BY_RESULT: Final[dict[int, tuple[type[StoreError], str]]] = {
    apsw.SQLITE_ERROR: (SchemaMismatch, "the database's tables are not as this Telic makes them"),
    apsw.SQLITE_BUSY: (StoreBusy, "others kept the database locked for longer than the time-out"),
    apsw.SQLITE_LOCKED: (StoreBusy, "another statement of this process holds the database"),
    apsw.SQLITE_PROTOCOL: (StoreBusy, "others kept all readers out, as a recovery after a crash does"),
    apsw.SQLITE_FULL: (StoreFull, "there is no room left for the database; free some and repeat the call"),
    apsw.SQLITE_CORRUPT: (StoreCorrupt, "the database file is damaged; run `telic doctor`"),
    apsw.SQLITE_NOTADB: (StoreCorrupt, "the file is not an SQLite database, or its header is damaged"),
    apsw.SQLITE_CANTOPEN: (StoreUnavailable, "the database file cannot be opened"),
    apsw.SQLITE_IOERR: (StoreUnavailable, "the database file cannot be read or written"),
    apsw.SQLITE_READONLY: (StoreUnavailable, "the database file is read-only"),
    apsw.SQLITE_PERM: (StoreUnavailable, "the database file may not be accessed"),
    apsw.SQLITE_NOMEM: (StoreUnavailable, "there is no memory left"),
}
_BY_EXTENDED_RESULT: Final[dict[int, type[StoreError]]] = {
    apsw.SQLITE_CONSTRAINT_CHECK: LimitViolated,
    apsw.SQLITE_CONSTRAINT_UNIQUE: ConstraintRefused,
    apsw.SQLITE_CONSTRAINT_PRIMARYKEY: ConstraintRefused,
}


SQLITE_FAILURES: Final = (apsw.Error, UnicodeDecodeError)
"""The errors that apsw raises: its own, and Python's where a damaged file's text is no text."""


MOST_ATTEMPTS: Final = 10
"""The runs of an operation that raced: here only with the clock, by which leases and holds end meanwhile."""


def race_error(error: Raced) -> StoreError:
    """Return the error of an operation that lost the race to others at every attempt."""
    if isinstance(error, ConstraintRefused):
        # One writes at a time, so nobody else was in the way, and none of the attempts to come can succeed.
        return never_accepted()
    return StoreBusy(f"the goal kept changing while the call was made: {error}")


def translate(error: Exception, file: Path | str | None = None) -> StoreError:
    """Return the error's meaning, by its result code; a file that is known is named."""
    place = f"{file}: " if file else ""
    if isinstance(error, UnicodeDecodeError):
        return StoreCorrupt(f"{place}the database holds a text that is not UTF-8; run `telic doctor`")
    extended = getattr(error, "extendedresult", -1)
    if extended in _BY_EXTENDED_RESULT:
        return _BY_EXTENDED_RESULT[extended]("a constraint refused the change")
    kind, message = _BY_RESULT.get(extended & 0xFF, (StoreError, "SQLite refused the statement"))
    return kind(f"{place}{message} (SQLite result {extended})")


@contextmanager
def translated(file: Path | str | None = None) -> Generator[None]:
    """Inside, SQLite's errors are Telic's; a file that is known is named."""
    try:
        yield
    except SQLITE_FAILURES as error:
        raise translate(error, file) from error

"""Another program's SQLite file, read without changing it and, where that can be, without a trace beside it."""

import errno
import os
import stat
import time
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

import apsw

from telic.domain.errors import StoreBusy, StoreCorrupt, StoreError, StoreMisconfigured, StoreUnavailable
from telic.storage.drivers.sqlite_errors import translated

_FLAGS: Final = apsw.SQLITE_OPEN_READONLY | apsw.SQLITE_OPEN_URI | apsw.SQLITE_OPEN_NOFOLLOW
_PATIENCE_SECONDS: Final = 5.0
_PAUSE_SECONDS: Final = 0.01
_MAY_PASS: Final = (StoreBusy, StoreUnavailable)
_HEADER_BYTES: Final = 20
_WRITE_AHEAD: Final = b"\2\2"
"""The header's file format versions, write and read, of a file in WAL mode (sqlite.org/fileformat2.html)."""
_EVERY_ROW: Final = 'SELECT * FROM "{table}"'
"""A name cannot be bound, only quoted."""

_Access = tuple[str, tuple[int, ...]]


def read_tables(path: Path, tables: Sequence[str]) -> dict[str, list[dict[str, Any]]]:
    """Every row of each named table by column, all as of one moment; a table that is not there is absent.

    The file may be in use by its own program. Two cases leave a WAL or its index beside it, which harm nobody: a
    WAL copied without its index, and a program that closes the file at the very moment of reading.

    Raises:
        StoreMisconfigured: there is no such file, or it is a link, a folder or a special file.
        StoreCorrupt: the file is no SQLite database, is damaged, or holds text that is not UTF-8.
        StoreBusy: others kept it locked, or kept changing it.
        StoreUnavailable: it may not be read.
    """
    real = _real_path(path)
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while True:
        access = _access(real)
        found = _attempt(real, access[0], tables)
        if _access(real) != access:
            # What was read, or failed, under an assumption that no longer holds says nothing.
            found = StoreBusy(f"{path} kept changing while it was read; try again later")
        if not isinstance(found, StoreError):
            return found
        if not isinstance(found, _MAY_PASS) or time.monotonic() > deadline:
            raise found
        time.sleep(_PAUSE_SECONDS)


def _real_path(path: Path) -> Path:
    try:
        # SQLite refuses a link anywhere in the path; one among the folders is none of its business here.
        real = path.parent.resolve(strict=True) / path.name
        str(real).encode()
        mode = real.lstat().st_mode
    except OSError as error:
        if error.errno in (errno.ENOENT, errno.ENOTDIR):
            raise StoreMisconfigured(f"{path} does not exist") from error
        raise StoreUnavailable(f"{path} cannot be opened: {error.strerror}") from error
    except ValueError as error:
        raise StoreMisconfigured(f"{str(path)!a} is no path of a database") from error
    if not stat.S_ISREG(mode):
        kind = "a symbolic link; name the file itself" if stat.S_ISLNK(mode) else "not a regular file"
        raise StoreMisconfigured(f"{path} is {kind}")
    return real


def _access(path: Path) -> _Access:
    """How to open the file so that nothing appears beside it, and what must not change meanwhile."""
    if not _is_write_ahead(path):
        return "mode=ro", ()
    if not _beside(path, "-wal").exists():
        # Nobody has it open. Any other way would leave an empty WAL and its index behind.
        state = path.stat()
        return "immutable=1", (state.st_ino, state.st_size, state.st_mtime_ns)
    return ("readonly_shm=1" if _beside(path, "-shm").exists() else "mode=ro"), ()


def _beside(path: Path, suffix: str) -> Path:
    return path.with_name(path.name + suffix)


def _is_write_ahead(path: Path) -> bool:
    # Through SQLite's own file layer: closing a descriptor of ours would drop this process's locks on the file.
    flags = [apsw.SQLITE_OPEN_MAIN_DB | apsw.SQLITE_OPEN_READONLY | apsw.SQLITE_OPEN_NOFOLLOW, 0]
    with translated():
        file = apsw.VFSFile("", str(path), flags)
        try:
            return file.xRead(_HEADER_BYTES, 0)[-2:] == _WRITE_AHEAD
        finally:
            file.xClose()


def _attempt(path: Path, parameters: str, tables: Sequence[str]) -> dict[str, list[dict[str, Any]]] | StoreError:
    uri = f"file:{quote(os.fsencode(path))}?{parameters}"
    try:
        with translated(), closing(apsw.Connection(uri, flags=_FLAGS)) as connection:
            _distrust(connection)
            connection.execute("BEGIN")
            return {table: _rows(connection, table) for table in tables if _has(connection, table)}
    except StoreError as error:
        return error


def _distrust(connection: apsw.Connection) -> None:
    connection.set_busy_timeout(int(_PATIENCE_SECONDS * 1000))
    connection.config(apsw.SQLITE_DBCONFIG_DEFENSIVE, 1)
    connection.config(apsw.SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0)
    connection.execute("PRAGMA cell_size_check = ON")


def _has(connection: apsw.Connection, table: str) -> bool:
    """Whether the file has it as a table proper: a view or a virtual table could be anything."""
    query = "SELECT count(*) FROM pragma_table_list WHERE schema = 'main' AND type = 'table' AND name = ?"
    return bool(connection.execute(query, (table,)).get)


def _rows(connection: apsw.Connection, table: str) -> list[dict[str, Any]]:
    cursor = connection.execute(_EVERY_ROW.replace("{table}", table.replace('"', '""')))
    rows: list[dict[str, Any]] = []
    try:
        for row in cursor:
            names = [column[0] for column in cursor.get_description()]
            rows.append(dict(zip(names, row, strict=True)))
    except UnicodeDecodeError as error:
        raise StoreCorrupt(f"row {len(rows) + 1} of {table} holds text that is not UTF-8") from error
    return rows

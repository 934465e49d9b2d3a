"""Reads another program's SQLite file without changing it and, if possible, without creating files beside it."""

import errno
import os
import stat
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeVar
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
_EVERY_ROW: Final = "SELECT * FROM"
_SELECTED: Final = "SELECT {columns} FROM {table} WHERE {column} IN ({values}) AND {id} >= ? ORDER BY {id} LIMIT ?"
"""A name cannot be bound, only quoted."""

T = TypeVar("T")
_Access = tuple[str, tuple[int, ...]]
Row = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """Rows of a table whose `column` has one of the values, in the order of `id_column`, from `first_id` on.

    Of the columns named, those that the table does not have are left out.
    """

    table: str
    columns: tuple[str, ...]
    column: str
    values: tuple[str, ...]
    id_column: str
    first_id: int | str
    most_rows: int


def read_tables(path: Path, tables: Sequence[str]) -> dict[str, list[dict[str, Any]]]:
    """Return every row of each named table by column, all as of one moment; a table that is not there is absent.

    The file may be in use by its own program. Two cases leave a WAL or its index beside it, which harm nobody: a
    WAL copied without its index, and a program that closes the file at the very moment of reading.

    Raises:
        StoreMisconfigured: there is no such file, or it is a link, a folder or a special file.
        StoreCorrupt: the file is no SQLite database, is damaged, or holds text that is not UTF-8.
        StoreBusy: others kept it locked, or kept changing it.
        StoreUnavailable: it may not be read.
    """

    def read(connection: apsw.Connection) -> dict[str, list[Row]]:
        present = [table for table in tables if _has(connection, table)]
        return {table: _fetched(connection, f"{_EVERY_ROW} {_quoted(table)}", (), table) for table in present}

    return _read(path, read, _PATIENCE_SECONDS)


def read_selected(path: Path, selection: Selection, *, patience_seconds: float = _PATIENCE_SECONDS) -> list[Row]:
    """Return the selected rows by column; none where the table, or a column to find them by, is not there.

    Raises:
        StoreError: as `read_tables`.
    """
    return _read(path, lambda connection: _selected(connection, selection), patience_seconds)


def _read(path: Path, read: Callable[[apsw.Connection], T], patience_seconds: float) -> T:
    real = _real_path(path)
    deadline = time.monotonic() + patience_seconds
    while True:
        access = _access(real)
        found = _attempt(real, access[0], read, patience_seconds)
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
    """Return how to open the file so that nothing appears beside it, and what must not change meanwhile."""
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
    with translated(path):
        file = apsw.VFSFile("", str(path), flags)
        try:
            return file.xRead(_HEADER_BYTES, 0)[-2:] == _WRITE_AHEAD
        finally:
            file.xClose()


def _attempt(
    path: Path, parameters: str, read: Callable[[apsw.Connection], T], patience_seconds: float
) -> T | StoreError:
    uri = f"file:{quote(os.fsencode(path))}?{parameters}"
    try:
        with translated(path), closing(apsw.Connection(uri, flags=_FLAGS)) as connection:
            # The file is another program's: nothing in its schema is to be run, and damage is to be found.
            connection.set_busy_timeout(int(patience_seconds * 1000))
            connection.config(apsw.SQLITE_DBCONFIG_DEFENSIVE, 1)
            connection.config(apsw.SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0)
            connection.execute("PRAGMA cell_size_check = ON")
            connection.execute("BEGIN")
            return read(connection)
    except StoreError as error:
        return error


def _has(connection: apsw.Connection, table: str) -> bool:
    # A table proper: a view or a virtual table could be anything.
    query = "SELECT count(*) FROM pragma_table_list WHERE schema = 'main' AND type = 'table' AND name = ?"
    return bool(connection.execute(query, (table,)).get)


def _selected(connection: apsw.Connection, selection: Selection) -> list[Row]:
    known = connection.execute("SELECT name FROM pragma_table_info(?, 'main')", (selection.table,)).fetchall()
    names = {name for (name,) in known} if _has(connection, selection.table) else set[str]()
    if not {selection.column, selection.id_column} <= names:
        return []
    columns = ", ".join(_quoted(name) for name in selection.columns if name in names)
    query = _SELECTED.format(
        columns=columns,
        table=_quoted(selection.table),
        column=_quoted(selection.column),
        values=", ".join("?" for _ in selection.values),
        id=_quoted(selection.id_column),
    )
    return _fetched(connection, query, (*selection.values, selection.first_id, selection.most_rows), selection.table)


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _fetched(connection: apsw.Connection, query: str, parameters: tuple[int | str, ...], table: str) -> list[Row]:
    cursor = connection.execute(query, parameters)
    rows: list[Row] = []
    try:
        for row in cursor:
            names = [column[0] for column in cursor.get_description()]
            rows.append(dict(zip(names, row, strict=True)))
    except UnicodeDecodeError as error:
        raise StoreCorrupt(f"row {len(rows) + 1} of {table} holds text that is not UTF-8") from error
    return rows

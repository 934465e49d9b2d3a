"""Findings on an SQLite store's file, schema and settings."""

import os
import stat
from functools import partial
from pathlib import Path
from typing import Final

import apsw

from telic.domain.report import Finding, Level, make_finding
from telic.storage.drivers.sqlite_database import SqliteDatabase
from telic.storage.drivers.sqlite_files import file_system_of, is_shared_file_system, is_volatile_file_system
from telic.storage.drivers.sqlite_provenance import findings
from telic.storage.statements import load_migrations, schema_finding

_FULL: Final = 2
_warn_unless: Final = partial(make_finding, level=Level.WARNING)
MOST_LOG_BYTES: Final = 64 * 1024 * 1024
"""A longer log slows every reader down, and fills the disk."""


def inspect_database(database: SqliteDatabase) -> list[Finding]:
    """Return the findings on one open database."""
    connection = database.writer
    system = None if database.is_memory else file_system_of(database.path.stat().st_dev)
    found = [_integrity(connection), _foreign_keys(connection), _schema(connection), _durability(connection, system)]
    if database.is_memory:
        return found
    return [*found, _log(connection, database.path), *findings(database.provenance), *_files(database.path)]


def _log(connection: apsw.Connection, path: Path) -> Finding:
    # A passive checkpoint moves as much of the log as no reader needs: what stays, somebody keeps.
    row = connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()[0]
    _, frames, moved = (int(count or 0) for count in row)
    log = path.with_name(f"{path.name}-wal")
    size = log.stat().st_size if log.exists() else 0
    held = "; a reader that began long ago keeps it from being moved into the database" if moved < frames else ""
    return _warn_unless(
        "log",
        size <= MOST_LOG_BYTES,
        f"{log.name} has {size:,} bytes{held}",
        "End the program that has read the store for so long: a shell, a backup, or a frozen process. The next writes"
        " then shorten the log. Until then copy the database only together with its log.",
    )


def _integrity(connection: apsw.Connection) -> Finding:
    rows = [str(message) for (message,) in connection.execute("PRAGMA integrity_check(5)")]
    return make_finding(
        "integrity",
        rows == ["ok"],
        "; ".join(rows),
        "Restore a backup, or save what is readable with `telic export` and import it into a new store.",
    )


def _foreign_keys(connection: apsw.Connection) -> Finding:
    count = len(connection.execute("PRAGMA foreign_key_check").fetchall())
    return make_finding(
        "references", count == 0, f"{count} lines without their goal", "Somebody deleted goals: restore a backup."
    )


def _schema(connection: apsw.Connection) -> Finding:
    expected = apsw.Connection(":memory:")
    for migration in load_migrations("sqlite"):
        expected.execute(migration.script)
    wanted, actual = _definitions(expected), _definitions(connection)
    strange = [name for name, sql in wanted.items() if actual.get(name) != sql]
    strange += [name for name in actual.keys() - wanted.keys() if name.startswith("trigger ")]
    return schema_finding(strange)


def _definitions(connection: apsw.Connection) -> dict[str, str]:
    rows = connection.execute("SELECT type || ' ' || name, sql FROM sqlite_schema WHERE sql IS NOT NULL")
    return {str(name): " ".join(str(sql).split()) for name, sql in rows}


def _durability(connection: apsw.Connection, system: str | None) -> Finding:
    mode = connection.pragma("journal_mode")
    is_full = connection.pragma("synchronous") >= _FULL
    settings = f"journal_mode={mode}, synchronous={'FULL' if is_full else 'NORMAL'}"
    if is_volatile_file_system(system):
        message = f"{settings}, but the file is in memory ({system}): a restart or a power cut loses everything"
        return Finding("durability", Level.WARNING, message, "Move the store to a disk.")
    return _warn_unless(
        "durability",
        is_full,
        f"{settings}: an acknowledged write survives "
        + ("kill -9 and a power cut" if is_full else "kill -9, but not a power cut"),
        "Open the store with durability=Durability.FULL.",
    )


def _files(path: Path) -> list[Finding]:
    status = path.stat()
    mode = stat.S_IMODE(status.st_mode)
    system = file_system_of(status.st_dev)
    return [
        _warn_unless(
            "file permissions",
            not mode & 0o077,
            f"{path} has mode {mode:04o}",
            f"Others can read or write the goals: chmod 600 {path}",
        ),
        _warn_unless(
            "file owner",
            status.st_uid in (os.geteuid(), 0) and status.st_nlink == 1,
            f"{path} belongs to user {status.st_uid} and has {status.st_nlink} name(s)",
            "A store should belong to the user that runs Telic, and have one name only.",
        ),
        make_finding(
            "file system",
            not is_shared_file_system(system),
            f"{path} is on {system or 'a file system of unknown type'}",
            "SQLite's locks do not hold where machines share files: move the file, or use PostgreSQL.",
        ),
    ]

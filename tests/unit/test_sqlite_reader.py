"""Reading another program's SQLite file: what is found, what is refused, and what is left behind: nothing."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from telic.domain.errors import StoreBusy, StoreCorrupt, StoreMisconfigured, StoreUnavailable
from telic.storage.drivers import sqlite_reader
from telic.storage.drivers.sqlite_reader import read_tables
from tests.support.foreign_databases import held_open, write

SCHEMA = 'CREATE TABLE "odd ""name" (a, b); CREATE TABLE empty (a); CREATE VIEW seen AS SELECT 1 AS a;'
ROW = ('INSERT INTO "odd ""name" VALUES (?, ?)', ["ä\N{SNOWMAN}", 2**53 + 1])
TABLES = ['odd "name', "empty", "seen", "missing"]
FOUND = {'odd "name': [{"a": "ä\N{SNOWMAN}", "b": 2**53 + 1}], "empty": []}


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.parametrize("journal", ["wal", "delete", "truncate", "persist"])
def test_a_file_at_rest_is_read_and_left_as_it_was(tmp_path: Path, journal: str) -> None:
    path = write(tmp_path / "at rest?#%41.db", SCHEMA, ROW, journal=journal)
    before = contents(tmp_path)
    assert read_tables(path, TABLES) == FOUND
    assert contents(tmp_path) == before


@pytest.mark.parametrize("journal", ["wal", "delete"])
def test_a_file_in_use_is_read_and_left_as_it_was(tmp_path: Path, journal: str) -> None:
    with held_open(tmp_path / "live.db", SCHEMA, ROW, journal=journal) as path:
        before = contents(tmp_path)
        assert read_tables(path, TABLES) == FOUND
        assert contents(tmp_path) == before


def test_what_a_crash_left_in_the_log_is_read_and_left_as_it_was(tmp_path: Path) -> None:
    path = write(tmp_path / "crashed.db", SCHEMA, ROW, crash=True)
    before = contents(tmp_path)
    assert set(before) == {"crashed.db", "crashed.db-wal", "crashed.db-shm"}
    assert read_tables(path, TABLES) == FOUND
    assert contents(tmp_path) == before


def test_a_log_without_its_index_is_read(tmp_path: Path) -> None:
    path = write(tmp_path / "copied.db", SCHEMA, ROW, crash=True)
    (tmp_path / "copied.db-shm").unlink()
    before = path.read_bytes()
    assert read_tables(path, TABLES) == FOUND
    assert path.read_bytes() == before


def test_a_file_that_may_only_be_read_is_read(tmp_path: Path) -> None:
    path = write(tmp_path / "kept.db", SCHEMA, ROW)
    path.chmod(0o400)
    tmp_path.chmod(0o500)
    try:
        assert read_tables(path, TABLES) == FOUND
    finally:
        tmp_path.chmod(0o700)


def test_a_file_behind_a_linked_folder_is_read(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    write(tmp_path / "real" / "a.db", SCHEMA, ROW)
    assert read_tables(tmp_path / "link" / "a.db", TABLES) == FOUND


@pytest.mark.parametrize(
    "name", ["none.db", "none/none.db", "file/none.db", "folder", "link", "pipe", "a\0b", "\ud800"]
)
def test_what_is_no_file_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "folder").mkdir()
    (tmp_path / "link").symlink_to("file")
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(StoreMisconfigured):
        read_tables(tmp_path / name, TABLES)


def test_a_path_that_is_too_long_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StoreUnavailable, match="cannot be opened"):
        read_tables(tmp_path / ("x" * 5000), TABLES)


def test_an_empty_file_holds_no_tables(tmp_path: Path) -> None:
    (tmp_path / "empty.db").touch()
    assert read_tables(tmp_path / "empty.db", TABLES) == {}


@pytest.mark.parametrize("content", [b"xy", b"no database " * 1000])
def test_what_is_no_database_is_corrupt(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "text").write_bytes(content)
    with pytest.raises(StoreCorrupt):
        read_tables(tmp_path / "text", TABLES)


def test_a_damaged_page_is_corrupt(tmp_path: Path) -> None:
    path = write(tmp_path / "damaged.db", SCHEMA, ROW)
    damaged = bytearray(path.read_bytes())
    damaged[4096:4200] = b"\xff" * 104
    path.write_bytes(damaged)
    with pytest.raises(StoreCorrupt):
        read_tables(path, TABLES)


def test_text_that_is_not_utf_8_is_corrupt_and_named(tmp_path: Path) -> None:
    bad = ("""INSERT INTO "odd ""name" VALUES (CAST(X'61FF' AS TEXT), 0)""", [])
    path = write(tmp_path / "bytes.db", SCHEMA, ROW, bad)
    with pytest.raises(StoreCorrupt, match='row 2 of odd "name'):
        read_tables(path, TABLES)


def test_a_locked_file_is_busy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite_reader, "_PATIENCE_SECONDS", 0.05)
    with (
        held_open(tmp_path / "locked.db", SCHEMA, ROW, ("BEGIN EXCLUSIVE", []), journal="delete") as path,
        pytest.raises(StoreBusy),
    ):
        read_tables(path, TABLES)


def test_a_file_that_keeps_changing_is_busy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path / "restless.db", SCHEMA, ROW)
    attempt = sqlite_reader._attempt
    monkeypatch.setattr(sqlite_reader, "_PATIENCE_SECONDS", 0.05)

    def attempt_and_change(*arguments: Any) -> Any:
        found = attempt(*arguments)
        os.utime(path, ns=(0, path.stat().st_mtime_ns + 1))
        return found

    monkeypatch.setattr(sqlite_reader, "_attempt", attempt_and_change)
    with pytest.raises(StoreBusy, match="kept changing"):
        read_tables(path, TABLES)


_OPENER = """
import sqlite3, sys
for number in range(300):
    connection = sqlite3.connect(sys.argv[1], isolation_level=None, timeout=20)
    connection.execute("BEGIN IMMEDIATE")
    connection.execute("UPDATE pair SET a = ?", (number,))
    connection.execute("UPDATE pair SET b = ?", ("x" * 3000 + str(number),))
    connection.execute("COMMIT")
    connection.close()
"""


def test_a_program_that_opens_writes_and_closes_is_never_seen_half_way(tmp_path: Path) -> None:
    rows = [("INSERT INTO pair VALUES (?, ?)", [-1, "x" * 3000 + "-1"])] * 8
    path = write(tmp_path / "busy.db", "CREATE TABLE pair (a, b)", *rows)
    seen: set[int] = set()
    with subprocess.Popen([sys.executable, "-c", _OPENER, str(path)]) as writer:
        while writer.poll() is None:
            found = read_tables(path, ["pair"])["pair"]
            assert len(found) == 8
            assert len({row["a"] for row in found}) == 1
            assert all(row["b"] == "x" * 3000 + str(row["a"]) for row in found)
            seen.add(found[0]["a"])
    assert writer.returncode == 0
    assert len(seen) > 1

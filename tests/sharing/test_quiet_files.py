"""Watching a quiet SQLite file costs nothing, and a write is noticed all the same; its log stays short."""

import asyncio
import threading
from collections.abc import Hashable
from pathlib import Path
from typing import Any

import apsw
import pytest

import telic
from telic.storage.drivers import sqlite_changes, sqlite_inspection
from telic.storage.drivers.sqlite_async import AsyncSqliteChanges
from telic.storage.drivers.sqlite_changes import SqliteChanges
from telic.storage.drivers.sqlite_database import LOG_BYTES
from telic.store.doctor import Level, examine


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A store with one goal, in the scope "default"."""
    telic.connect(tmp_path / "goals.db").close()
    with telic.connect(tmp_path / "goals.db") as store:
        store.create("watched")
    return tmp_path / "goals.db"


def _changes(store: Any) -> Any:
    return store._driver.changes()


def test_a_quiet_file_is_looked_at_once_a_second(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody polls it: of some hundred looks there are a few."""
    monkeypatch.setattr(sqlite_changes, "QUIET_SECONDS", 0.0)
    with telic.connect(path) as store:
        looks: list[Hashable] = []
        changes = _changes(store)
        look = changes.token

        def counted() -> Hashable:
            looks.append(look())
            return looks[-1]

        changes.token = counted
        changes.wait(look(), 4.0)
        changes.close()
    assert len(looks) <= 8


def test_a_write_ends_the_wait_for_a_quiet_file(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Told by the kernel: without it, the next look would be an hour away."""
    monkeypatch.setattr(sqlite_changes, "LONGEST_PAUSE_SECONDS", 3600.0)
    monkeypatch.setattr(sqlite_changes, "QUIET_SECONDS", 0.5)
    with telic.connect(path) as store, telic.connect(path) as other:
        goal = other.active()
        assert goal is not None
        changes = _changes(store)
        assert isinstance(changes, SqliteChanges)
        token = changes.token()
        writer = threading.Timer(3.0, lambda: other.record_turn(goal.id, tokens=1))
        writer.start()
        changes.wait(token, 3600.0)
        assert changes.token() != token
        writer.join()
        changes.close()


async def test_a_write_ends_a_tasks_wait_for_a_quiet_file(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Other tasks go on meanwhile."""
    monkeypatch.setattr(sqlite_changes, "LONGEST_PAUSE_SECONDS", 3600.0)
    monkeypatch.setattr(sqlite_changes, "QUIET_SECONDS", 0.5)
    async with telic.connect_async(path) as store, telic.connect_async(path) as other:
        goal = await other.active()
        assert goal is not None
        changes = _changes(store)
        assert isinstance(changes, AsyncSqliteChanges)
        token = changes.token()
        waiting = asyncio.ensure_future(changes.wait(token, 3600.0))
        await asyncio.sleep(3.0)
        assert not waiting.done()
        await other.record_turn(goal.id, tokens=1)
        async with asyncio.timeout(60):
            await waiting
        assert changes.token() != token
        changes.close()


def test_where_the_kernel_tells_nothing_the_file_is_looked_at(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As on macOS, or beyond the user's limit of such watches."""

    def refuse(_: Path) -> None:
        raise OSError

    monkeypatch.setattr(sqlite_changes, "FileChanges", refuse)
    monkeypatch.setattr(sqlite_changes, "LONGEST_PAUSE_SECONDS", 3600.0)
    with telic.connect(path) as store, telic.connect(path) as other:
        changes = _changes(store)
        token = changes.token()
        writer = threading.Timer(0.2, lambda: other.create("new", scope="new"))
        writer.start()
        changes.wait(token, 3600.0)
        assert changes.token() != token
        writer.join()


def _grow(store: telic.GoalStore, log: Path, size: int) -> None:
    number = 0
    while log.stat().st_size < size:
        number += 1
        store.create("x" * 20_000, max_chars=20_000, scope=f"scope {number}")


def test_the_log_is_shortened_once_its_long_reader_has_gone(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It grows while somebody reads an old state; the doctor names the cause; the writes that follow shorten it."""
    monkeypatch.setattr(sqlite_inspection, "MOST_LOG_BYTES", LOG_BYTES)
    log = path.with_name("goals.db-wal")
    with telic.connect(path) as store:
        reader = apsw.Connection(str(path))
        reader.execute("BEGIN; SELECT count(*) FROM goals").fetchall()
        _grow(store, log, LOG_BYTES * 3 // 2)
        (finding,) = [finding for finding in examine(path) if finding.check == "log"]
        assert finding.level is Level.WARNING
        assert "reader" in finding.message
        reader.close()
        for number in range(3):
            store.create("after", scope=f"after {number}")
        assert log.stat().st_size <= LOG_BYTES
        (finding,) = [finding for finding in examine(path) if finding.check == "log"]
        assert finding.level is Level.OK

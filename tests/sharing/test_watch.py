"""Watching: other processes' changes arrive, faults are outlasted, and nothing is left behind."""

import asyncio
import contextlib
import fcntl
import os
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

import telic
from telic import EventKind, FeedEvent
from telic.storage.drivers.postgres_async import AsyncPostgresChanges
from telic.storage.drivers.postgres_server import PostgresServer as Settings
from telic.storage.drivers.sqlite_async import AsyncSqliteChanges
from telic.storage.drivers.sqlite_changes import SqliteChanges
from telic.storage.transaction import OpenOptions
from tests.crash.support import COLOURS, Crew, fork, hold_the_write_lock, wait_for
from tests.left_out import needs
from tests.postgres.bouncer import DROPS_SETTINGS, running_bouncer
from tests.support.postgres_server import PostgresServer

PATIENCE_SECONDS = 60


class Watcher:
    """A watch in a thread or task of its own, and what it has seen so far."""

    def __init__(self) -> None:
        self.seen: list[FeedEvent] = []
        self.error: BaseException | None = None

    async def until(self, count: int) -> list[FeedEvent]:
        """What was seen once it is as many."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while len(self.seen) < count:
            assert self.error is None, self.error
            assert time.monotonic() < deadline, f"{len(self.seen)} of {count} events came"
            await asyncio.sleep(0.01)
        return self.seen


@contextlib.asynccontextmanager
async def watching(location: str, colour: str, cursor: str, **options: Any) -> AsyncIterator[Watcher]:
    """Inside, somebody watches from the cursor on; at the end the store is closed, which ends the watch."""
    watcher = Watcher()
    if colour == "async":
        async with telic.connect_async(location, **options) as store:
            task = asyncio.create_task(_watch_in_task(store, watcher, cursor))
            yield watcher
        async with asyncio.timeout(PATIENCE_SECONDS):
            await task
    else:
        blocking = telic.connect(location, **options)
        thread = threading.Thread(target=_watch_in_thread, args=(blocking, watcher, cursor))
        thread.start()
        try:
            yield watcher
        finally:
            await asyncio.to_thread(blocking.close)
            await asyncio.to_thread(thread.join, PATIENCE_SECONDS)
        assert not thread.is_alive()
    assert watcher.error is None, watcher.error


async def _watch_in_task(store: telic.AsyncGoalStore, watcher: Watcher, cursor: str) -> None:
    try:
        async for item in store.watch(after=cursor):
            watcher.seen.append(item)
    except telic.GoalError as error:
        watcher.error = error


def _watch_in_thread(store: telic.GoalStore, watcher: Watcher, cursor: str) -> None:
    try:
        for item in store.watch(after=cursor):
            watcher.seen.append(item)
    except telic.GoalError as error:
        watcher.error = error


def _present(location: str) -> str:
    with telic.connect(location) as store:
        return store.cursor()


def _change(location: str, names: list[str]) -> None:
    with telic.connect(location, timeout_seconds=30) as store:
        for name in names:
            store.create(name, scope=name)


@pytest.mark.parametrize("colour", COLOURS)
async def test_another_processs_changes_arrive(location: str, colour: str, crew: Crew) -> None:
    """Each once and in order, one process after another."""
    async with watching(location, colour, _present(location)) as watcher:
        for number in range(3):
            names = [f"{number}-{each}" for each in range(5)]
            crew.start(_change, location, names).result()
            seen = await watcher.until(5 * (number + 1))
            assert [item.scope for item in seen[-5:]] == names
    assert {item.event.kind for item in watcher.seen} == {EventKind.CREATED}


@pytest.mark.parametrize("colour", COLOURS)
async def test_closing_the_store_ends_its_watch(location: str, colour: str) -> None:
    """From another thread or task, while the watcher waits."""
    async with watching(location, colour, _present(location)):
        await asyncio.sleep(0.3)


@pytest.mark.parametrize("colour", COLOURS)
async def test_exactly_full_pages_hold_nothing_back(location: str, colour: str) -> None:
    """What is committed while the last of full pages is taken comes at once, with nothing to wake the watcher."""
    start = _present(location)
    _change(location, [f"goal {number}" for number in range(4)])
    with telic.connect(location) as store:
        first = store.events(after=start, limit=2)
        _change(location, ["late"])
        second = store.events(after=first.cursor, limit=2)
        assert [item.scope for item in store.events(after=second.cursor, limit=2)] == ["late"]
    async with watching(location, colour, second.cursor) as watcher:
        assert [item.scope for item in await watcher.until(1)] == ["late"]


@contextlib.contextmanager
def _readers_kept_out(path: Path) -> Iterator[None]:
    """Inside, another process has all of the log's locks, as one that recovers the file after a crash."""
    ready, release = os.pipe(), os.pipe()
    pid = fork()
    if pid == 0:
        try:
            index = os.open(f"{path}-shm", os.O_RDWR)
            # Bytes 120 to 127: write, checkpoint, recover, and the five of readers (sqlite.org/walformat.html).
            fcntl.lockf(index, fcntl.LOCK_EX, 8, 120)
            os.write(ready[1], b".")
            os.read(release[0], 1)
        finally:
            os._exit(0)
    try:
        os.read(ready[0], 1)
        yield
    finally:
        os.write(release[1], b".")
        os.waitpid(pid, 0)
        for end in (*ready, *release):
            os.close(end)


@pytest.mark.long
@pytest.mark.parametrize("colour", COLOURS)
async def test_a_watch_outlasts_a_locked_out_reader(tmp_path: Path, colour: str) -> None:
    """While nobody can read for longer than the time-out it goes on trying, and then nothing is missing."""
    path = tmp_path / "goals.db"
    async with watching(str(path), colour, _present(str(path)), timeout_seconds=0.1) as watcher:
        await asyncio.to_thread(_change, str(path), ["before"])
        await watcher.until(1)
        # SQLite tries for ten seconds.
        with _readers_kept_out(path), pytest.raises(telic.errors.StoreBusy):
            await asyncio.to_thread(_read_once, path)
        await asyncio.to_thread(_change, str(path), ["after"])
        assert [item.scope for item in await watcher.until(2)] == ["before", "after"]


@pytest.mark.parametrize("colour", COLOURS)
async def test_a_watch_outlasts_a_busy_file(tmp_path: Path, colour: str, crew: Crew) -> None:
    """While another process is inside a write transaction, the watcher goes on with what was committed before."""
    path, entered = str(tmp_path / "goals.db"), tmp_path / "entered"
    start, may_enter = _present(path), tmp_path / "may enter"
    writer = crew.start(hold_the_write_lock, path, may_enter, entered)
    async with watching(path, colour, start, timeout_seconds=5) as watcher:
        await asyncio.to_thread(_change, path, ["before"])
        may_enter.touch()
        await asyncio.to_thread(wait_for, entered)
        await watcher.until(1)
        await asyncio.sleep(0.1)
        writer.kill()
        await asyncio.to_thread(_change, path, ["after"])
        assert [item.scope for item in await watcher.until(2)] == ["before", "after"]


async def test_a_version_that_cannot_be_told_is_waited_for() -> None:
    """A file that is busy for a moment neither ends a wait nor shortens it to nothing."""
    answers: list[Any] = [telic.errors.StoreBusy("locked"), telic.errors.StoreUnavailable("away"), 1, 1, 2]

    def version() -> Any:
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    SqliteChanges(version, None).wait(1, PATIENCE_SECONDS)
    assert answers == []
    answers[:] = [telic.errors.StoreBusy("locked"), 2]
    await AsyncSqliteChanges(version, None).wait(1, PATIENCE_SECONDS)
    assert answers == []


def _read_once(path: Path) -> None:
    with telic.connect(path, timeout_seconds=0.1) as store:
        store.active()


@pytest.mark.parametrize("colour", COLOURS)
async def test_a_watch_outlasts_the_servers_restarts(colour: str, own_server: PostgresServer) -> None:
    """Stopped in order or killed: every event comes once, those of before, between and after."""
    url = own_server.url()
    async with watching(url, colour, _present(url), timeout_seconds=5) as watcher:
        for number, restart in enumerate((_stop_and_start, PostgresServer.kill_and_start)):
            await asyncio.to_thread(_change, url, [f"before {number}"])
            await watcher.until(2 * number + 1)
            await asyncio.to_thread(_change, url, [f"last {number}"])
            await asyncio.to_thread(restart, own_server)
        await asyncio.to_thread(_change, url, ["after"])
        seen = await watcher.until(5)
    assert [item.scope for item in seen] == ["before 0", "last 0", "before 1", "last 1", "after"]


def _stop_and_start(server: PostgresServer) -> None:
    server.stop()
    server.start()


@needs("pgbouncer")
@pytest.mark.parametrize("settings", ["", DROPS_SETTINGS])
@pytest.mark.parametrize("has_notifications", [False, True])
@pytest.mark.parametrize("colour", COLOURS)
async def test_a_watch_works_through_a_pooler(
    colour: str, settings: str, has_notifications: bool, postgres_url: str, database: str
) -> None:
    """By looking again and again, as the pooler passes no notifications on; or by a direct connection for them."""
    options = {"notification_url": database} if has_notifications else {}
    with running_bouncer(postgres_url, settings) as bouncer:
        pooled = bouncer.url(database)
        async with watching(pooled, colour, _present(database), **options) as watcher:
            await asyncio.to_thread(_change, pooled, ["one", "two"])
            await watcher.until(2)
            assert _listeners(database) == int(has_notifications)
            await asyncio.to_thread(_change, database, ["three"])
            assert [item.scope for item in await watcher.until(3)] == ["one", "two", "three"]


def _listeners(url: str) -> int:
    """Connections to the database whose last statement was LISTEN."""
    with psycopg.connect(url) as connection:
        row = connection.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND query = 'LISTEN telic'"
        ).fetchone()
    assert row is not None
    return int(row[0])


async def _eventually(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.02)


async def test_a_cancelled_watch_leaves_nothing_behind(database: str) -> None:
    """Neither a connection nor a reader of the event loop, at whichever moment it was cancelled."""
    async with telic.connect_async(database) as store:
        await store.create("watched")
        # Long enough, in some rounds, for the watch to listen and to wait.
        for number in range(12):
            task = asyncio.create_task(_consume(store))
            await asyncio.sleep(number * 0.006)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
        await _eventually(lambda: _listeners(database) == 0)
        # What waits for the loop now is the store's own.
        assert await store.active() is not None


async def test_a_cancelled_wait_leaves_the_loop_alone(database: str) -> None:
    """The listening connection is read by nobody once its watcher is gone."""
    loop: Any = asyncio.get_running_loop()
    changes = AsyncPostgresChanges(Settings(database, OpenOptions()))
    task = asyncio.create_task(_wait_for_a_change(changes))
    await _eventually(lambda: _is_read(loop, changes))
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert changes.socket() is not None
    assert not _is_read(loop, changes)
    changes.close()
    await _eventually(lambda: _listeners(database) == 0)


async def _wait_for_a_change(changes: AsyncPostgresChanges) -> None:
    while True:
        await changes.wait(changes.token(), PATIENCE_SECONDS)


def _is_read(loop: Any, changes: AsyncPostgresChanges) -> bool:
    socket = changes.socket()
    return socket is not None and socket in loop._selector.get_map()


async def _consume(store: telic.AsyncGoalStore) -> None:
    async with contextlib.aclosing(store.watch()) as watch:
        async for _ in watch:
            pass


async def test_a_connection_that_comes_too_late_is_closed(database: str) -> None:
    """A task that was cancelled while its connection was being opened does not wait; whoever opens it closes it."""
    changes = AsyncPostgresChanges(Settings(database, OpenOptions()))
    changes.close()
    await asyncio.to_thread(changes.connect)
    assert changes.socket() is None
    await _eventually(lambda: _listeners(database) == 0)


async def test_a_cancelled_watch_of_a_file_leaves_nothing_open(tmp_path: Path) -> None:
    """Descriptors are as many as before."""
    async with telic.connect_async(tmp_path / "goals.db") as store:
        await store.create("watched")
        await _until_cancelled(store)
        before = _descriptors()
        for _ in range(5):
            await _until_cancelled(store)
        after = _descriptors()
        assert after == before


def _descriptors() -> int:
    return len(list(Path("/dev/fd").iterdir()))


async def _until_cancelled(store: telic.AsyncGoalStore) -> None:
    task = asyncio.create_task(_consume(store))
    await asyncio.sleep(0.05)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


def _watch_forever(location: str, cursor: str, ready: Path) -> None:
    with telic.connect(location) as store:
        for item in store.watch(after=cursor):
            half = ready.with_suffix(".half")
            half.write_text(item.cursor)
            half.rename(ready)


def test_a_killed_watcher_goes_on_at_its_cursor(location: str, tmp_path: Path, crew: Crew) -> None:
    """What came while nobody watched is first."""
    ready = tmp_path / "ready"
    worker = crew.start(_watch_forever, location, _present(location), ready)
    _change(location, ["first"])
    wait_for(ready)
    worker.kill()
    _change(location, ["second", "third"])
    with telic.connect(location) as store:
        watch = store.watch(after=ready.read_text(), idle_seconds=1)
        assert [item.scope for item in watch] == ["second", "third"]

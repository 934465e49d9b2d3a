"""Threads and tasks that share one store: exact counts, shared commits, and failures that stay their own."""

import asyncio
import pickle
import struct
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import pytest

import telic
from telic.storage.drivers.sqlite_database import SqliteDatabase
from tests.crash.support import Crew, history_of, name_of


def _run_in_threads(bodies: list[Callable[[], object]]) -> None:
    """Runs all bodies at once, each in a thread; a test failure where one raised."""
    errors: list[BaseException] = []

    def guarded(body: Callable[[], object]) -> None:
        try:
            body()
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=guarded, args=(body,)) for body in bodies]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
        assert not thread.is_alive()
    assert errors == []


def test_threads_share_a_blocking_store(location: str) -> None:
    """8 threads record 50 turns each through one store, and others read meanwhile: the sum is exact."""
    with telic.connect(location) as store:
        goal = store.create("share")

        def write(thread: int) -> None:
            for number in range(50):
                store.record_turn(goal.id, tokens=thread + number, key=f"{thread}-{number}")

        def read() -> None:
            turns = [store.get(goal.id).turns_used for _ in range(100)]
            assert turns == sorted(turns)

        _run_in_threads([*(partial(write, thread) for thread in range(8)), read, read])
        history = history_of(store, goal.id)
    expected = {f"{thread}-{number}": thread + number for thread in range(8) for number in range(50)}
    assert {turn.key: turn.usage.tokens for turn in history.turns} == expected
    assert len(history.turns) == len(expected)


def _use_until_closed(call: Callable[[], object]) -> None:
    deadline = time.monotonic() + 240
    with suppress(telic.errors.StoreClosed):
        while time.monotonic() < deadline:
            call()
        pytest.fail("the store was never closed")


@pytest.mark.parametrize("round", range(2))
def test_closing_under_busy_threads_gives_them_store_closed(round: int, tmp_path: Path) -> None:
    """Threads that read and write while another closes the store get StoreClosed, and `close` itself succeeds."""
    store = telic.connect(tmp_path / "goals.db")
    goal = store.create("share")
    for number in range(500):
        store.record_turn(goal.id, tokens=number)

    def close() -> None:
        time.sleep(0.05)
        store.close()

    def read() -> None:
        _use_until_closed(lambda: store.turns(goal.id))

    def write() -> None:
        _use_until_closed(lambda: store.record_turn(goal.id, tokens=1))

    _run_in_threads([read, read, write, close])


@pytest.mark.parametrize("round", range(2))
async def test_closing_under_busy_tasks_ends(round: int, tmp_path: Path) -> None:
    """Tasks that read and write while another closes the store get StoreClosed, and `close` itself ends."""
    store = await telic.connect_async(tmp_path / "goals.db")
    goal = await store.create("share")
    await asyncio.gather(*(store.record_turn(goal.id, tokens=number) for number in range(1000)))

    async def use(call: Callable[[], Any]) -> None:
        deadline = time.monotonic() + 240
        with suppress(telic.errors.StoreClosed):
            while time.monotonic() < deadline:
                await call()
                await asyncio.sleep(0)
            pytest.fail("the store was never closed")

    users = [asyncio.ensure_future(use(lambda: store.turns(goal.id))) for _ in range(3)]
    users.append(asyncio.ensure_future(use(lambda: store.record_turn(goal.id, tokens=1))))
    await asyncio.sleep(0.05)
    try:
        await asyncio.wait_for(store.close(), 240)
    finally:
        outcomes = await asyncio.gather(*users, return_exceptions=True)
    assert outcomes == [None] * len(users)


async def test_a_cancelled_call_is_settled_by_its_key(store: Any) -> None:
    """Calls cancelled at any stage happened or not; the same calls with the same keys count each turn once."""
    goal = await store.create("share")
    calls = [asyncio.ensure_future(store.record_turn(goal.id, tokens=5, key=f"call-{number}")) for number in range(60)]
    for number, call in enumerate(calls):
        if number % 4 == 0:
            await asyncio.sleep(0)
        if number % 2:
            call.cancel()
    outcomes = await asyncio.gather(*calls, return_exceptions=True)
    for outcome in outcomes:
        assert isinstance(outcome, telic.TurnResult | asyncio.CancelledError)
    for number in range(len(calls)):
        await store.record_turn(goal.id, tokens=5, key=f"call-{number}")
    turns = await store.turns(goal.id)
    assert sorted(turn.key for turn in turns) == sorted(f"call-{number}" for number in range(len(calls)))
    assert (await store.get(goal.id)).tokens_used == 5 * len(calls)


def _commits_in_log(path: Path) -> int:
    """How many transactions the write-ahead log holds: a frame that ends one names the database's size."""
    log = path.with_name(path.name + "-wal").read_bytes()
    page_size, _, salt = struct.unpack(">II8s", log[8:24])
    headers = [log[position : position + 24] for position in range(32, len(log), 24 + page_size)]
    live = [header for header in headers if header[8:16] == salt]
    return sum(struct.unpack(">I", header[4:8])[0] != 0 for header in live)


async def test_concurrent_calls_share_commits(tmp_path: Path) -> None:
    """200 turns recorded at the same moment take a few commits, not 200, and all are counted."""
    path = tmp_path / "goals.db"
    async with telic.connect_async(path) as store:
        goal = await store.create("share")
        before = _commits_in_log(path)
        await asyncio.gather(*(store.record_turn(goal.id, tokens=2, key=f"call-{number}") for number in range(200)))
        commits = _commits_in_log(path) - before
        assert (await store.get(goal.id)).tokens_used == 400
    assert 1 <= commits <= 20


async def test_a_failing_call_of_a_batch_harms_no_other(store: Any) -> None:
    """Calls made at the same moment, every third of which must fail: each fails as it would alone, the others count."""
    goal = await store.create("share")
    await store.record_turn(goal.id, tokens=1, key="taken")
    failing: list[Callable[[], Any]] = [
        lambda: store.record_turn("00000000-0000-7000-8000-000000000000", tokens=1),
        lambda: store.record_turn(goal.id, tokens=2, key="taken"),
        lambda: store.transition(goal.id, telic.GoalStatus.PAUSED, expected_revision=77),
        lambda: store.hold(goal.id, tokens=2**53),
        lambda: store.edit(goal.id, text="  "),
    ]
    calls = [
        failing[number // 3 % 5]() if number % 3 == 0 else store.record_turn(goal.id, tokens=1, key=f"call-{number}")
        for number in range(90)
    ]
    outcomes = await asyncio.gather(*calls, return_exceptions=True)
    names = [name_of(outcome) for outcome in outcomes[::3]]
    assert names == ["GoalNotFound", "TurnConflict", "StaleUpdate", "InvalidNumber", "EmptyText"] * 6
    turns = [outcome.turn for number, outcome in enumerate(outcomes) if number % 3]
    assert sorted(turn.number for turn in turns) == list(range(2, 62))
    assert (await store.get(goal.id)).tokens_used == 61


async def test_an_unforeseen_failure_reaches_its_callers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a batch fails in a way that no code expects, its callers are told and the store goes on."""
    async with telic.connect_async(tmp_path / "goals.db") as store:
        goal = await store.create("share")

        def fail(database: SqliteDatabase, key: str | None) -> None:
            monkeypatch.undo()
            raise MemoryError

        monkeypatch.setattr(SqliteDatabase, "commit", fail)
        with pytest.raises((MemoryError, telic.StoreError)):
            await asyncio.wait_for(store.record_turn(goal.id, tokens=1, key="call"), 240)
        result = await asyncio.wait_for(store.record_turn(goal.id, tokens=1, key="call"), 240)
        assert result.goal.turns_used == 1


def _go_stale(path: Path, goal_id: str) -> BaseException:
    with telic.connect(path) as store:
        try:
            store.pause(goal_id, expected_revision=9)
        except telic.StaleUpdate as error:
            return error
    raise AssertionError("the write was not stale")


def test_an_error_crosses_processes(tmp_path: Path, crew: Crew) -> None:
    """An error raised in a worker process reaches its parent as it was, with what it carries."""
    path = tmp_path / "goals.db"
    with telic.connect(path) as store:
        goal = store.create("share")
    error = crew.start(_go_stale, path, goal.id).result()
    assert isinstance(error, telic.StaleUpdate)
    assert (error.goal, error.expected_revision) == (goal, 9)


ERRORS = [
    telic.GoalNotFound("an id"),
    telic.errors.AmbiguousId("a prefix"),
    telic.InvalidTransition(telic.GoalStatus.CLEARED, telic.GoalStatus.ACTIVE),
    telic.BudgetExceeded("tokens", 5, 4),
    telic.errors.TurnConflict("a key"),
    telic.errors.TextTooLong("the text", 4),
    telic.OutcomeUnknown("a key"),
    telic.errors.StoreBusy("busy"),
]


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_an_error_survives_pickling(error: telic.GoalError) -> None:
    """Process pools pickle errors: the copy has the same type, message and attributes."""
    copy = pickle.loads(pickle.dumps(error))
    assert type(copy) is type(error)
    assert (str(copy), vars(copy)) == (str(error), vars(error))

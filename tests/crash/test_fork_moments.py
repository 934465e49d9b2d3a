"""Forks at awkward moments: amid a write, of a busy store, and children that begin late, at once or never."""

import asyncio
import os
import signal
import threading
import time
from pathlib import Path
from typing import Any

import pytest

import telic
from tests.crash.forking import CHILD_SECONDS, TURNS_EACH, in_a_new_loop, keys, record
from tests.crash.support import (
    COLOURS,
    Crew,
    checked_history,
    new_goal,
    opened,
    stay_in_a_transaction,
    wait_for,
)


def _fork_amid_a_write(location: str, goal_id: str, entered: Path) -> None:
    store = telic.connect(location, timeout_seconds=5)
    thread = threading.Thread(target=stay_in_a_transaction, args=(store, entered, 0.3))
    thread.start()
    wait_for(entered)
    child = Crew().start(lambda: store.record_turn(goal_id, tokens=3, key="child").turn.number)
    child.result(CHILD_SECONDS)
    thread.join()
    store.record_turn(goal_id, tokens=3, key="parent")


def test_a_child_forked_amid_a_write_writes(tmp_path: Path, crew: Crew) -> None:
    """A child that was forked while another thread of its parent was writing can write itself."""
    path = str(tmp_path / "goals.db")
    goal_id = new_goal(path)
    crew.start(_fork_amid_a_write, path, goal_id, tmp_path / "entered").result()
    assert checked_history(path, goal_id).goal.turns_used == 2


async def _fork_a_busy_store(location: str, colour: str, goal_id: str, forks: int) -> int:
    parent_turns = 0
    async with opened(location, colour, timeout_seconds=5) as store:

        async def keep_writing() -> None:
            nonlocal parent_turns
            while True:
                await store.record_turn(goal_id, tokens=3)
                parent_turns += 1
                await asyncio.sleep(0)

        writers = [asyncio.ensure_future(keep_writing()) for _ in range(4)]
        for number in range(forks):
            await asyncio.sleep(0.005)
            child = Crew().start(in_a_new_loop, record, store, goal_id, f"child{number}", 1)
            await asyncio.to_thread(child.result, CHILD_SECONDS)
        for writer in writers:
            writer.cancel()
        await asyncio.gather(*writers, return_exceptions=True)
    return parent_turns


def test_children_of_a_busy_async_store_write(tmp_path: Path, crew: Crew) -> None:
    """Children forked at random moments of a busy async store all write at once, and nothing is miscounted."""
    path, forks = str(tmp_path / "goals.db"), 40
    goal_id = new_goal(path)
    acknowledged = crew.start(in_a_new_loop, _fork_a_busy_store, path, "async", goal_id, forks).result()
    history = checked_history(path, goal_id)
    assert {f"child{number}-0" for number in range(forks)} <= {turn.key for turn in history.turns}
    assert acknowledged + forks <= history.goal.turns_used <= acknowledged + forks + 4


def _hold_the_lock_with_an_idle_child(location: str, child: Path, entered: Path) -> None:
    store = telic.connect(location)
    child.write_text(str(Crew().start(time.sleep, 3600).pid))
    stay_in_a_transaction(store, entered, 3600)


def test_an_idle_child_keeps_no_lock_of_a_killed_parent(tmp_path: Path, crew: Crew) -> None:
    """The write lock of a killed process is free at once, although a child that it had forked lives on."""
    path, child, entered = str(tmp_path / "goals.db"), tmp_path / "child", tmp_path / "entered"
    goal_id = new_goal(path)
    holder = crew.start(_hold_the_lock_with_an_idle_child, path, child, entered)
    wait_for(entered)
    holder.kill()
    try:
        with telic.connect(path, timeout_seconds=1) as store:
            store.record_turn(goal_id, tokens=3)
    finally:
        os.kill(int(child.read_text()), signal.SIGKILL)


def _write_and_read_at_once(store: Any, goal_id: str, key: str) -> int:
    """In a child, as the first use that it makes of a blocking store: the turns seen."""
    line, seen = threading.Barrier(2), []

    def read() -> None:
        line.wait()
        seen.append(store.get(goal_id).turns_used)

    reader = threading.Thread(target=read)
    reader.start()
    line.wait()
    store.record_turn(goal_id, tokens=3, key=key)
    reader.join()
    return seen[0]


async def _write_and_read_async(store: Any, goal_id: str, key: str) -> int:
    _, goal = await asyncio.gather(store.record_turn(goal_id, tokens=3, key=key), store.get(goal_id))
    turns: int = goal.turns_used
    return turns


async def _first_uses(path: str, colour: str, goal_id: str, forks: int) -> None:
    if colour == "async":
        async with telic.connect_async(path, timeout_seconds=5) as store:
            for number in range(forks):
                child = Crew().start(in_a_new_loop, _write_and_read_async, store, goal_id, f"child-{number}")
                assert child.result(CHILD_SECONDS) in (number, number + 1)
        return
    with telic.connect(path, timeout_seconds=5) as blocking:
        for number in range(forks):
            child = Crew().start(_write_and_read_at_once, blocking, goal_id, f"child-{number}")
            assert child.result(CHILD_SECONDS) in (number, number + 1)


@pytest.mark.parametrize("colour", COLOURS)
def test_a_childs_first_uses_may_come_at_once(colour: str, tmp_path: Path, crew: Crew) -> None:
    """A forked child's first read and first write, made at the same moment, both succeed; no lock is left behind."""
    path, forks = str(tmp_path / "goals.db"), 25
    goal_id = new_goal(path)
    crew.start(in_a_new_loop, _first_uses, path, colour, goal_id, forks).result()
    assert checked_history(path, goal_id).goal.turns_used == forks


def _write_and_die(path: str, goal_id: str, closed: Path, written: Path) -> None:
    wait_for(closed)
    store = telic.connect(path)
    for number in range(TURNS_EACH):
        store.record_turn(goal_id, tokens=3, key=f"other-{number}")
    written.touch()
    time.sleep(3600)


def _fork_a_child_that_begins_late(path: str, closed: Path, may_begin: Path) -> None:
    # Hooks run in the order of their registration: this one before the store's own.
    os.register_at_fork(after_in_child=lambda: wait_for(may_begin))
    store = telic.connect(path)
    store.list()
    child = Crew().start(int)
    store.close()
    closed.touch()
    child.result(CHILD_SECONDS)


def test_a_child_that_begins_late_takes_no_log_away(tmp_path: Path, crew: Crew) -> None:
    """What others acknowledged between a fork and the child's first step is there, also if they were killed."""
    path, closed, written, may_begin = (tmp_path / name for name in ("goals.db", "closed", "written", "may begin"))
    goal_id = new_goal(path)
    other = crew.start(_write_and_die, path, goal_id, closed, written)
    parent = crew.start(_fork_a_child_that_begins_late, path, closed, may_begin)
    wait_for(written)
    other.kill()
    may_begin.touch()
    parent.result()
    assert {turn.key for turn in checked_history(path, goal_id).turns} == keys(["other"])

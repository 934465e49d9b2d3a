"""A process that stands still while it holds the write lock: others are told in time, and its end frees the lock."""

import asyncio
import threading
import time
from pathlib import Path
from typing import Any

import pytest

import telic
from tests.crash.support import (
    COLOURS,
    Crew,
    StartingLine,
    checked_history,
    hold_the_write_lock,
    new_goal,
    opened,
    wait_for,
)

TIMEOUT_SECONDS = 1.0
"""The writer stays stopped until every call has ended: one that does not keep to its time-out never ends."""


class Holder:
    """A process with the store open, which can be made to hold the write lock and stand still.

    It is started before the test opens a store itself, so that it inherits none.
    """

    def __init__(self, crew: Crew, path: str, folder: Path) -> None:
        self._may_enter, self._entered = folder / "may enter", folder / "entered"
        self._worker = crew.start(hold_the_write_lock, path, self._may_enter, self._entered)

    def take_and_stop(self) -> None:
        self._may_enter.touch()
        wait_for(self._entered)
        self._worker.stop()

    def kill(self) -> None:
        self._worker.kill()


async def _is_told_busy(store: Any, goal_id: str, key: str) -> None:
    """The call ends with StoreBusy, and not before its time-out."""
    start = time.monotonic()
    with pytest.raises(telic.errors.StoreBusy) as refusal:
        await store.record_turn(goal_id, tokens=1, key=key)
    assert refusal.value.retryable
    assert time.monotonic() - start >= TIMEOUT_SECONDS * 0.9


@pytest.mark.parametrize("colour", COLOURS)
async def test_a_stopped_writer_makes_others_busy_in_time(colour: str, tmp_path: Path, crew: Crew) -> None:
    """While a stopped process holds the lock, writes raise StoreBusy at their time-out and reads work.

    Once it is killed, a write goes through at once.
    """
    path = str(tmp_path / "goals.db")
    goal_id = new_goal(path)
    holder = Holder(crew, path, tmp_path)
    async with opened(path, colour, timeout_seconds=TIMEOUT_SECONDS) as store:
        await store.record_turn(goal_id, tokens=1, key="before")
        holder.take_and_stop()
        await _is_told_busy(store, goal_id, "the call")
        assert (await store.get(goal_id)).turns_used == 1
        holder.kill()
        await store.record_turn(goal_id, tokens=1, key="the call")
    assert [turn.key for turn in checked_history(path, goal_id).turns] == ["before", "the call"]


def test_opening_beside_a_stopped_writer_is_busy_in_time(tmp_path: Path, crew: Crew) -> None:
    """Opening, which may have to write, raises StoreBusy at its time-out and works once the lock is free."""
    path = str(tmp_path / "goals.db")
    new_goal(path)
    holder = Holder(crew, path, tmp_path)
    holder.take_and_stop()
    with pytest.raises(telic.errors.StoreBusy):
        telic.connect(path, timeout_seconds=0.3)
    holder.kill()
    telic.connect(path, timeout_seconds=0.3).close()


def _wait_in_vain(path: str, goal_id: str, line: StartingLine, place: int) -> None:
    with telic.connect(path, timeout_seconds=TIMEOUT_SECONDS) as store:
        line.wait()
        time.sleep(0.1 * place)
        with pytest.raises(telic.errors.StoreBusy):
            store.record_turn(goal_id, tokens=1)


def test_processes_that_queue_are_busy_in_time(tmp_path: Path, crew: Crew) -> None:
    """A process that waited for its turn to wait is told as early as one that waited for the writer itself."""
    path = str(tmp_path / "goals.db")
    goal_id = new_goal(path)
    holder = Holder(crew, path, tmp_path)
    line = StartingLine()
    waiters = [crew.start(_wait_in_vain, path, goal_id, line, place) for place in range(3)]
    line.wait_until_ready(3)
    holder.take_and_stop()
    line.start()
    for waiter in waiters:
        waiter.result()


async def _wait_later(store: Any, goal_id: str, place: int) -> None:
    await asyncio.sleep(0.1 * place)
    await _is_told_busy(store, goal_id, f"call-{place}")


async def test_tasks_that_queue_are_busy_in_time(tmp_path: Path, crew: Crew) -> None:
    """A task's time-out runs from its own call, whether or not the batch before has used some of it."""
    path = str(tmp_path / "goals.db")
    goal_id = new_goal(path)
    holder = Holder(crew, path, tmp_path)
    async with opened(path, "async", timeout_seconds=TIMEOUT_SECONDS) as store:
        holder.take_and_stop()
        await asyncio.gather(*(_wait_later(store, goal_id, place) for place in range(3)))
        holder.kill()


def test_threads_that_queue_are_busy_in_time(tmp_path: Path, crew: Crew) -> None:
    """A thread's time-out runs from its own call, whether or not another thread's call was in the way."""
    path = str(tmp_path / "goals.db")
    goal_id = new_goal(path)
    told: list[int] = []
    holder = Holder(crew, path, tmp_path)
    with telic.connect(path, timeout_seconds=TIMEOUT_SECONDS) as store:

        def wait_in_vain(place: int) -> None:
            time.sleep(0.1 * place)
            with pytest.raises(telic.errors.StoreBusy):
                store.record_turn(goal_id, tokens=1)
            told.append(place)

        holder.take_and_stop()
        threads = [threading.Thread(target=wait_in_vain, args=(place,)) for place in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        holder.kill()
    assert sorted(told) == [0, 1, 2]

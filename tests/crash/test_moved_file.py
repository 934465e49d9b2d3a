"""A database file deleted or replaced under a live store: the next write says so, and nothing is acknowledged."""

import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Final

import pytest

import telic
from tests.crash.support import COLOURS, Crew, checked_history, new_goal, opened, wait_for


def _delete_all(path: Path) -> None:
    for file in path.parent.glob(path.name + "*"):
        file.unlink()


def _rename_over(path: Path) -> None:
    """As a restored backup does."""
    new_goal(path.with_name("backup.db"))
    path.with_name("backup.db").rename(path)


def _replace_the_folder(path: Path) -> None:
    path.parent.rename(path.parent.with_name("old folder"))
    path.parent.mkdir()
    new_goal(path)


WAYS: Final[dict[str, Callable[[Path], object]]] = {
    "deleted": Path.unlink,
    "deleted with its log": _delete_all,
    "renamed away": lambda path: path.rename(path.with_name("elsewhere.db")),
    "renamed over": _rename_over,
    "in another folder": _replace_the_folder,
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("colour", COLOURS)
async def test_a_write_to_a_moved_file_is_refused(way: str, colour: str, tmp_path: Path) -> None:
    """Every write after the move raises StoreMoved, whatever it is, until the store is opened anew."""
    path = tmp_path / "folder" / "goals.db"
    path.parent.mkdir()
    async with opened(path, colour) as store:
        goal = await store.create("stay")
        await store.record_turn(goal.id, tokens=1)
        WAYS[way](path)
        with pytest.raises(telic.errors.StoreMoved):
            await store.record_turn(goal.id, tokens=1)
        with pytest.raises(telic.errors.StoreMoved):
            await store.create("another")
        with pytest.raises(telic.errors.StoreMoved):
            await store.edit(goal.id, text="changed")


def _use_the_new_file(path: Path, moved: Path, ready: Path, closed: Path) -> str:
    wait_for(moved)
    with telic.connect(path) as store:
        goal = store.create("in the new file")
        _record_ten(store, goal.id, "early")
        ready.touch()
        wait_for(closed)
        _record_ten(store, goal.id, "late")
        # A crash: only what is in the log's file counts.
        os.kill(os.getpid(), signal.SIGSTOP)
    return goal.id


def _record_ten(store: telic.GoalStore, goal_id: str, name: str) -> None:
    for number in range(10):
        store.record_turn(goal_id, tokens=1, key=f"{name}-{number}")


@pytest.mark.parametrize("colour", COLOURS)
async def test_the_old_store_leaves_the_new_file_alone(colour: str, tmp_path: Path, crew: Crew) -> None:
    """A store whose file was replaced neither writes to the new one nor, by closing, takes anything from it."""
    path, moved, ready, closed = (tmp_path / name for name in ("goals.db", "moved", "ready", "closed"))
    worker = crew.start(_use_the_new_file, path, moved, ready, closed)
    async with opened(path, colour) as store:
        old = await store.create("in the old file")
        _delete_all(path)
        moved.touch()
        wait_for(ready)
        with pytest.raises(telic.errors.StoreMoved):
            await store.record_turn(old.id, tokens=1)
    closed.touch()
    worker.wait_until_stopped()
    worker.kill()
    with telic.connect(path) as store:
        (goal,) = store.list().goals
    turns = [turn.key for turn in checked_history(path, goal.id).turns]
    assert turns == [f"{name}-{number}" for name in ("early", "late") for number in range(10)]

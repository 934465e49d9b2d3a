"""A store that is open when its process forks: parent and children go on, and nothing acknowledged is lost."""

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import telic
from tests.crash.forking import CHILD_SECONDS, in_a_new_loop, keys, record
from tests.crash.support import COLOURS, Crew, checked_history, name_of, new_goal, opened, wait_for

CHILDREN = 4


async def _fork_and_share(location: str, colour: str, goal_id: str) -> None:
    async with opened(location, colour) as store:
        await record(store, goal_id, "before")
        crew = Crew()
        children = [crew.start(in_a_new_loop, record, store, goal_id, f"child{number}") for number in range(CHILDREN)]
        await record(store, goal_id, "parent")
        for child in children:
            child.result(CHILD_SECONDS)
        await record(store, goal_id, "after")


def _share(location: str, colour: str, goal_id: str, crew: Crew) -> None:
    crew.start(in_a_new_loop, _fork_and_share, location, colour, goal_id).result()
    history = checked_history(location, goal_id)
    names = ["before", "parent", "after", *(f"child{number}" for number in range(CHILDREN))]
    assert {turn.key for turn in history.turns} == keys(names)
    assert history.goal.tokens_used == 3 * len(keys(names))


def test_parent_and_children_share_a_blocking_store(location: str, crew: Crew) -> None:
    """Forked children and their parent write through one blocking store at once, and every turn is counted."""
    _share(location, "blocking", new_goal(location), crew)


def test_parent_and_children_share_an_async_store(location: str, crew: Crew) -> None:
    """Forked children, in loops of their own, and their parent write through one async store at once."""
    _share(location, "async", new_goal(location), crew)


async def _close_before_the_child(location: str, colour: str, goal_id: str, folder: Path) -> None:
    async def child(store: Any) -> None:
        await record(store, goal_id, "first")
        (folder / "first").touch()
        wait_for(folder / "closed")
        await record(store, goal_id, "second")
        # A crash: the child never gets to close its store, and so to move the log into the database.
        os.kill(os.getpid(), signal.SIGKILL)

    async with opened(location, colour) as store:
        await record(store, goal_id, "parent")
        worker = Crew().start(in_a_new_loop, child, store)
        wait_for(folder / "first")
    (folder / "closed").touch()
    worker.wait()


@pytest.mark.parametrize("colour", COLOURS)
def test_a_child_outlives_its_parents_store(colour: str, tmp_path: Path, crew: Crew) -> None:
    """What a forked child acknowledges after its parent has closed the store is there, also after a crash."""
    path = str(tmp_path / "goals.db")
    goal_id = new_goal(path)
    crew.start(in_a_new_loop, _close_before_the_child, path, colour, goal_id, tmp_path).result()
    history = checked_history(path, goal_id)
    assert {turn.key for turn in history.turns} == keys(["parent", "first", "second"])


async def _child_closes(location: str, colour: str, goal_id: str) -> None:
    async def child(store: Any, name: str) -> None:
        await record(store, goal_id, name)
        await store.close()

    async with opened(location, colour) as store:
        await record(store, goal_id, "before")
        Crew().start(in_a_new_loop, child, store, "child").result(CHILD_SECONDS)
        await record(store, goal_id, "after")
        Crew().start(in_a_new_loop, child, store, "second-child").result(CHILD_SECONDS)


@pytest.mark.parametrize("colour", COLOURS)
def test_a_child_that_closes_the_store_leaves_the_parents_open(colour: str, tmp_path: Path, crew: Crew) -> None:
    """A forked child's `close` is its own: the parent's store goes on."""
    path = str(tmp_path / "goals.db")
    goal_id = new_goal(path)
    crew.start(in_a_new_loop, _child_closes, path, colour, goal_id).result()
    history = checked_history(path, goal_id)
    assert {turn.key for turn in history.turns} == keys(["before", "child", "after", "second-child"])


def _delete_all(folder: Path) -> None:
    for file in folder.iterdir():
        file.unlink()


async def _delete_before_the_child(location: str, colour: str, folder: Path) -> str:
    async def child(store: Any) -> str:
        wait_for(folder / "deleted")
        try:
            await store.create("in the void")
        except telic.GoalError as error:
            return name_of(error)
        return "acknowledged"

    async with opened(location, colour) as store:
        await store.create("before")
        worker = Crew().start(in_a_new_loop, child, store)
        _delete_all(folder)
        (folder / "deleted").touch()
        outcome: str = worker.result(CHILD_SECONDS)
    return outcome


@pytest.mark.parametrize("colour", COLOURS)
def test_a_child_whose_file_was_deleted_is_told(colour: str, tmp_path: Path, crew: Crew) -> None:
    """A forked child whose database was deleted meanwhile gets StoreMoved, and does not make another one."""
    path = str(tmp_path / "goals.db")
    assert crew.start(in_a_new_loop, _delete_before_the_child, path, colour, tmp_path).result() == "StoreMoved"
    assert [file.name for file in tmp_path.iterdir()] == ["deleted"]


CHILD_THAT_ENDS = """
import os, sys, telic
store = telic.connect(sys.argv[1])
goal = store.create("outlive")
child = os.fork()
if child == 0:
    if sys.argv[2] == "used":
        store.record_turn(goal.id, tokens=1, key="child")
    sys.exit(0)
assert os.waitpid(child, 0)[1] == 0
for number in range(20):
    store.record_turn(goal.id, tokens=1, key=f"parent-{number}")
print(goal.id, flush=True)
os.kill(os.getpid(), 9)
"""


@pytest.mark.parametrize("use", ["used", "unused"])
def test_the_orderly_end_of_a_child_harms_nothing(use: str, tmp_path: Path) -> None:
    """A child that ends as interpreters do, tidying up what it inherited, takes nothing from its parent."""
    path = str(tmp_path / "goals.db")
    command = [sys.executable, "-W", "ignore::DeprecationWarning", "-c", CHILD_THAT_ENDS, path, use]
    goal_id = subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()
    assert checked_history(path, goal_id).goal.turns_used == 20 + (use == "used")

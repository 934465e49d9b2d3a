"""SQLite's point reads go straight to where they found a goal before, and are never misled by it."""

import threading
from collections.abc import Iterator
from pathlib import Path

import apsw
import pytest

import telic
from telic.storage.drivers import sqlite_transaction
from telic.storage.statements import load_statements, parameter_names


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "goals.db"


@pytest.fixture
def store(path: Path) -> Iterator[telic.GoalStore]:
    with telic.connect(path) as opened:
        yield opened


def test_a_goal_found_before_is_read_as_it_is_now(store: telic.GoalStore, path: Path) -> None:
    """Another's change is seen at the next read, by id and by scope."""
    goal = store.create("first")
    assert store.get(goal.id) == store.active() == goal
    with telic.connect(path) as other:
        edited = other.edit(goal.id, text="second")
    assert store.get(goal.id) == store.active() == edited


def test_the_scopes_next_active_goal_is_found(store: telic.GoalStore, path: Path) -> None:
    """Where the former one was, there is no active goal of the scope any more."""
    first = store.create("first")
    assert store.active() == first
    with telic.connect(path) as other:
        second = other.create("second")
        assert (store.active(), store.active()) == (second, second)
        first = other.resume(first.id)
        assert store.active() == first
        other.pause(first.id)
        assert store.active() is None


def test_nothing_is_remembered_of_what_is_not_there(store: telic.GoalStore) -> None:
    """A scope without an active goal gets one, and is then found."""
    assert store.active("later") is None
    assert store.active("later") is None
    goal = store.create("now", scope="later")
    assert store.active("later") == goal


def test_only_so_many_places_are_remembered(store: telic.GoalStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """More goals than that are read all the same, again and again."""
    monkeypatch.setattr(sqlite_transaction, "_MOST_ROWIDS", 4)
    goals = [store.create(f"goal {number}", scope=f"scope {number}") for number in range(11)]
    for _ in range(3):
        assert [store.get(goal.id) for goal in goals] == goals
        assert [store.active(goal.scope) for goal in goals] == goals


def test_a_row_that_is_another_goals_is_not_taken(path: Path) -> None:
    """A place is believed only where the goal that was asked for is there."""
    with telic.connect(path) as store:
        one, other = (store.create(text, scope=text) for text in ("one", "other"))
        assert (store.get(one.id), store.active("one")) == (one, one)
        connection = apsw.Connection(str(path))
        connection.execute(
            "UPDATE goals SET sequence = 100 WHERE scope = 'one'; UPDATE goals SET sequence = 1 WHERE scope = 'other'"
        )
        connection.close()
        assert (store.get(one.id), store.active("one")) == (one, one)
        assert (store.get(other.id), store.active("other")) == (other, other)


def test_threads_share_what_is_remembered(store: telic.GoalStore) -> None:
    """Readers in eight threads each get the goals that they ask for."""
    goals = [store.create(f"goal {number}", scope=f"scope {number}") for number in range(50)]
    wrong: list[telic.Goal] = []

    def read() -> None:
        for _ in range(20):
            wrong.extend(goal for goal in goals if store.get(goal.id) != goal or store.active(goal.scope) != goal)

    threads = [threading.Thread(target=read) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


@pytest.mark.parametrize("name", sqlite_transaction.ROW_READS)
def test_a_place_is_reached_without_the_index(name: str, path: Path) -> None:
    """Otherwise it would spare nothing."""
    telic.connect(path).close()
    statement = load_statements("sqlite")[f"{name}.at_rowid"]
    connection = apsw.Connection(str(path))
    lines = connection.execute(f"EXPLAIN QUERY PLAN {statement}", dict.fromkeys(parameter_names(statement), "1"))
    assert [line[3] for line in lines] == ["SEARCH goals USING INTEGER PRIMARY KEY (rowid=?)"]
    connection.close()

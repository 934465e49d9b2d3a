"""Rivals: programs that write the same file without the turnstile, processes that want the same slot."""

import time
from pathlib import Path

import apsw

import telic
from tests.crash.support import Crew, StartingLine, checked_history, new_goal


def _write_without_turnstile(path: str, line: StartingLine, seconds: float) -> int:
    connection = apsw.Connection(path)
    connection.set_busy_timeout(10_000)
    connection.execute("CREATE TABLE IF NOT EXISTS scratch (number INTEGER)")
    line.wait()
    deadline = time.monotonic() + seconds
    count = 0
    while time.monotonic() < deadline:
        connection.execute("INSERT INTO scratch VALUES (?)", (count,))
        count += 1
        time.sleep(0.0005)
    connection.close()
    return count


def _redefine(path: str, goal_id: str, line: StartingLine, seconds: float) -> int:
    with telic.connect(path) as store:
        line.wait()
        deadline = time.monotonic() + seconds
        count = 0
        while time.monotonic() < deadline:
            store.edit(goal_id, text=f"text {count}")
            store.record_turn(goal_id, tokens=1)
            count += 1
    return count


def test_a_foreign_writer_only_makes_writers_wait(tmp_path: Path, crew: Crew) -> None:
    """Operations that read before they write never fail because another program wrote in between."""
    path = str(tmp_path / "goals.db")
    goal_id = new_goal(path)
    line = StartingLine()
    strangers = [crew.start(_write_without_turnstile, path, line, 2.0) for _ in range(2)]
    writers = [crew.start(_redefine, path, goal_id, line, 2.0) for _ in range(2)]
    line.start()
    changes = sum(writer.result() for writer in writers)
    assert sum(stranger.result() for stranger in strangers) > 0
    assert changes > 0
    history = checked_history(path, goal_id)
    assert (len(history.events), history.goal.turns_used) == (changes + 1, changes)


def _create_in_each(location: str, scopes: list[str], worker: int) -> None:
    with telic.connect(location, timeout_seconds=60) as store:
        for scope in scopes:
            store.create(f"goal of {worker}", scope=scope)


def test_a_scope_that_all_create_in_at_once_has_one_active_goal(location: str, crew: Crew) -> None:
    """12 processes race in 20 scopes: one goal is active in each, and every other was pushed out by one of its own."""
    scopes = [f"scope {number}" for number in range(20)]
    with telic.connect(location):
        pass
    crew.race(_create_in_each, [(location, scopes, worker) for worker in range(12)])
    for scope in scopes:
        with telic.connect(location) as store:
            goals = store.list(scope=scope, limit=1000).goals
        (active,) = (goal for goal in goals if goal.status is telic.GoalStatus.ACTIVE)
        successors = [
            event.data["by"]
            for goal in goals
            if goal != active
            for event in checked_history(location, goal.id).events
            if "by" in event.data
        ]
        assert len(successors) == len(set(successors)) == len(goals) - 1 == 11

"""Many processes on one database: every turn counted, one active goal, one winner."""

import time
from collections.abc import Callable
from pathlib import Path

import apsw
import pytest

import telic
from tests.crash.support import Crew, checked_history, name_of, new_goal, wait_for

TURN_WRITERS = 8
TURNS_EACH = 250


def _record_turns(location: str, goal_id: str, worker: int) -> None:
    with telic.connect(location, timeout_seconds=60) as store:
        for number in range(TURNS_EACH):
            store.record_turn(goal_id, tokens=worker * 1000 + number, key=f"{worker}-{number}")


def test_turns_of_many_processes_add_up(location: str, crew: Crew) -> None:
    """2,000 turns recorded by 8 processes on one goal are all in the ledger once, and their tokens add up exactly."""
    goal_id = new_goal(location)
    crew.race(_record_turns, [(location, goal_id, worker) for worker in range(TURN_WRITERS)])
    history = checked_history(location, goal_id)
    expected = {
        f"{worker}-{number}": worker * 1000 + number for worker in range(TURN_WRITERS) for number in range(TURNS_EACH)
    }
    assert {turn.key: turn.usage.tokens for turn in history.turns} == expected
    assert len(history.turns) == TURN_WRITERS * TURNS_EACH
    assert history.goal.tokens_used == sum(expected.values())


def _take_the_slot(location: str, rivals: list[str], worker: int) -> tuple[list[str], list[str]]:
    created: list[str] = []
    errors: list[str] = []
    with telic.connect(location, timeout_seconds=60) as store:
        for step in range(12):
            try:
                if step % 2:
                    store.resume(rivals[(worker + step) % len(rivals)])
                else:
                    created.append(store.create(f"goal {worker}-{step}").id)
            except Exception as error:
                errors.append(name_of(error))
    return created, errors


def test_rivals_for_a_scope_leave_one_active_goal(location: str, crew: Crew) -> None:
    """16 processes that create and resume goals in one scope leave exactly one active, and only typed errors."""
    with telic.connect(location) as store:
        rivals = [store.create(f"rival {number}").id for number in range(4)]
    outcomes = crew.race(_take_the_slot, [(location, rivals, worker) for worker in range(16)])
    created = [goal_id for ids, _ in outcomes for goal_id in ids]
    assert {error for _, errors in outcomes for error in errors} <= {"InvalidTransition"}
    assert len(created) == 16 * 6
    with telic.connect(location) as store:
        goals = store.list(limit=1000).goals
        active = [goal for goal in goals if goal.status is telic.GoalStatus.ACTIVE]
        assert [store.active()] == active
    assert {goal.id for goal in goals} == {*rivals, *created}
    for goal in goals:
        checked_history(location, goal.id)


def _edit(store: telic.GoalStore, goal: telic.Goal, worker: int) -> telic.Goal:
    return store.edit(goal.id, text=f"text of {worker}", expected_revision=goal.revision)


def _pause(store: telic.GoalStore, goal: telic.Goal, worker: int) -> telic.Goal:
    note = f"worker {worker}"
    return store.transition(goal.id, telic.GoalStatus.PAUSED, expected_revision=goal.revision, note=note)


def _pause_or_clear(store: telic.GoalStore, goal: telic.Goal, worker: int) -> telic.Goal:
    """A paused goal may be cleared: here nothing but the revision stands between the winner and the next."""
    if worker % 2:
        return store.clear(goal.id, expected_revision=goal.revision, note=f"worker {worker}")
    return _pause(store, goal, worker)


GUARDED_CHANGES = [_edit, _pause, _pause_or_clear]


def _contest(
    location: str, change: Callable[..., telic.Goal], goals: list[telic.Goal], worker: int
) -> list[tuple[bool, telic.Goal]]:
    """For each goal whether this worker won it, and what it was told that the goal is now."""
    outcomes: list[tuple[bool, telic.Goal]] = []
    with telic.connect(location) as store:
        for goal in goals:
            try:
                outcomes.append((True, change(store, goal, worker)))
            except telic.StaleUpdate as error:
                outcomes.append((False, error.goal))
    return outcomes


@pytest.mark.parametrize("change", GUARDED_CHANGES, ids=lambda change: change.__name__.strip("_"))
def test_one_of_many_guarded_writers_wins(location: str, change: Callable[..., telic.Goal], crew: Crew) -> None:
    """Of 8 processes that change a goal at one revision one does; the others are told what the goal is now."""
    with telic.connect(location) as store:
        goals = [store.create("contested", scope=f"scope {number}") for number in range(6)]
    outcomes = crew.race(_contest, [(location, change, goals, worker) for worker in range(8)])
    for goal, outcomes_of_goal in zip(goals, zip(*outcomes, strict=True), strict=True):
        winners = [seen for won, seen in outcomes_of_goal if won]
        assert len(winners) == 1
        assert [seen for _, seen in outcomes_of_goal] == winners * 8
        history = checked_history(location, goal.id)
        assert (history.goal, len(history.events)) == (winners[0], 2)


def _open_and_create(location: str, worker: int) -> str:
    with telic.connect(location, timeout_seconds=60) as store:
        return store.create(f"goal {worker}", scope=f"scope {worker}").id


def test_a_new_file_is_opened_by_all_at_once(tmp_path: Path, crew: Crew) -> None:
    """32 processes that open one new file at once all get a store, and the schema is there once."""
    path = str(tmp_path / "new.db")
    ids = crew.race(_open_and_create, [(path, worker) for worker in range(32)])
    with telic.connect(path) as store:
        assert {goal.id for goal in store.list(limit=100).goals} == set(ids)
    connection = apsw.Connection(path)
    versions = connection.execute("SELECT version FROM schema_version ORDER BY version").fetchall()
    connection.close()
    assert versions == [(number,) for number in range(1, len(versions) + 1)]
    for goal_id in ids:
        checked_history(path, goal_id)


def _write_until(location: str, goal_id: str, stop: Path, served: Path) -> int:
    with telic.connect(location, timeout_seconds=240) as store:
        turns = 0
        while not stop.exists():
            store.record_turn(goal_id, tokens=1)
            turns += 1
            if turns == 20:
                served.touch()
    return turns


def test_no_writer_starves(tmp_path: Path, crew: Crew) -> None:
    """Of 4 processes that never rest from writing, each one gets its turns."""
    path, stop = str(tmp_path / "goals.db"), tmp_path / "stop"
    goal_id = new_goal(path)
    served = [tmp_path / f"served-{number}" for number in range(4)]
    workers = [crew.start(_write_until, path, goal_id, stop, mark) for mark in served]
    for mark in served:
        wait_for(mark)
    stop.touch()
    turns = [worker.result() for worker in workers]
    assert checked_history(path, goal_id).goal.turns_used == sum(turns)


def _move_to_and_fro(location: str, goal_id: str, rounds: int) -> None:
    with telic.connect(location) as store:
        for number in range(rounds):
            store.edit(goal_id, text=f"round {number}", key=f"edit-{number}")
            store.record_turn(goal_id, tokens=number, key=f"turn-{number}")


def test_a_reader_sees_committed_states_only(tmp_path: Path, crew: Crew) -> None:
    """What another process reads while a writer goes on is always a goal that some prefix of its history makes."""
    path, rounds = str(tmp_path / "goals.db"), 300
    goal_id = new_goal(path)
    writer = crew.start(_move_to_and_fro, path, goal_id, rounds)
    seen: list[telic.Goal] = []
    deadline = time.monotonic() + 240
    with telic.connect(path) as store:
        while not seen or seen[-1].turns_used < rounds:
            assert time.monotonic() < deadline
            seen.append(store.get(goal_id))
    writer.result()
    history = checked_history(path, goal_id)
    tokens_after = [0]
    for turn in history.turns:
        tokens_after.append(tokens_after[-1] + turn.usage.tokens)
    for goal in seen:
        assert goal.tokens_used == tokens_after[goal.turns_used]
        assert goal.revision - 1 in (goal.turns_used, goal.turns_used + 1)
        assert goal.text == ("survive" if goal.revision == 1 else f"round {goal.revision - 2}")
    positions = [(goal.revision, goal.turns_used) for goal in seen]
    assert positions == sorted(positions)
    assert len(set(positions)) > 10

"""A writer killed at each of its system calls in turn: the old state or the new one, and nothing in between."""

import shutil
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import Final

import pytest

import telic
from tests.crash.support import Crew, StartingLine, history_of, require_integrity
from tests.crash.system_calls import Point, marked, require_strace, run_killed_at, run_logged

Change = Callable[[telic.GoalStore, str, str], object]
State = list[tuple[object, ...]]

POINTS_IN_THE_GATE: Final = 12


def _record_and_close(store: telic.GoalStore, second: str) -> None:
    """The last connection to be closed moves the log into the database and deletes it."""
    store.record_turn(second, tokens=7, key="the call")
    store.close()


CHANGES: Final[dict[str, Change]] = {
    "create": lambda store, first, second: store.create("third", key="the call"),
    "transition": lambda store, first, second: store.transition(second, telic.GoalStatus.PAUSED, key="the call"),
    "resume": lambda store, first, second: store.resume(first, key="the call"),
    "complete a paused goal": lambda store, first, second: store.complete(first, key="the call"),
    "record_turn": lambda store, first, second: store.record_turn(second, tokens=7, key="the call"),
    "reach the budget": lambda store, first, second: store.record_turn(second, tokens=500, key="the call"),
    "record_turn and close": lambda store, first, second: _record_and_close(store, second),
}


def _make_base(path: Path) -> tuple[str, str]:
    with telic.connect(path) as store:
        first = store.create("first")
        store.record_turn(first.id, tokens=3)
        second = store.create("second", token_budget=100)
        store.record_turn(second.id, tokens=5)
    return first.id, second.id


def _state(path: Path) -> State:
    """All goals with their histories, told apart by their texts; each is whole in itself."""
    with telic.connect(path) as store:
        goals = sorted(store.list().goals, key=lambda goal: goal.text)
        histories = [history_of(store, goal.id) for goal in goals]
    require_integrity(path)
    return [
        (
            *(history.goal.text, history.goal.status, history.goal.reason, history.goal.revision, history.goal.usage),
            [(event.kind, event.key == "the call") for event in history.events],
            [(turn.usage.tokens, turn.key == "the call") for turn in history.turns],
        )
        for history in histories
    ]


def _change(path: Path, change: Change, ids: tuple[str, str], line: StartingLine) -> None:
    store = telic.connect(path)
    marked(line, change, store, *ids)


def _spread(points: list[Point], is_long: bool) -> Iterable[Point]:
    return points if is_long else points[:: max(1, len(points) // POINTS_IN_THE_GATE)]


LENGTHS = [pytest.param(False, id="some"), pytest.param(True, id="all", marks=pytest.mark.long)]


@pytest.mark.parametrize("name", CHANGES)
@pytest.mark.parametrize("is_long", LENGTHS)
def test_a_killed_change_is_whole_or_absent(name: str, is_long: bool, tmp_path: Path, crew: Crew) -> None:
    """A process killed as it enters any system call of a change leaves the old state or the new one.

    Repeating the call with its key then always gives the new state.
    """
    require_strace()
    base, path, change = tmp_path / "base.db", tmp_path / "goals.db", CHANGES[name]
    ids = _make_base(base)
    old = _state(base)
    shutil.copy(base, path)
    points = run_logged(crew, tmp_path / "log", partial(_change, path, change, ids))
    new = _state(path)
    assert old != new
    chosen = list(_spread(points, is_long))
    killed = 0
    for point in chosen:
        for file in tmp_path.glob("goals.db*"):
            file.unlink()
        shutil.copy(base, path)
        killed += run_killed_at(crew, point, partial(_change, path, change, ids))
        assert _state(path) in (old, new), point
        with telic.connect(path) as store:
            change(store, *ids)
        assert _state(path) == new, point
    assert killed >= len(chosen) * 0.9


def _open(path: Path, line: StartingLine) -> None:
    marked(line, telic.connect, path)


@pytest.mark.parametrize("is_long", LENGTHS)
def test_a_killed_first_opening_leaves_a_usable_file(is_long: bool, tmp_path: Path, crew: Crew) -> None:
    """A process killed as it enters any system call of opening a new file leaves one that opens and works."""
    require_strace()
    points = run_logged(crew, tmp_path / "log", partial(_open, tmp_path / "logged.db"))
    chosen = list(_spread(points, is_long))
    killed = 0
    for number, point in enumerate(chosen):
        path = tmp_path / f"{number}.db"
        killed += run_killed_at(crew, point, partial(_open, path))
        _make_base(path)
        assert [goal[0] for goal in _state(path)] == ["first", "second"], point
    assert killed >= len(chosen) * 0.9

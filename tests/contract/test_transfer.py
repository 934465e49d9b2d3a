"""Exports and imports carry whole histories, and refuse what was altered."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

import telic
from telic.domain.events import EventKind
from telic.domain.history import HistoryBuilder
from telic.domain.ids import new_goal_id
from telic.services.transfer.histories import Placement, export_lines, import_histories, read_lines
from telic.store.doctor import Level, examine


@pytest.fixture
def lines(location: str) -> list[str]:
    """An export of a store with every kind of event."""
    with telic.connect(location) as store:
        goal = store.create("first ☃ \u202e", token_budget=10, criteria=[telic.Criterion.command(["make", "test"])])
        store.record_turn(goal.id, tokens=20, key="a|b")
        store.resume(goal.id, budget=telic.Budget(tokens=100, cost_microunits=5))
        store.edit(goal.id, text="second")
        store.create("rival", scope="other")
        store.complete(store.create("third").id, note="done")
        store.clear(store.create("fourth").id)
        store.resume(goal.id)
        return list(export_lines(store))


def test_an_export_is_read_back_to_an_equal_database(lines: list[str], tmp_path: Path) -> None:
    """Goals, events, turns and their chains are the same, and healthy."""
    copy = str(tmp_path / "copy.db")
    with telic.connect(copy) as store:
        report = import_histories(store, read_lines(lines))
        assert report.placements == {Placement.ADDED: len(lines)}
        assert list(export_lines(store)) == lines
    assert all(finding.level is not Level.PROBLEM for finding in examine(copy))


def test_an_export_crosses_databases(lines: list[str], new_postgres_database: Callable[[], str]) -> None:
    """What SQLite wrote PostgreSQL reads, and the other way round."""
    copy = new_postgres_database()
    with telic.connect(copy) as store:
        import_histories(store, read_lines(lines))
        assert list(export_lines(store)) == lines
    assert all(finding.level is not Level.PROBLEM for finding in examine(copy))


def test_a_repeated_import_adds_nothing(lines: list[str], tmp_path: Path) -> None:
    """Goals that are there, also when they have gone on since, are left alone."""
    with telic.connect(tmp_path / "copy.db") as store:
        import_histories(store, read_lines(lines))
        active = store.active("other")
        assert active is not None
        store.pause(active.id)
        store.record_turn(active.id, tokens=1)
        before = list(export_lines(store))
        report = import_histories(store, read_lines(lines))
        assert report.placements == {Placement.ALREADY_THERE: len(lines)}
        assert list(export_lines(store)) == before


def test_an_imported_active_goal_does_not_take_the_slot(lines: list[str], tmp_path: Path) -> None:
    """Where the scope has an active goal, the imported one is added paused, and its history says so."""
    with telic.connect(tmp_path / "copy.db") as store:
        active = store.create("mine", scope="other")
        report = import_histories(store, read_lines(lines))
        assert report.placements[Placement.PAUSED] == 1
        assert store.active("other") == active
        (added,) = (goal for goal in store.list(scope="other").goals if goal.id != active.id)
        assert (added.status, added.reason) == (telic.GoalStatus.PAUSED, telic.Reason.SUPERSEDED)
        assert store.events(added.id)[-1].data == {"reason": "superseded", "by": active.id}
        again = import_histories(store, read_lines(lines))
        assert again.placements == {Placement.ALREADY_THERE: len(lines)}


def test_another_goal_with_the_same_key_is_not_overwritten(tmp_path: Path) -> None:
    """A history whose id or creation key belongs to another goal is refused and named."""
    with telic.connect(tmp_path / "goals.db") as store:
        mine = store.create("mine", key="k")
        builder = HistoryBuilder(new_goal_id(mine.created_at))
        budget = telic.Budget().as_dict()
        data = {"text": "theirs", "scope": "default", "criteria": [], "budget": budget}
        builder.add_event(EventKind.CREATED, mine.created_at, data, key="k")
        theirs = builder.finish()
        report = import_histories(store, [theirs])
        assert (report.placements, report.refused_ids) == ({Placement.DIFFERENT: 1}, [theirs.goal.id])
        assert store.list().goals == (mine,)


@pytest.mark.parametrize(
    "alter",
    [
        lambda data: data["events"][0]["data"].update(text="other"),
        lambda data: data["goal"].update(text="other"),
        lambda data: data["goal"]["usage"].update(tokens=1),
        lambda data: data["events"].pop(),
        lambda data: data["events"].clear(),
        lambda data: data["turns"].clear(),
        lambda data: data["turns"][0]["usage"].update(tokens=-1),
        lambda data: data["turns"][0].update(at="yesterday"),
        lambda data: data.update(telic=2),
        lambda data: data.pop("goal"),
        lambda data: data["events"][1].update(kind="exploded"),
    ],
)
def test_an_altered_line_is_refused(lines: list[str], tmp_path: Path, alter: Callable[[dict], object]) -> None:
    """The line is named, and nothing of it is written."""
    data = json.loads(lines[0])
    alter(data)
    with telic.connect(tmp_path / "copy.db") as store:
        with pytest.raises(telic.errors.StoreCorrupt, match="line 1"):
            import_histories(store, read_lines([json.dumps(data)]))
        assert store.list().goals == ()


@pytest.mark.parametrize("line", ["{", "[]", "null", "7", '"x"', "[" * 100_000])
def test_what_is_no_line_of_an_export_is_refused(tmp_path: Path, line: str) -> None:
    """Any JSON, or none, gives the typed error."""
    with telic.connect(tmp_path / "copy.db") as store, pytest.raises(telic.errors.StoreCorrupt, match="line 1"):
        import_histories(store, read_lines([line]))

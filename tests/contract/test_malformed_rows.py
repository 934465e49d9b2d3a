"""What cannot be understood is an error that names the row: never a default, never «nothing there»."""

import pytest

import telic
from tests.support.raw import drop_checks, execute


def stored_goal(location: str) -> telic.Goal:
    with telic.connect(location) as store:
        goal = store.create("a goal", token_budget=100)
        return store.record_turn(goal.id, tokens=5).goal


@pytest.mark.parametrize(
    "change",
    [
        "status = 'running'",
        "reason = 'because'",
        "status = 'paused', reason = 'verified'",
        "reason = 'user'",
        "tokens_used = -1",
        "turns_used = 9007199254740992",
        "token_budget = -5",
        "token_budget = 0",
        "turn_budget = 9007199254740992",
        "revision = 0",
        "criteria = 'not json'",
        'criteria = \'[{"kind": "oracle"}]\'',
        "ended_at = 5",
        "created_at = -5",
    ],
)
def test_a_goal_that_cannot_be_understood_is_named(location: str, change: str) -> None:
    """Unknown status, reason or criterion, and bad numbers, are errors on every way to the row."""
    goal = stored_goal(location)
    drop_checks(location, "goals")
    execute(location, f"UPDATE goals SET {change}")
    with telic.connect(location) as store:
        for read in (lambda: store.get(goal.id), lambda: store.find(goal.id[:13]), lambda: store.list()):
            with pytest.raises(telic.errors.StoreCorrupt, match=goal.id):
                read()


@pytest.mark.parametrize(
    ("table", "change"),
    [
        ("events", "kind = 'exploded'"),
        ("events", "actor = 'ghost'"),
        ("events", "data = 'not json'"),
        ("events", "data = '[]'"),
        ("turns", "tokens = -1"),
        ("turns", "cost_microunits = 9007199254740993"),
    ],
)
def test_a_line_of_history_that_cannot_be_understood_is_named(location: str, table: str, change: str) -> None:
    """Events and turns are read as strictly as goals."""
    goal = stored_goal(location)
    drop_checks(location, table)
    execute(location, f"UPDATE {table} SET {change}")
    with telic.connect(location) as store, pytest.raises(telic.errors.StoreCorrupt, match=f"1 of goal '{goal.id}'"):
        getattr(store, table)(goal.id)


def test_a_database_error_is_never_shown_as_nothing_there(location: str) -> None:
    """With its tables gone, the store raises on every read instead of answering with emptiness."""
    goal = stored_goal(location)
    with telic.connect(location) as store:
        for table in ("events", "turns", "goals"):
            cascade = " CASCADE" if location.startswith("postgresql") else ""
            execute(location, f"DROP TABLE {table}{cascade}")
        for read in (
            lambda: store.get(goal.id),
            lambda: store.find(goal.id),
            store.active,
            store.list,
            lambda: store.events(goal.id),
            lambda: store.turns(goal.id),
            lambda: store.record_turn(goal.id, tokens=1),
            lambda: store.pause(goal.id),
            lambda: store.create("x"),
        ):
            with pytest.raises(telic.StoreError):
                read()


def test_a_newer_schema_is_refused(location: str) -> None:
    """A database that a newer Telic has migrated is not touched."""
    stored_goal(location)
    execute(location, "INSERT INTO schema_version VALUES (1000)")
    with pytest.raises(telic.errors.SchemaMismatch, match="1000"):
        telic.connect(location)


def test_a_foreign_table_is_not_mistaken_for_a_store(location: str) -> None:
    """A database with another program's goals is refused and left as it was."""
    if location.startswith("postgresql"):
        execute(location, "DROP TABLE events, turns, goals, schema_version CASCADE", "DROP FUNCTION telic_digest")
    execute(location, "CREATE TABLE goals (id INTEGER)")
    with pytest.raises(telic.errors.SchemaMismatch):
        telic.connect(location)
    assert execute(location, "SELECT * FROM goals") == []

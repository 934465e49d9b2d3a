"""A database of the first schema, as its release wrote it, brought to the newest."""

import json
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import apsw
import psycopg
import pytest

import telic
from telic import GoalStatus
from telic.storage.statements import load_migrations
from telic.store.doctor import Level, examine
from tests.crash.support import Crew, history_of
from tests.sharing.support import all_events
from tests.support.raw import execute

RECORDED: dict[str, Any] = json.loads((Path(__file__).parents[1] / "support" / "schema_1.json").read_text())
"""Rows that the release with the first schema wrote: every kind of event, status and counter that it had."""


RENAMED = {"updated_at": "changed_at"}


@pytest.fixture
def old(location: str) -> str:
    """The place of a database of the first schema."""
    place = _empty(location)
    dialect, versions = ("postgres", "BIGINT PRIMARY KEY") if "://" in place else ("sqlite", "INTEGER PRIMARY KEY")
    _run(place, f"CREATE TABLE schema_version (version {versions}){' STRICT' if dialect == 'sqlite' else ''}")
    _run(place, load_migrations(dialect)[0].script, "INSERT INTO schema_version VALUES (1)")
    for table, recorded in RECORDED.items():
        _insert(place, table, ", ".join(recorded["columns"]), recorded["rows"])
    return place


def rows_of(place: str) -> dict[str, list[list[Any]]]:
    """What the tables hold in the first schema's columns, in the order in which it was recorded."""
    is_first = execute(place, "SELECT max(version) FROM schema_version") == [(1,)]
    names: dict[str, str] = {} if is_first else RENAMED
    return {
        table: [
            list(row)
            for row in execute(
                place,
                f"SELECT {', '.join(names.get(name, name) for name in recorded['columns'])} FROM {table} ORDER BY 1, 2",
            )
        ]
        for table, recorded in RECORDED.items()
    }


def is_untouched(place: str) -> bool:
    """Whether the database holds what was recorded."""
    return rows_of(place) == {table: sorted(recorded["rows"]) for table, recorded in RECORDED.items()}


def _empty(location: str) -> str:
    """A place with nothing in it."""
    if "://" not in location:
        Path(location).touch(mode=0o600)
        return location
    name = f"{urlsplit(location).path[1:]}_old"
    with psycopg.connect(location, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name} TEMPLATE template0".encode())
    return urlunsplit(urlsplit(location)._replace(path=f"/{name}"))


def _run(place: str, *scripts: str) -> None:
    for script in scripts:
        if "://" in place:
            with psycopg.connect(place, autocommit=True) as connection:
                connection.execute(script.encode())
        else:
            file = apsw.Connection(place)
            file.execute(script)
            file.close()


def _insert(place: str, table: str, columns: str, rows: list[list[Any]]) -> None:
    width = len(columns.split(","))
    if "://" not in place:
        file = apsw.Connection(place)
        file.executemany(f"INSERT INTO {table} ({columns}) VALUES ({', '.join('?' * width)})", rows)
        file.close()
        return
    with psycopg.connect(place) as connection, connection.cursor() as cursor:
        marks = ", ".join(["%s"] * width)
        identity = "OVERRIDING SYSTEM VALUE" if "sequence" in columns else ""
        cursor.executemany(f"INSERT INTO {table} ({columns}) {identity} VALUES ({marks})".encode(), rows)
        if identity:
            cursor.execute(
                f"SELECT setval(pg_get_serial_sequence('{table}', 'sequence'), max(sequence)) FROM {table}".encode()
            )


def test_a_database_of_the_first_schema_is_brought_to_the_newest(old: str) -> None:
    """Nothing of it is lost or changed; it has all that a new one has; the doctor finds it in order."""
    with telic.connect(old) as store:
        assert is_untouched(old)
        goals = store.list().goals
        for goal in goals:
            history_of(store, goal.id)
        assert {goal.billing for goal in goals} == {telic.BillingPolicy.INPUT_AND_OUTPUT}
        feed = store.events(limit=1000)
        assert sorted((item.event.goal_id, item.event.number) for item in feed) == sorted(all_events(store))
        active = next(goal for goal in goals if goal.status is GoalStatus.ACTIVE)
        lease = store.claim(active.id, worker="worker")
        hold = store.hold(active.id, tokens=5, lease=lease)
        store.record_turn(active.id, tokens=5, hold=hold.key, lease=lease)
        assert list(store.events(after=feed.cursor)) == []
        store.pause(active.id, reason=telic.Reason.WAITING, wake_signal="ci")
        assert [goal.id for goal in store.signal("ci")] == [active.id]
        assert [item.event.number for item in store.events(after=feed.cursor)] == [2, 3]
    # The tests' own server does not sync, and the file was put there: the doctor rightly reports both.
    expected = ("server durability", "origin")
    wrong = [each for each in examine(old) if each.level is not Level.OK and each.check not in expected]
    assert wrong == []


def test_its_schema_is_a_fresh_ones(old: str, location: str) -> None:
    """Tables, columns, constraints, indexes, functions and triggers are the same."""
    telic.connect(old).close()
    fresh = location if "://" in location else f"{location}-fresh"
    telic.connect(fresh).close()
    assert _schema(old) == _schema(fresh)


SCHEMA_OF_POSTGRES = """
SELECT 'column', table_name, column_name, data_type || coalesce(collation_name, '') || is_nullable
    || coalesce(column_default, '') || coalesce(identity_generation, '')
FROM information_schema.columns WHERE table_schema = 'public'
UNION ALL SELECT 'index', tablename, indexname, indexdef FROM pg_indexes WHERE schemaname = 'public'
UNION ALL SELECT 'constraint', conrelid::regclass::text, conname, pg_get_constraintdef(oid) FROM pg_constraint
    WHERE connamespace = 'public'::regnamespace
UNION ALL SELECT 'function', '', proname, pg_get_functiondef(oid) FROM pg_proc
    WHERE pronamespace = 'public'::regnamespace
UNION ALL SELECT 'trigger', tgrelid::regclass::text, tgname, pg_get_triggerdef(oid) FROM pg_trigger
    WHERE NOT tgisinternal
UNION ALL SELECT 'view', '', viewname, definition FROM pg_views WHERE schemaname = 'public'
UNION ALL SELECT 'version', '', version::text, '' FROM schema_version
ORDER BY 1, 2, 3
"""


def _schema(place: str) -> list[Any]:
    if "://" in place:
        return execute(place, SCHEMA_OF_POSTGRES)
    return execute(place, "SELECT type, tbl_name, name, sql FROM sqlite_schema ORDER BY 1, 2, 3") + execute(
        place, "SELECT version FROM schema_version"
    )


def _open(place: str) -> int:
    with telic.connect(place, timeout_seconds=60) as store:
        return len(store.list(limit=100).goals)


def test_many_that_open_it_at_once_bring_it_there_once(old: str, crew: Crew) -> None:
    """8 processes find the old schema at the same moment."""
    assert crew.race(_open, [(old,)] * 8) == [7] * 8
    _require_newest(old)


def _require_newest(place: str) -> None:
    telic.connect(place).close()
    assert _versions(place) == NEWEST
    assert is_untouched(place)


NEWEST = [(migration.version,) for migration in load_migrations("sqlite")]

STOPS = {
    "at its first step": ("CREATE TABLE store_identity (id TEXT)", "DROP TABLE store_identity"),
    "in the middle": ("CREATE INDEX goals_waking ON turns (key)", "DROP INDEX goals_waking"),
    "near its end": ("CREATE INDEX holds_open ON turns (key)", "DROP INDEX holds_open"),
}


@pytest.mark.parametrize("stop", STOPS)
def test_a_migration_that_fails_changes_nothing(old: str, stop: str) -> None:
    """Something is in its way: the schema stays the first, and once that is gone it is brought to the newest."""
    obstacle, removal = STOPS[stop]
    _run(old, obstacle)
    before = _schema(old)
    with pytest.raises(telic.StoreError):
        telic.connect(old)
    assert _schema(old) == before
    assert is_untouched(old)
    _run(old, removal)
    _require_newest(old)


@pytest.mark.parametrize("milliseconds", [0, 2, 5, 9])
def test_a_migration_that_is_killed_is_done_or_not_begun(old: str, crew: Crew, milliseconds: int) -> None:
    """Whenever its process dies, what is left is the first schema or the newest, and opening it once more works."""
    worker = crew.start(_open, old)
    time.sleep(milliseconds / 1000)
    worker.kill()
    assert _versions(old) in ([(1,)], NEWEST)
    assert _has_holds(old) is (_versions(old) == NEWEST)
    _require_newest(old)


def _versions(place: str) -> list[Any]:
    return execute(place, "SELECT version FROM schema_version ORDER BY 1")


def _has_holds(place: str) -> bool:
    return any("holds" in line for line in _schema(place))

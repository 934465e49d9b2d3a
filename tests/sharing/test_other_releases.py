"""A process of one release that has the store open while another release migrates it."""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import apsw
import psycopg
import pytest

import telic
from telic.storage.statements import SQL_FOLDER, load_migrations, newest_version
from tests.crash.support import COLOURS, opened
from tests.support.raw import execute

SUPPORT = Path(__file__).parents[1] / "support"
RELEASED: dict[str, str] = json.loads((SUPPORT / "migration_hashes.json").read_text())
FORMER_WRITES: dict[str, dict[str, str]] = json.loads((SUPPORT / "schema_3_writes.json").read_text())
"""The writing statements of the release before the first that looks at the schema's version when it writes."""


def test_migrations_that_others_have_are_never_changed() -> None:
    """A database that an earlier release made equals a fresh one only while they stay as they were.

    A new migration is added to the table of hashes; whatever else would change in it is a fault.
    """
    files = sorted((SQL_FOLDER / "migrations").rglob("*.sql"))
    found = {f"{file.parent.name}/{file.name}": hashlib.sha256(file.read_bytes()).hexdigest() for file in files}
    assert found == RELEASED


def _migrate_as_a_later_release(location: str) -> None:
    later = newest_version("sqlite") + 1
    if "://" in location:
        execute(
            location,
            f"DROP VIEW telic_schema_{later - 1}",
            f"CREATE VIEW telic_schema_{later} AS SELECT 1 AS current",
            f"INSERT INTO schema_version VALUES ({later})",
        )
    else:
        execute(location, "CREATE TABLE of_a_later_release (x)", f"INSERT INTO schema_version VALUES ({later})")


def _writes(store: Any, goal: telic.Goal, other: telic.Goal, lease: telic.Lease) -> dict[str, Callable[[], Any]]:
    return {
        "create": lambda: store.create("new", scope="new"),
        "record_turn": lambda: store.record_turn(goal.id, tokens=1),
        "hold": lambda: store.hold(goal.id, tokens=1),
        "release": lambda: store.release(goal.id, "h"),
        "pause": lambda: store.pause(goal.id),
        "resume": lambda: store.resume(other.id),
        "edit": lambda: store.edit(goal.id, text="changed"),
        "set_budget": lambda: store.set_budget(goal.id, telic.Budget(tokens=5)),
        "complete": lambda: store.complete(goal.id),
        "signal": lambda: store.signal("ci"),
        "claim": lambda: store.claim(goal.id, worker="worker"),
        "claim_due": lambda: store.claim_due(worker="another"),
        "renew": lambda: store.renew(lease),
        "release_lease": lambda: store.release_lease(lease),
    }


@pytest.mark.parametrize("colour", COLOURS)
async def test_a_process_whose_schema_is_no_longer_there_writes_nothing(location: str, colour: str) -> None:
    """Each write is refused by name, and is not worth a retry; nothing has changed."""
    async with opened(location, colour) as store:
        goal = await store.create("goal", scope="a")
        await store.hold(goal.id, tokens=1, key="h")
        waiting = await store.create("waits", scope="b")
        other = await store.pause(waiting.id, reason=telic.Reason.WAITING, wake_signal="ci")
        lease = await store.claim(goal.id, worker="worker")
        _migrate_as_a_later_release(location)
        tables = ("goals", "turns", "events", "holds")
        before = [execute(location, f"SELECT * FROM {table}") for table in tables]
        for name, write in _writes(store, goal, other, lease).items():
            with pytest.raises(telic.errors.SchemaMismatch) as refusal:
                await write()
            assert not refusal.value.retryable, name
        assert [execute(location, f"SELECT * FROM {table}") for table in tables] == before


@pytest.mark.parametrize("colour", COLOURS)
async def test_an_operators_own_index_stops_nobody(location: str, colour: str) -> None:
    """The database has another schema then, but Telic's is the same."""
    async with opened(location, colour) as store:
        goal = await store.create("goal")
        execute(location, "CREATE INDEX operators_own ON turns (model)")
        for tokens in (1, 2):
            await store.record_turn(goal.id, tokens=tokens)
        assert (await store.get(goal.id)).tokens_used == 3


@pytest.mark.parametrize("name", FORMER_WRITES["sqlite"])
def test_no_write_of_the_former_release_is_accepted(location: str, name: str) -> None:
    """It does not look at the version; its first step names a column that has another name now."""
    telic.connect(location).close()
    if "://" in location:
        with psycopg.connect(location) as connection, pytest.raises(psycopg.errors.UndefinedColumn):
            connection.execute(f"PREPARE former AS {FORMER_WRITES['postgres'][name]}".encode())
        return
    connection = apsw.Connection(location)
    for function, width in (("telic_digest", 1), ("telic_now", 0)):
        connection.create_scalar_function(function, lambda *_: None, width)
    first = FORMER_WRITES["sqlite"][name].split(";")[0]
    with pytest.raises(apsw.SQLError, match=r"no such column|has no column named"):
        connection.execute(f"EXPLAIN {first}", [None] * 40)
    connection.close()


def test_a_change_that_an_index_always_refuses_is_not_worth_a_retry(location: str) -> None:
    """A damaged goal makes its next line collide: that is told as damage, not as a busy store."""
    with telic.connect(location, timeout_seconds=60) as store:
        goal = store.create("damaged")
        store.record_turn(goal.id, tokens=1)
        execute(location, "UPDATE goals SET ledger_count = 0")
        with pytest.raises(telic.errors.StoreCorrupt) as refusal:
            store.record_turn(goal.id, tokens=1)
        assert not refusal.value.retryable


def test_every_dialect_has_the_same_versions() -> None:
    """One number says what both databases have."""
    versions = [[migration.version for migration in load_migrations(dialect)] for dialect in ("sqlite", "postgres")]
    assert versions[0] == versions[1] == list(range(1, len(versions[0]) + 1))

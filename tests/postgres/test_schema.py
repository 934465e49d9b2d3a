"""What a store finds in a database when it is opened."""

import asyncio
from collections.abc import Iterator
from urllib.parse import urlsplit, urlunsplit

import psycopg
import pytest

import telic
from telic.storage.drivers.postgres_schema import MIGRATION_LOCK
from tests.postgres.faces import OpenStore


@pytest.fixture
def empty(database: str) -> Iterator[str]:
    """The URL of a database without a table."""
    name = f"{urlsplit(database).path[1:]}_empty"
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name} TEMPLATE template0".encode())
        yield urlunsplit(urlsplit(database)._replace(path=f"/{name}"))
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())


def tables(url: str) -> list[str]:
    with psycopg.connect(url) as connection:
        rows = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY 1").fetchall()
    return [name for (name,) in rows]


async def test_a_newer_schema_is_refused_and_left_alone(open_store: OpenStore, own_database: str) -> None:
    """A database that a later release has migrated is not written to by this one."""
    with psycopg.connect(own_database) as connection:
        connection.execute("INSERT INTO schema_version SELECT max(version) + 1 FROM schema_version")
    before = tables(own_database)
    with pytest.raises(telic.errors.SchemaMismatch):
        async with open_store(own_database):
            pass
    assert tables(own_database) == before


async def test_a_foreign_table_of_the_same_name_is_refused_and_left_alone(open_store: OpenStore, empty: str) -> None:
    """Another application's goals are not taken for Telic's; nothing is made beside them."""
    with psycopg.connect(empty) as connection:
        connection.execute("CREATE TABLE goals (id INT)")
    with pytest.raises(telic.errors.SchemaMismatch):
        async with open_store(empty):
            pass
    assert tables(empty) == ["goals"]


async def test_an_empty_database_is_not_filled_unasked(open_store: OpenStore, empty: str) -> None:
    """With create off, a database without Telic's tables is an error and stays empty."""
    with pytest.raises(telic.errors.StoreMisconfigured):
        async with open_store(empty, create=False):
            pass
    assert tables(empty) == []
    async with open_store(empty) as store:
        goal = await store.create("made now")
    async with open_store(empty, create=False) as store:
        assert await store.active() == goal


async def test_many_stores_opened_at_once_make_one_schema(open_store: OpenStore, empty: str) -> None:
    """Eight that find the database empty at the same moment all succeed; the migrations ran once."""

    async def use(number: int) -> telic.Goal:
        async with open_store(empty) as store:
            goal: telic.Goal = await store.create(f"goal {number}", scope=f"scope-{number}")
            return goal

    goals = await asyncio.gather(*map(use, range(8)))
    async with open_store(empty) as store:
        assert {goal.id for goal in (await store.list()).goals} == {goal.id for goal in goals}
    with psycopg.connect(empty) as connection:
        versions = connection.execute("SELECT version FROM schema_version ORDER BY version").fetchall()
    assert versions == [(number + 1,) for number in range(len(versions))]


@pytest.mark.parametrize(("held_seconds", "is_opened"), [(2.0, True), (6.0, False)])
async def test_opening_waits_for_another_that_migrates(
    open_store: OpenStore, empty: str, held_seconds: float, is_opened: bool
) -> None:
    """It waits as long as any call may, though a locked goal is given up sooner; then it says that it may retry."""

    async def create() -> telic.Goal:
        async with open_store(empty, timeout_seconds=4) as store:
            goal: telic.Goal = await store.create("after the others")
            return goal

    with psycopg.connect(empty) as other:
        other.execute("SELECT pg_advisory_xact_lock(%s)", (MIGRATION_LOCK,))
        creating = asyncio.create_task(create())
        await asyncio.sleep(held_seconds)
        other.rollback()
    if is_opened:
        assert (await creating).text == "after the others"
    else:
        with pytest.raises(telic.errors.StoreBusy):
            await creating


async def test_tables_that_vanish_are_a_schema_mismatch(open_store: OpenStore, own_database: str) -> None:
    """A store whose tables somebody dropped says so with a type, and makes nothing up."""
    async with open_store(own_database) as store:
        goal = await store.create("soon gone")
        with psycopg.connect(own_database) as connection:
            connection.execute("DROP TABLE events, turns, goals CASCADE")
        for call in (
            lambda: store.get(goal.id),
            lambda: store.record_turn(goal.id, tokens=1),
            lambda: store.edit(goal.id, text="no"),
        ):
            with pytest.raises(telic.errors.SchemaMismatch):
                await call()

"""A database that is set back to an earlier state: an older copy restored, or a failover that lost writes."""

import time
from typing import Any

import pytest

import telic
from telic.errors import InvalidCursor
from tests.crash.support import COLOURS, opened
from tests.support.raw import execute

KEPT = 3


async def _write(store: Any, count: int, prefix: str) -> list[str]:
    return [(await store.create(f"{prefix} {number}", scope=f"{prefix} {number}")).id for number in range(count)]


def _set_back(location: str) -> None:
    """The events after the first few, and their goals, never were; their numbers are given out again."""
    lost = f"SELECT goal_id FROM events WHERE sequence > {KEPT}"
    statements = [f"DELETE FROM goals WHERE id IN ({lost})", f"DELETE FROM events WHERE sequence > {KEPT}"]
    if "://" in location:
        statements.append(f"SELECT setval(pg_get_serial_sequence('events', 'sequence'), {KEPT})")
    execute(location, *statements)


@pytest.mark.parametrize("colour", COLOURS)
@pytest.mark.parametrize("written_since", [0, 1, 4, 5, 9], ids=lambda count: f"{count} written since")
async def test_a_cursor_from_before_is_refused_whatever_was_written_since(
    location: str, colour: str, written_since: int
) -> None:
    """Also where as many events as were lost, or more, have taken their numbers."""
    async with opened(location, colour) as store:
        await _write(store, KEPT, "kept")
        kept = await store.cursor()
        await _write(store, 5, "lost")
        whole = await store.events()
        half_read = await store.events(limit=5)
        _set_back(location)
        new = await _write(store, written_since, "new")
        for cursor in (whole.cursor, half_read.cursor, half_read.events[0].cursor):
            with pytest.raises(InvalidCursor):
                await store.events(after=cursor)
        assert [item.event.goal_id for item in await store.events(after=kept)] == new


async def test_a_watcher_is_told_that_its_database_was_set_back(location: str) -> None:
    """It ends with the error, in either colour."""
    with telic.connect(location) as store:
        for number in range(KEPT + 2):
            store.create("goal", scope=str(number))
        cursor = store.cursor()
        _set_back(location)
        store.create("goal", scope="new")
        with pytest.raises(InvalidCursor):
            next(store.watch(after=cursor, idle_seconds=60))
    async with telic.connect_async(location) as awaited:
        watched = awaited.watch(after=cursor, idle_seconds=60)
        with pytest.raises(InvalidCursor):
            await anext(watched)


async def test_a_cursor_of_the_former_release_is_taken(location: str) -> None:
    """It says nothing of the event at its position; the next one does."""
    async with opened(location, "blocking") as store:
        await _write(store, 1, "first")
        cursor = await store.cursor()
        (new,) = await _write(store, 1, "second")
        page = await store.events(after=cursor.replace(f"@{cursor.rpartition('@')[2][:16]}", ""))
        assert [item.event.goal_id for item in page] == [new]
        assert "@" in page.cursor


@pytest.mark.parametrize("colour", COLOURS)
async def test_a_restored_copy_grants_no_token_again(location: str, colour: str) -> None:
    """Tokens follow the database's clock, so what was granted after the copy was made is below what comes now."""
    async with opened(location, colour) as store:
        (goal_id,) = await _write(store, 1, "leased")
        before = (await store.claim(goal_id, worker="worker")).token
        lost = [(await store.claim(goal_id, worker="worker")).token for _ in range(5)]
        execute(location, f"UPDATE goals SET lease_token = {before}")
        token = (await store.claim(goal_id, worker="worker")).token
        assert before < lost[0] < lost[-1] < token < 2**53
        assert abs(token / 1_000_000 - time.time()) < 86_400


def test_a_clock_that_was_set_back_grants_higher_tokens_still(location: str) -> None:
    """The larger of the former token and the clock counts."""
    far_ahead = 2**52
    with telic.connect(location) as store:
        goal = store.create("leased")
        execute(location, f"UPDATE goals SET lease_token = {far_ahead}")
        assert store.claim(goal.id, worker="worker").token == far_ahead + 1
        (due,) = store.claim_due(worker="worker") or [store.claim(goal.id, worker="worker")]
        assert due.token == far_ahead + 2

"""The feed of a server that crashed: it may give a transaction's number a second time."""

from collections.abc import Iterator

import psycopg
import pytest

import telic
from telic.domain.events import parse_cursor
from tests.support.postgres_server import PostgresServer, running_server

FORGOTTEN = 20


@pytest.fixture
def server() -> Iterator[PostgresServer]:
    """A server that takes its time to write down what nobody waits for, as a busy one may."""
    with running_server({"wal_writer_delay": "10s"}) as started:
        yield started


def _roll_back_some(url: str) -> None:
    """Transactions end whose numbers a crash makes the server forget."""
    with psycopg.connect(url) as connection:
        for _ in range(FORGOTTEN):
            connection.execute("UPDATE goals SET changed_at = changed_at")
            connection.rollback()


def _numbers_given_twice(url: str, goal_id: str, before: int) -> int:
    """How many events of the goal have a transaction's number that was given before."""
    with psycopg.connect(url) as connection:
        row = connection.execute(
            "SELECT count(*) FROM events WHERE goal_id = %s AND transaction_id::text::bigint < %s", (goal_id, before)
        ).fetchone()
    assert row is not None
    return int(row[0])


@pytest.mark.parametrize("is_half_read", [False, True], ids=["between pages", "within a page"])
def test_what_takes_a_forgotten_number_after_a_crash_is_not_missed(server: PostgresServer, is_half_read: bool) -> None:
    """Each event reaches a reader once that had looked shortly before the crash."""
    url = server.url()
    with telic.connect(url) as store:
        goals = [store.create(f"goal {number}", scope=f"scope {number}") for number in range(3)]
        start = store.cursor()
        for goal in goals:
            store.pause(goal.id)
        _roll_back_some(url)
        page = store.events(after=start, limit=2 if is_half_read else 100)
    seen = [item.event.goal_id for item in page]
    position = parse_cursor(page.cursor)
    snapshot = (position.until if is_half_read else position.before).snapshot
    server.kill_and_start()
    with telic.connect(url) as store:
        late = store.create("after the crash", scope="late")
        store.pause(late.id)
        assert _numbers_given_twice(url, late.id, int(snapshot.split(":")[1])) > 0, "the crash forgot nothing"
        while page := store.events(after=page.cursor, limit=2):
            seen += [item.event.goal_id for item in page]
    assert seen == [*(goal.id for goal in goals), late.id, late.id]

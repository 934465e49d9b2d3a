"""The feed on PostgreSQL, whose sequence numbers commit out of order."""

from collections.abc import Iterator

import psycopg
import pytest

import telic
from telic import GoalStatus
from telic.domain.events import Cursor, Position, parse_cursor
from telic.errors import InvalidCursor
from tests.sharing.support import OpenTransaction, all_events, open_transaction
from tests.support.raw import execute

PAUSED, ACTIVE = GoalStatus.PAUSED, GoalStatus.ACTIVE


@pytest.fixture
def store(database: str) -> Iterator[telic.GoalStore]:
    with telic.connect(database) as opened:
        yield opened


@pytest.fixture
def goals(store: telic.GoalStore) -> list[str]:
    """The ids of goals in scopes of their own."""
    return [store.create(f"goal {number}", scope=f"scope {number}").id for number in range(5)]


@pytest.fixture
def other(database: str, goals: list[str]) -> Iterator[OpenTransaction]:
    with open_transaction(database) as opened:
        yield opened


def _goals_of(page: telic.types.EventPage) -> list[str]:
    return [item.event.goal_id for item in page]


def test_an_event_that_commits_late_is_not_missed(
    store: telic.GoalStore, goals: list[str], other: OpenTransaction
) -> None:
    """Events with higher numbers that commit first are seen first, and once; the late one comes after."""
    start = store.cursor()
    other.move(goals[0], PAUSED)
    store.pause(goals[1])
    first = store.events(after=start)
    assert _goals_of(first) == [goals[1]]
    store.pause(goals[2])
    second = store.events(after=first.cursor)
    assert _goals_of(second) == [goals[2]]
    assert list(store.events(after=second.cursor)) == []
    other.connection.commit()
    third = store.events(after=second.cursor)
    assert _goals_of(third) == [goals[0]]
    assert third[0].event.kind is telic.EventKind.PAUSED
    assert list(store.events(after=third.cursor)) == []
    # A reader that starts over has them all.
    assert len(store.events()) == 5 + 3


@pytest.mark.parametrize("earlier", [0, 1, 2])
def test_a_late_event_does_not_slip_into_a_page_half_read(
    store: telic.GoalStore, goals: list[str], other: OpenTransaction, earlier: int
) -> None:
    """With one event a page, whatever commits between two pages comes after all that was there before, once.

    Its number may be lower than that of what was read, or of what is still to be read.
    """
    start = store.cursor()
    for goal_id in goals[1 : 1 + earlier]:
        store.pause(goal_id)
    other.move(goals[0], PAUSED)
    for goal_id in goals[1 + earlier : 4]:
        store.pause(goal_id)
    first = store.events(after=start, limit=1)
    other.connection.commit()
    store.pause(goals[4])
    seen, cursor = _goals_of(first), first.cursor
    while page := store.events(after=cursor, limit=1):
        seen += _goals_of(page)
        cursor = page.cursor
    assert seen == [*goals[1:4], goals[0], goals[4]]


def test_an_event_that_is_rolled_back_never_comes(
    store: telic.GoalStore, goals: list[str], other: OpenTransaction
) -> None:
    """Its number stays free; later events come all the same."""
    start = store.cursor()
    other.move(goals[0], PAUSED)
    store.pause(goals[1])
    page = store.events(after=start)
    other.connection.rollback()
    store.pause(goals[2])
    assert _goals_of(store.events(after=page.cursor)) == [goals[2]]
    assert _goals_of(store.events(after=start)) == [goals[1], goals[2]]


def test_savepoints_belong_to_their_transaction(
    store: telic.GoalStore, goals: list[str], other: OpenTransaction
) -> None:
    """Events written in subtransactions come when the whole commits; those of one rolled back never do."""
    start = store.cursor()
    other.connection.execute("SELECT 'what follows is nested'")
    with other.connection.transaction():
        other.move(goals[0], PAUSED)
    with other.connection.transaction(force_rollback=True):
        other.move(goals[1], PAUSED)
    with other.connection.transaction(), other.connection.transaction():
        other.move(goals[2], PAUSED)
    store.pause(goals[3])
    page = store.events(after=start)
    assert _goals_of(page) == [goals[3]]
    other.connection.commit()
    assert _goals_of(store.events(after=page.cursor)) == [goals[0], goals[2]]


def test_one_goals_events_come_in_order_across_transactions(
    store: telic.GoalStore, database: str, goals: list[str], other: OpenTransaction
) -> None:
    """A goal's next change waits for the one before to commit, so no snapshot has it without."""
    start = store.cursor()
    other.move(goals[0], PAUSED)
    with open_transaction(database) as unrelated:
        unrelated.move(goals[1], PAUSED)
        assert list(store.events(after=start)) == []
        other.connection.commit()
        store.resume(goals[0])
        page = store.events(after=start)
        assert [(item.event.goal_id, item.event.number) for item in page] == [(goals[0], 2), (goals[0], 3)]
        unrelated.connection.commit()
    assert _goals_of(store.events(after=page.cursor)) == [goals[1]]


def test_a_watcher_gets_what_commits_late(database: str, goals: list[str], store: telic.GoalStore) -> None:
    """It goes on with what is there, and then comes the late one."""
    start = store.cursor()
    with open_transaction(database) as other:
        other.move(goals[0], PAUSED)
        store.pause(goals[1])
        watched = store.watch(after=start)
        assert next(watched).event.goal_id == goals[1]
        other.connection.commit()
        assert next(watched).event.goal_id == goals[0]


def test_a_cursor_names_every_transaction_under_way() -> None:
    """A thousand of them are no more than a busy server has."""
    under_way = ",".join(str(number) for number in range(100_000_000_001, 100_000_001_001))
    snapshot = f"100000000001:100000002000:{under_way}+77"
    position = Position(snapshot, "0123456789abcdef")
    cursor = Cursor("0" * 32, position, position, 5)
    assert parse_cursor(str(cursor)) == cursor


AHEAD = "UPDATE events SET transaction_id = ((pg_current_xact_id()::text::bigint + 1000000)::text)::xid8"


def test_a_database_restored_elsewhere_is_a_new_one(own_database: str) -> None:
    """Its events come first in a new feed, later ones after them; the former server's cursors are refused."""
    with telic.connect(own_database) as store:
        goal = store.create("restored")
        store.pause(goal.id)
        old = store.cursor()
    # As the dump of a server that has counted a million transactions more.
    execute(own_database, AHEAD, "UPDATE store_identity SET place = 'another server'")
    with telic.connect(own_database) as store:
        with pytest.raises(InvalidCursor):
            store.events(after=old)
        whole = store.events()
        assert [item.event.number for item in whole] == [1, 2]
        store.resume(goal.id)
        assert [item.event.number for item in store.events(after=whole.cursor)] == [3]
        new = store.cursor()
    with telic.connect(own_database) as store:
        assert list(store.events(after=new)) == []
        assert len(store.events()) == 3


def test_a_cursor_from_another_server_is_refused_whatever_the_events_say(own_database: str) -> None:
    """A server that had counted further, though no event shows it, would have its readers miss what comes next."""
    with telic.connect(own_database) as store:
        goal = store.create("restored")
        store_id = parse_cursor(store.cursor()).store_id
    far_ahead = str(Cursor(store_id, Position("9000000:9000000:+1")))
    execute(own_database, "UPDATE store_identity SET place = 'another server'")
    with telic.connect(own_database) as store:
        store.pause(goal.id)
        with pytest.raises(InvalidCursor):
            store.events(after=far_ahead)


def test_a_copy_of_a_database_is_a_new_one(own_database: str, postgres_url: str) -> None:
    """Two databases that were one have feeds of their own from then on."""
    with telic.connect(own_database) as store:
        store.create("original")
        cursor = store.cursor()
    copy = f"{own_database}_copy"
    name, copied = (url.rpartition("/")[2] for url in (own_database, copy))
    with psycopg.connect(postgres_url, autocommit=True) as admin:
        admin.execute(f"CREATE DATABASE {copied} TEMPLATE {name}".encode())
    try:
        with telic.connect(copy) as store, pytest.raises(InvalidCursor):
            store.events(after=cursor)
        with telic.connect(own_database) as store:
            assert list(store.events(after=cursor)) == []
            assert all_events(store) == [(item.event.goal_id, item.event.number) for item in store.events()]
    finally:
        with psycopg.connect(postgres_url, autocommit=True) as admin:
            admin.execute(f"DROP DATABASE {copied} WITH (FORCE)".encode())

"""What the processes of these tests do again and again."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import psycopg

import telic
from telic.domain.clock import SystemClock
from telic.storage.operations import transitions
from telic.storage.operations.call import Call
from telic.storage.statements import load_statements, number_parameters, parameter_names
from telic.storage.transaction import Parameters, Row, complete
from telic.store.doctor import goal_ids
from tests.support.raw import execute

PATIENCE_SECONDS = 240.0

T = TypeVar("T")


def eventually(call: Callable[[], T | None], what: str) -> T:
    """The first thing that the call gives; a test failure where it never gives any."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        found = call()
        if found is not None:
            return found
        assert time.monotonic() < deadline, what
        time.sleep(0.005)


def granted(store: telic.GoalStore, goal_id: str, worker: str, ttl_seconds: float = 60) -> telic.Lease:
    """The worker's lease on the goal, as soon as nobody else has it."""

    def attempt() -> telic.Lease | None:
        try:
            return store.claim(goal_id, worker=worker, ttl_seconds=ttl_seconds)
        except telic.errors.LeaseHeld:
            return None

    return eventually(attempt, "the lease never ended")


def expire_lease(location: str, goal_id: str) -> None:
    """The goal's lease has run out, as if its time had passed."""
    execute(location, f"UPDATE goals SET lease_expires_at = 1 WHERE id = '{goal_id}'")


def all_events(store: telic.GoalStore) -> list[tuple[str, int]]:
    """Every goal's events by goal and number, as the goals' own histories have them."""
    return [(goal_id, event.number) for goal_id in goal_ids(store) for event in store.events(goal_id)]


class _PlainTransaction:
    """Runs named statements on a connection that is no store's."""

    def __init__(self, connection: "psycopg.Connection[Any]") -> None:
        self._cursor: Any = psycopg.RawCursor(connection)
        self._statements = load_statements("postgres")

    async def all(self, statement: str, parameters: Parameters) -> list[Row]:
        text = self._statements[statement]
        values = [parameters[name] for name in parameter_names(text)]
        rows: list[Row] = self._cursor.execute(number_parameters(text).encode(), values).fetchall()
        return rows

    async def one_or_none(self, statement: str, parameters: Parameters) -> Row | None:
        rows = await self.all(statement, parameters)
        return rows[0] if rows else None


class OpenTransaction:
    """A transaction of another program that has changed goals of the store, and is not committed."""

    def __init__(self, connection: "psycopg.Connection[Any]") -> None:
        self.connection = connection
        self._transaction = _PlainTransaction(connection)

    def move(self, goal_id: str, to: telic.GoalStatus) -> None:
        """The goal has the status, with an event that says so, as soon as this is committed."""
        call = Call(SystemClock().now(), telic.Actor.USER, f"outside {to}")
        complete(transitions.transition(self._transaction, call, goal_id, to=to, reason=None, note=None))


@contextmanager
def open_transaction(url: str) -> Iterator[OpenTransaction]:
    """Inside, the transaction; it is rolled back unless committed."""
    with psycopg.connect(url) as connection:
        yield OpenTransaction(connection)
        connection.rollback()

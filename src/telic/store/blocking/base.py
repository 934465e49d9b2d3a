# Generated from src/telic/store/asynchronous/base.py: change that, then run `make generate`.

"""The base of every part of the blocking store."""

import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from telic.domain.clock import Clock
from telic.domain.errors import StoreError
from telic.domain.goal import Actor
from telic.domain.lease import Lease
from telic.domain.lifecycle import NamedActor
from telic.observability.observer import Observer
from telic.storage.operations import estimates
from telic.storage.operations.call import Call
from telic.storage.transaction import Changes, Driver, Mode, Operation, Parameters, Row
from telic.store.context import Context

if TYPE_CHECKING:
    from telic.observability.store_calls import CallObserver

T = TypeVar("T")


class StoreBase:
    """A driver, what the host has set, and the one way through which every operation is run."""

    def __init__(self, driver: Driver, context: Context, call_observer: "CallObserver | None" = None) -> None:
        self._driver = driver
        self._context = context
        self._call_observer = call_observer

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self._context.name or 'of a driver'}>"

    def run(self, name: str, operation: Operation[T], mode: Mode, key: str | None = None) -> T:
        """Run the operation in a transaction of its own, and return its result: all that it wrote is committed.

        An observer sees the call under the `name`. `mode` says what the operation needs of its transaction.
        After `OutcomeUnknown(key)`, the same call with the same key is the safe retry.

        Raises:
            GoalError: the operation refused the call, or the store failed; nothing changed.
            OutcomeUnknown: the commit's answer was lost.
        """
        if self._call_observer is None:
            return self._driver.run(operation, mode, key)
        with self._call_observer.operation(name, operation) as call:
            return call.gave(self._driver.run(call.operation, mode, key))

    def read_one(self, name: str, statement: str, parameters: Parameters) -> Row | None:
        """Return the row of a named statement that reads at most one, by the shortest way there is.

        Raises:
            StoreError: the store failed.
        """
        if self._call_observer is None:
            return self._driver.read_one(statement, parameters)
        with self._call_observer.reading(name, parameters) as call:
            return call.gave(self._driver.read_one(statement, parameters))

    def new_call(
        self,
        actor: Actor | NamedActor | str,
        key: str | None = None,
        expected_revision: int | None = None,
        lease: Lease | None = None,
    ) -> Call:
        """Return what a writing operation knows of its call: the time, the actor, a key (new if none is given)."""
        return self._context.call(actor, key, expected_revision, lease)

    def changes(self) -> Changes:
        """Return a new watch over everything that is committed, by whatever process; close it when done."""
        return self._driver.changes()

    @property
    def call_count(self) -> int:
        """The number of calls so far that may have written, made through this store."""
        return self._context.calls

    @property
    def clock(self) -> Clock:
        """The clock that was given to `connect`, else the machine's; `now` is the database's."""
        return self._context.clock

    @property
    def observer(self) -> Observer:
        """The observer that was given to `connect`; without one, an observer that does nothing."""
        return self._context.observer

    @property
    def files(self) -> tuple[Path, ...]:
        """The whole paths of the files that the store has, or may have; none where it is on a server or in memory."""
        return self._context.files

    def _count_expired_of_ended(self, goal_id: str | None) -> None:
        """Record the expired holds of goals that have ended, or of this one if it has, unless the store fails."""
        with suppress(StoreError):
            is_needed = partial(estimates.has_ended_overdue, goal_id=goal_id)
            # An observer sees what is counted, not that somebody looked.
            if self._driver.run(is_needed, Mode.READ, None):
                count = partial(estimates.count_expired_of_ended, at=self.clock.now(), goal_id=goal_id)
                self.run("count_expired_of_ended", count, Mode.ATOMIC)

    def close(self) -> None:
        """The database is released; calls that were already made are finished first. Closing twice does nothing."""
        if self._call_observer is not None:
            in_thread(self._call_observer.close)
        self._driver.close()


def in_thread(work: Callable[[], T]) -> T:
    """Run the blocking work in a thread, and return its result; other threads go on meanwhile."""
    return work()


def let_others_run() -> None:
    """Let other threads go on: reads of SQLite never wait, and many of them would hold up everybody else."""
    time.sleep(0)

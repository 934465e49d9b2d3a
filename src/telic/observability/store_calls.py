"""A store's calls while they are observed: what each wrote is read off its statements' rows, at no further query."""

import threading
from collections import Counter
from collections.abc import Callable, Coroutine, Iterator, Mapping
from functools import partial
from typing import Any, Final, Generic, TypeVar

from telic.domain.budget import TURN_COUNTERS, turns_of
from telic.domain.clock import Instant
from telic.domain.errors import GoalNotFound
from telic.domain.events import EventKind, EventPage, Turn
from telic.domain.goal import Goal, GoalStatus, Reason
from telic.domain.lifecycle import EVENT_OF, STATUS_OF
from telic.observability.observer import EventsReceived, Fact, HoldMoved, Observer, StatusSet, StoreCall, TurnCounted
from telic.storage.operations import feed
from telic.storage.records import goal_from_row, hold_from_row, turn_from_row
from telic.storage.transaction import Driver, Mode, Operation, Parameters, Row, Transaction

T = TypeVar("T")

WATCH: Final = "watch"
"""The call that watchers repeat by themselves."""
# When more has changed than so many thousand events, counting all goals again costs less than reading them.
_MOST_PAGES: Final = 10


class _ObservedCall(StoreCall):
    """A call that keeps its result, from which it tells at its end what it did."""

    __slots__ = ("result",)

    def __init__(self, observer: Observer, name: str, system: str) -> None:
        super().__init__(observer, name, system)
        self.result: object = None

    def gave(self, result: T) -> T:
        """Return the call's result, which is kept until the call ends."""
        self.result = result
        return result


class OperationCall(_ObservedCall, Generic[T]):
    """A call that runs an operation."""

    __slots__ = ("_now", "operation")

    def __init__(self, observed_by: "CallObserver", name: str, operation: Operation[T]) -> None:
        super().__init__(observed_by.observer, name, observed_by.system)
        self._now = observed_by.now
        # What is to be run in the operation's place.
        self.operation = RecordingOperation(operation)

    def complete(self) -> None:
        """Set the facts to what was committed; an error has committed nothing."""
        if self.error is not None:
            self.goal_id = self.operation.goal_id
        else:
            self.goal_id = goal_id_of(self.result)
            writes = self.operation.writes
            facts = [fact for name, parameters, row in writes for fact in _READERS[name](parameters, row)]
            self.facts = [*facts, *self._received()]

    def _received(self) -> list[Fact]:
        page = self.result
        if self.name != WATCH or not isinstance(page, EventPage) or not page.events:
            return []
        oldest = min(each.event.at for each in page.events)
        # Another machine's clock may be ahead of this one's.
        return [EventsReceived(len(page), max(0, self._now() - oldest))]


class ReadingCall(_ObservedCall):
    """A call that reads one goal's row."""

    __slots__ = ("_parameters",)

    def __init__(self, observed_by: "CallObserver", name: str, parameters: Parameters) -> None:
        super().__init__(observed_by.observer, name, observed_by.system)
        self._parameters = parameters

    def complete(self) -> None:
        """Set the goal; a goal that was asked for by its id, and is not there, is an error."""
        goal_id = self._parameters.get("id")
        self.goal_id = goal_id if isinstance(goal_id, str) else None
        if isinstance(self.result, tuple):
            self.goal_id = str(self.result[0])
        elif self.error is None and self.goal_id is not None:
            self.error = GoalNotFound(self.goal_id)


class StatusCounter:
    """See `GoalCounter`; it reads on a connection of its own, and costs what has changed since the last count.

    So it does not matter how many goals there are: they are counted once, then the feed tells which status has changed.
    """

    def __init__(self, opening: Callable[[], Driver]) -> None:
        self._opening = opening
        self._lock = threading.Lock()
        self._driver: Driver | None = None
        self._is_closed = False
        self._counts: Counter[GoalStatus] = Counter()
        self._cursor: str | None = None

    def counts(self) -> Mapping[GoalStatus, int]:
        """See `GoalCounter.counts`."""
        with self._lock:
            if self._is_closed:
                return {}
            if self._driver is None:
                self._driver = self._opening()
            if self._cursor is None or not self._has_caught_up(self._driver, self._cursor):
                self._counts, self._cursor = self._driver.run(feed.status_counts, Mode.READ, None)
            return {status: self._counts[status] for status in GoalStatus}

    @property
    def store_id(self) -> str:
        """See `GoalCounter.store_id`."""
        return (self._cursor or "").partition("/")[0]

    def _has_caught_up(self, driver: Driver, cursor: str) -> bool:
        for _ in range(_MOST_PAGES):
            page = driver.run(partial(feed.status_moves, after=cursor), Mode.READ, None)
            for source, target in page.moves:
                self._counts[target] += 1
                if source is not None:
                    self._counts[source] -= 1
            self._cursor = cursor = page.cursor
            if page.is_last:
                return True
        return False

    def close(self) -> None:
        """Its connection is let go. Idempotent."""
        with self._lock:
            self._is_closed = True
            if self._driver is not None:
                self._driver.close()
                self._driver = None


class CallObserver:
    """Makes the observed calls of one store; a store without an observer has no `CallObserver`."""

    def __init__(
        self, observer: Observer, system: str, now: Callable[[], Instant], counter: StatusCounter | None
    ) -> None:
        self.observer = observer
        self.system = system
        self.now = now
        self._counter = counter
        if counter is not None:
            observer.add_counter(counter)

    def operation(self, name: str, operation: Operation[T]) -> OperationCall[T]:
        """Return a call that runs the operation, to be entered."""
        return OperationCall(self, name, operation)

    def reading(self, name: str, parameters: Parameters) -> ReadingCall:
        """Return a call that reads one row, to be entered."""
        return ReadingCall(self, name, parameters)

    def close(self) -> None:
        """The store's goals are counted no more."""
        if self._counter is not None:
            self.observer.remove_counter(self._counter)
            self._counter.close()


Write = tuple[str, Parameters, Row]
"""A named statement that wrote, what it was given, and the row that it gave."""


class RecordingOperation(Generic[T]):
    """An operation that records what its statements wrote; of several runs, the last run's."""

    __slots__ = ("_operation", "goal_id", "writes")

    def __init__(self, operation: Operation[T]) -> None:
        self._operation = operation
        self.writes: list[Write] = []
        # Which goal it was about first, if any.
        self.goal_id: str | None = None

    def __call__(self, tx: Transaction) -> Coroutine[Any, Any, T]:
        """See `Operation`."""
        # A driver may run an operation again after a conflict: what an earlier run wrote was rolled back.
        self.writes = []
        return self._operation(_RecordingTransaction(tx, self))


class _RecordingTransaction:
    """A transaction that records what is written in it."""

    __slots__ = ("_recording", "_tx", "all")

    def __init__(self, tx: Transaction, recording: RecordingOperation[Any]) -> None:
        self._tx = tx
        self._recording = recording
        # Not recorded: each write that makes a fact gives one row.
        self.all = tx.all

    async def one_or_none(self, statement: str, parameters: Parameters) -> Row | None:
        """See `Transaction.one_or_none`."""
        goal_id = parameters.get("id")
        if self._recording.goal_id is None and isinstance(goal_id, str) and statement != _CREATION:
            self._recording.goal_id = goal_id
        row = await self._tx.one_or_none(statement, parameters)
        if row is not None and statement in _READERS:
            self._recording.writes.append((statement, parameters, row))
        return row


def _created(_: Parameters, row: Row) -> Iterator[Fact]:
    yield StatusSet(goal_from_row(row), EventKind.CREATED)


def _moved(_: Parameters, row: Row) -> Iterator[Fact]:
    goal = goal_from_row(row)
    yield StatusSet(goal, EVENT_OF[goal.status])


def _redefined(parameters: Parameters, row: Row) -> Iterator[Fact]:
    kind = EventKind(str(parameters["kind"]))
    if kind in STATUS_OF:
        yield StatusSet(goal_from_row(row), kind)


def _recorded(parameters: Parameters, row: Row) -> Iterator[Fact]:
    goal, turn = goal_from_row(row[:-_TURN_WIDTH]), turn_from_row(row[-_TURN_WIDTH:-1])
    # A repeated call gets the stored turn, which is older than the call (ADR 18).
    if turn.at < _called_at(parameters):
        return
    yield TurnCounted(goal, turn, has_settled=parameters["hold"] is not None)
    if goal.reason is Reason.BUDGET and _has_exhausted(goal, turn):
        yield StatusSet(goal, EventKind.PAUSED)


# Return whether it was this turn that reached a limit: before it, none was.
def _has_exhausted(goal: Goal, turn: Turn) -> bool:
    added = turn.usage.as_dict() | {"turns": turns_of(turn.kind, turn.usage)}
    used, limits = goal.usage.as_dict(), goal.budget.as_dict()
    return not any(limit is not None and used[name] - added[name] >= limit for name, limit in limits.items())


def _placed(parameters: Parameters, row: Row) -> Iterator[Fact]:
    hold = hold_from_row(row[:-1])
    if hold.placed_at >= _called_at(parameters):
        yield HoldMoved(hold)


def _released(_: Parameters, row: Row) -> Iterator[Fact]:
    yield HoldMoved(hold_from_row(row))


def _called_at(parameters: Parameters) -> int:
    return int(parameters["at"] or 0)


# A goal that is being created has an id, but may never be there.
_CREATION: Final = "goals.create"
# A turn's columns, and whether the goal has expired holds that are to be counted.
_TURN_WIDTH: Final = 10 + len(TURN_COUNTERS)
_READERS: Final[dict[str, Callable[[Parameters, Row], Iterator[Fact]]]] = {
    _CREATION: _created,
    "goals.transition": _moved,
    "goals.resume": _moved,
    "goals.redefine": _redefined,
    "turns.record": _recorded,
    "holds.place": _placed,
    "holds.release": _released,
}


def goal_id_of(result: object) -> str | None:
    """Return the id of the goal that a call's result is about, where it is about one."""
    if isinstance(result, tuple) and result:
        result = result[0]
    if isinstance(result, Goal):
        return result.id
    goal = getattr(result, "goal", None)
    found = goal.id if isinstance(goal, Goal) else getattr(result, "goal_id", None)
    return found if isinstance(found, str) else None

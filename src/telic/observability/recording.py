"""What an operation has written, read off its statements' rows: nothing is asked of the database for it."""

from collections.abc import Callable, Coroutine, Iterator
from typing import Any, Final, Generic, TypeVar

from telic.domain.budget import TURN_COUNTERS, turns_of
from telic.domain.events import EventKind, Turn
from telic.domain.goal import Goal, Reason
from telic.domain.lifecycle import EVENT_OF
from telic.observability.facts import Fact, HoldMoved, StatusSet, TurnCounted
from telic.storage.operations.status_counts import STATUS_OF
from telic.storage.records import goal_from_row, hold_from_row, turn_from_row
from telic.storage.transaction import Operation, Parameters, Row, Transaction

T = TypeVar("T")

Write = tuple[str, Parameters, Row]
"""A named statement that wrote, what it was given, and the row that it gave."""


class RecordingOperation(Generic[T]):
    """An operation that records what its statements wrote; of several runs, the last run's."""

    __slots__ = ("_operation", "goal_id", "writes")

    def __init__(self, operation: Operation[T]) -> None:
        self._operation = operation
        self.writes: list[Write] = []
        self.goal_id: str | None = None
        """Which goal it was about first, if any."""

    def __call__(self, tx: Transaction) -> Coroutine[Any, Any, T]:
        """See `Operation`."""
        self.writes = []
        return self._operation(_RecordingTransaction(tx, self))


class _RecordingTransaction:
    """A transaction that records what is written in it."""

    __slots__ = ("_recording", "_tx", "all")

    def __init__(self, tx: Transaction, recording: RecordingOperation[Any]) -> None:
        self._tx = tx
        self._recording = recording
        self.all = tx.all

    async def maybe(self, statement: str, parameters: Parameters) -> Row | None:
        """See `Transaction.maybe`."""
        goal_id = parameters.get("id")
        if self._recording.goal_id is None and isinstance(goal_id, str) and statement != _CREATION:
            self._recording.goal_id = goal_id
        row = await self._tx.maybe(statement, parameters)
        if row is not None and statement in _READERS:
            self._recording.writes.append((statement, parameters, row))
        return row


def facts_of(writes: list[Write]) -> list[Fact]:
    """What the writes say has happened, in order."""
    return [fact for statement, parameters, row in writes for fact in _READERS[statement](parameters, row)]


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
    if turn.at < _called_at(parameters):
        # The same call was made before.
        return
    yield TurnCounted(goal, turn, has_settled=parameters["hold"] is not None)
    if goal.reason is Reason.BUDGET and _has_exhausted(goal, turn):
        yield StatusSet(goal, EventKind.PAUSED)


def _has_exhausted(goal: Goal, turn: Turn) -> bool:
    """Whether it was this turn that reached a limit: before it, none was."""
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


_CREATION: Final = "goals.create"
"""A goal that is being created has an id, but may never be there."""
_TURN_WIDTH: Final = 10 + len(TURN_COUNTERS)
"""A turn's columns, and whether the goal has expired holds that are to be counted."""
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
    """The id of the goal that a call's result is about, where it is about one."""
    if isinstance(result, tuple) and result:
        result = result[0]
    if isinstance(result, Goal):
        return result.id
    goal = getattr(result, "goal", None)
    found = goal.id if isinstance(goal, Goal) else getattr(result, "goal_id", None)
    return found if isinstance(found, str) else None

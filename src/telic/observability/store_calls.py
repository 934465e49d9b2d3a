"""A store's calls while they are observed: each one records what it wrote, and says what became of it."""

from collections.abc import Callable
from typing import Final, Generic, TypeVar

from telic.domain.clock import Instant
from telic.domain.errors import GoalNotFound
from telic.domain.feed import EventPage
from telic.observability.facts import EventsReceived, Fact
from telic.observability.observer import Observer, StoreCall
from telic.observability.recording import RecordingOperation, facts_of, goal_id_of
from telic.observability.status_counts import Census
from telic.storage.transaction import Operation, Parameters

T = TypeVar("T")

WATCH: Final = "watch"
"""The call that watchers repeat by themselves."""


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
        self.operation = RecordingOperation(operation)
        """What is to be run in the operation's place."""

    def complete(self) -> None:
        """Set the facts to what was committed; an error has committed nothing."""
        if self.error is not None:
            self.goal_id = self.operation.goal_id
        else:
            self.goal_id = goal_id_of(self.result)
            self.facts = [*facts_of(self.operation.writes), *self._received()]

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


class CallObserver:
    """What an observed store begins its calls with; a store without an observer has none."""

    def __init__(self, observer: Observer, system: str, now: Callable[[], Instant], census: Census | None) -> None:
        self.observer = observer
        self.system = system
        self.now = now
        self._census = census
        if census is not None:
            observer.count_goals(census)

    def operation(self, name: str, operation: Operation[T]) -> OperationCall[T]:
        """Return a call that runs the operation, to be entered."""
        return OperationCall(self, name, operation)

    def reading(self, name: str, parameters: Parameters) -> ReadingCall:
        """Return a call that reads one row, to be entered."""
        return ReadingCall(self, name, parameters)

    def close(self) -> None:
        """The store's goals are counted no more."""
        if self._census is not None:
            self.observer.forget_goals(self._census)
            self._census.close()

"""Drivers that are observed: they pass every call on, and say what became of it."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, TypeVar

from telic.domain.clock import Instant
from telic.domain.errors import GoalNotFound
from telic.domain.feed import EventPage
from telic.domain.findings import Finding
from telic.observability.facts import EventsReceived, Fact
from telic.observability.observer import Observer, StoreCall
from telic.observability.recording import Noted, facts_of, goal_id_of, operation_name
from telic.observability.status_counts import Census
from telic.storage.transaction import AsyncChanges, AsyncDriver, Changes, Driver, Mode, Operation, Parameters, Row

T = TypeVar("T")

WATCH: Final = "watch"
"""What watchers do by themselves, again and again."""


class DriverCall(StoreCall):
    """A call of an observed driver, and how to tell what it did."""

    __slots__ = ("_noted", "_now", "_parameters", "_result")

    def __init__(self, watcher: "Watcher", name: str, noted: Noted[Any] | None, parameters: Parameters) -> None:
        super().__init__(watcher.observer, name, watcher.system)
        self._now = watcher.now
        self._noted = noted
        self._parameters = parameters
        self._result: object = None

    def gave(self, result: object) -> None:
        """The driver has given this."""
        self._result = result

    def complete(self) -> None:
        """What was committed is in the facts; an error has committed nothing."""
        if self._noted is None:
            self._complete_point()
        elif self.error is not None:
            self.goal_id = self._noted.goal_id
        else:
            self.goal_id = goal_id_of(self._result)
            self.facts = [*facts_of(self._noted.writes), *self._received()]

    def _complete_point(self) -> None:
        goal_id = self._parameters.get("id")
        self.goal_id = goal_id if isinstance(goal_id, str) else None
        if isinstance(self._result, tuple):
            self.goal_id = str(self._result[0])
        elif self.error is None and self.goal_id is not None:
            self.error = GoalNotFound(self.goal_id)

    def _received(self) -> list[Fact]:
        page = self._result
        if self.name != WATCH or not isinstance(page, EventPage) or not page.events:
            return []
        oldest = min(each.event.at for each in page.events)
        # Another machine's clock may be ahead of this one's.
        return [EventsReceived(len(page), max(0, self._now() - oldest))]


class Watcher:
    """What both colours share: whom to tell, and of what."""

    def __init__(self, observer: Observer, system: str, now: Callable[[], Instant], census: Census | None) -> None:
        self.observer = observer
        self.system = system
        self.now = now
        self._census = census
        if census is not None:
            observer.count_goals(census)

    def call(self, noted: Noted[Any], operation: Operation[Any]) -> DriverCall:
        """A call that runs the operation, to be entered."""
        return DriverCall(self, operation_name(operation), noted, {})

    def point(self, statement: str, parameters: Parameters) -> DriverCall:
        """A call that reads one row, to be entered."""
        return DriverCall(self, statement.rpartition(".")[2], None, parameters)

    def close(self) -> None:
        """Goals are counted no more."""
        if self._census is not None:
            self.observer.forget_goals(self._census)
            self._census.close()


class ObservedDriver:
    """See `Driver`."""

    def __init__(self, driver: Driver, watcher: Watcher) -> None:
        self._driver = driver
        self._watcher = watcher

    def run(self, operation: Operation[T], mode: Mode, key: str | None) -> T:
        """See `Driver.run`."""
        noted = Noted(operation)
        with self._watcher.call(noted, operation) as call:
            result = self._driver.run(noted, mode, key)
            call.gave(result)
        return result

    def point(self, statement: str, parameters: Parameters) -> Row | None:
        """See `Driver.point`."""
        with self._watcher.point(statement, parameters) as call:
            row = self._driver.point(statement, parameters)
            call.gave(row)
        return row

    def changes(self) -> Changes:
        """See `Driver.changes`."""
        return self._driver.changes()

    def inspect(self) -> list[Finding]:
        """See `Driver.inspect`."""
        return self._driver.inspect()

    def copy_into(self, target: Path, /) -> None:
        """See `Driver.copy_into`."""
        self._driver.copy_into(target)

    def close(self) -> None:
        """See `Driver.close`."""
        self._watcher.close()
        self._driver.close()


class AsyncObservedDriver:
    """See `AsyncDriver`."""

    def __init__(self, driver: AsyncDriver, watcher: Watcher) -> None:
        self._driver = driver
        self._watcher = watcher

    async def run(self, operation: Operation[T], mode: Mode, key: str | None) -> T:
        """See `Driver.run`."""
        noted = Noted(operation)
        with self._watcher.call(noted, operation) as call:
            result = await self._driver.run(noted, mode, key)
            call.gave(result)
        return result

    async def point(self, statement: str, parameters: Parameters) -> Row | None:
        """See `Driver.point`."""
        with self._watcher.point(statement, parameters) as call:
            row = await self._driver.point(statement, parameters)
            call.gave(row)
        return row

    def changes(self) -> AsyncChanges:
        """See `Driver.changes`."""
        return self._driver.changes()

    def copy_into(self, target: Path, /) -> None:
        """See `Driver.copy_into`."""
        self._driver.copy_into(target)

    async def close(self) -> None:
        """See `Driver.close`."""
        await asyncio.to_thread(self._watcher.close)
        await self._driver.close()

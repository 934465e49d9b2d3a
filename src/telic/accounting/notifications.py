"""Calls of the host's callbacks: for thresholds, exhaustion, changes by others and failures, each once."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from telic.accounting.state import AccountingState, StorePort
from telic.domain.budget import LIMITS
from telic.domain.goal import GoalStatus, Reason
from telic.domain.views import GoalSnapshot

THRESHOLDS: Final = (0.5, 0.8, 0.95)
_EXHAUSTED: Final = 1.0
_MOST_GOALS: Final = 64
_LOG: Final = logging.getLogger("telic.accounting")

Passed = tuple[str, int, float]
"""A limit's name and amount, and the fraction of it that is used."""


@dataclass(frozen=True, slots=True)
class AccountingCallbacks:
    """The host's callbacks, each optional."""

    on_threshold: Callable[[GoalSnapshot, float], Any] | None = None
    on_exhausted: Callable[[GoalSnapshot], Any] | None = None
    on_change: Callable[[GoalSnapshot | None, GoalSnapshot], Any] | None = None
    on_failure: Callable[[Exception, str | None], Any] | None = None


def passed(snapshot: GoalSnapshot) -> list[Passed]:
    """Every threshold that a limit's usage has reached, the lower before the higher."""
    fractions = snapshot.fractions
    return [
        (name, getattr(snapshot.budget, name), threshold)
        for threshold in (*THRESHOLDS, _EXHAUSTED)
        for name in LIMITS
        if fractions.get(name, 0.0) >= threshold
    ]


class ThresholdNotifier:
    """Calls the callbacks, and remembers for what they were called."""

    def __init__(self, port: StorePort, state: AccountingState, callbacks: AccountingCallbacks) -> None:
        self._port = port
        self._state = state
        self._callbacks = callbacks
        self._last_notified: GoalSnapshot | None = None
        self._passed: dict[str, set[Passed]] = {}

    def begin(self) -> None:
        """What is so at the start is no news."""
        self._last_notified = snapshot = self._state.snapshot()
        if snapshot is not None:
            self._of_goal(snapshot).update(passed(snapshot))

    async def notify(self) -> None:
        """Every callback for what is new was called; what a callback raises is logged."""
        while self._state.reports:
            await self._call(self._callbacks.on_failure, *self._state.reports.popleft())
        snapshot = self._state.snapshot()
        if snapshot is None:
            return
        before, self._last_notified = self._last_notified, snapshot
        if _is_by_others(before, snapshot):
            await self._call(self._callbacks.on_change, before, snapshot)
        told = self._of_goal(snapshot)
        for news in passed(snapshot):
            if news not in told:
                told.add(news)
                await self._notify_threshold(snapshot, news[2])

    async def _notify_threshold(self, snapshot: GoalSnapshot, fraction: float) -> None:
        if fraction < _EXHAUSTED:
            await self._call(self._callbacks.on_threshold, snapshot, fraction)
        else:
            await self._call(self._callbacks.on_exhausted, snapshot)

    def _of_goal(self, snapshot: GoalSnapshot) -> set[Passed]:
        """Return what was notified of the goal; only the goals seen last are remembered."""
        if snapshot.id not in self._passed and len(self._passed) >= _MOST_GOALS:
            del self._passed[next(iter(self._passed))]
        return self._passed.setdefault(snapshot.id, set())

    async def _call(self, callback: Callable[..., Any] | None, *arguments: Any) -> None:
        if callback is None:
            return
        try:
            await self._port.call(callback, *arguments)
        except Exception:
            _LOG.exception("a callback failed")


def _is_by_others(before: GoalSnapshot | None, after: GoalSnapshot) -> bool:
    """Whether the goal is another, or was changed. That a turn used up the budget is told as exhaustion instead."""
    if before is None or before.id != after.id:
        return True
    is_exhaustion = (after.status, after.reason) == (GoalStatus.PAUSED, Reason.BUDGET)
    return after.revision > before.revision + is_exhaustion

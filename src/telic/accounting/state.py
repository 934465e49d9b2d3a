"""The present state of an accounting: the goal, the turns that are not stored yet, and the callbacks that are due."""

import logging
import threading
from collections import deque
from collections.abc import Callable, Hashable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from telic.accounting.outbox import Entry, Outbox
from telic.accounting.turn_record import PendingUsage, TurnRecord
from telic.domain.budget import LIMITS
from telic.domain.goal import Goal, GoalStatus, Reason
from telic.domain.views import GoalSnapshot, snapshot_of

THRESHOLDS: Final = (0.5, 0.8, 0.95)
_EXHAUSTED: Final = 1.0
_MOST_GOALS: Final = 64
_MOST_REPORTS: Final = 1_000
_LOG: Final = logging.getLogger("telic.accounting")

Report = tuple[Exception, str | None]
"""A failure, and the key of the turn that it concerns."""


class AccountingState:
    """One lock keeps the goal, the sums and the outbox in step, so that no turn is seen twice or not at all."""

    def __init__(self, outbox: Outbox, lock: threading.Lock) -> None:
        self._lock = lock
        self.outbox = outbox
        self.goal: Goal | None = None
        self.is_stale = False
        self.reports: deque[Report] = deque(maxlen=_MOST_REPORTS)
        self.accepted = 0
        self.settled = 0
        # How many settled turns the host's callbacks have been called for.
        self.notified = 0
        # The goal to which a turn is booked if the host names none.
        self.turns_goal: str | None = None
        self._token: Hashable = None
        self._pending: dict[str, PendingUsage] = {}
        self._is_writing = False
        self._writes = 0

    def accept(self, line: TurnRecord) -> bool:
        """Put the turn into the outbox and the sums, and return whether there was room for it."""
        with self._lock:
            if not self.outbox.put(line):
                return False
            self.accepted += 1
            if line.goal_id is not None:
                pending = self._pending.get(line.goal_id)
                if pending is None:
                    pending = self._pending[line.goal_id] = PendingUsage()
                pending.add(line)
        return True

    def is_as_of(self, token: Hashable) -> bool:
        """Return whether nothing was committed since the goal was read."""
        return self._token == token and not self.is_stale

    def writes(self) -> int | None:
        """Return how many turns were written so far; None while one is being written."""
        with self._lock:
            return None if self._is_writing else self._writes

    def begin_write(self) -> None:
        """A write is under way: a goal that is read before `end_write` may or may not include it."""
        with self._lock:
            self._is_writing = True

    def end_write(self) -> None:
        """The write has ended without a known result."""
        with self._lock:
            self._is_writing = False

    def report(self, error: Exception, key: str | None, what: str) -> None:
        """The failure is in the log, and the host's callback will be called for it."""
        _LOG.error("%s: %s", what, error)
        self.reports.append((error, key))

    def settle(self, entry: Entry, line: TurnRecord | None, goal: Goal | None, token: Hashable) -> None:
        """The entry is dealt with; `goal` is as its write, begun at the token, left it."""
        with self._lock:
            self._is_writing = False
            self._writes += 1
            if entry.is_own:
                self.settled += 1
            pending = None if line is None or not entry.is_own else self._pending.get(line.goal_id or "")
            if line is not None and pending is not None:
                pending.remove(line)
                if pending.lines == 0:
                    del self._pending[line.goal_id or ""]
            if goal is not None and self.goal is not None and goal.id == self.goal.id:
                self._keep(goal, token)

    def publish(self, goal: Goal | None, token: Hashable, writes: int | None, *, is_last_chance: bool) -> bool:
        """The goal was read after the token and after so many writes.

        False where a write came in between, so that nobody can tell whether the reading has it: read it once more.
        At the last chance it is taken where it shows more than other counters.
        """
        with self._lock:
            # A turn that was written between the two may be in the reading or not, and is no longer pending: it would
            # be counted twice or not at all. So such a reading is not used (ADR 17).
            is_clear = writes == self._writes and not self._is_writing
            known = self.goal
            is_same = goal is not None and known is not None and (goal.id, goal.revision) == (known.id, known.revision)
            if is_clear or (is_last_chance and not is_same):
                self._keep(goal, token)
            elif not is_last_chance:
                return False
            self.is_stale = False
            return True

    # The goal is known, unless it is an older reading; what was overtaken has an old token, so is read again.
    def _keep(self, goal: Goal | None, token: Hashable) -> None:
        known = self.goal
        if goal is not None and (known is None or goal.id != known.id or _progress(goal) >= _progress(known)):
            self.goal = goal
        self._token = token
        if self.goal is not None and self.goal.status is GoalStatus.ACTIVE:
            self.turns_goal = self.goal.id

    def snapshot_was_read(self) -> None:
        """The host has seen the snapshot: turns that begin now belong to no goal that is not active."""
        with self._lock:
            if self.goal is None or self.goal.status is not GoalStatus.ACTIVE:
                self.turns_goal = None

    def snapshot(self) -> GoalSnapshot | None:
        """Return the goal with every accepted turn in its usage, or None if no goal is known."""
        with self._lock:
            goal = self.goal
            if goal is None:
                return None
            pending = self._pending.get(goal.id)
            if pending is None:
                return snapshot_of(goal, goal.usage, 0, is_stale=self.is_stale)
            usage = pending.added_to(goal.usage, goal.billing)
            return snapshot_of(goal, usage, pending.lines, is_stale=self.is_stale)


# It grows with every change of a goal: of two readings, the one with the larger number is the later.
def _progress(goal: Goal) -> int:
    return goal.revision + sum(goal.usage.as_dict().values())


Passed = tuple[str, int, float]
"""A limit's name and amount, and the fraction of it that is used."""


@dataclass(frozen=True, slots=True)
class AccountingCallbacks:
    """The host's callbacks, each optional."""

    on_threshold: Callable[[GoalSnapshot, float], Any] | None = None
    on_exhausted: Callable[[GoalSnapshot], Any] | None = None
    on_change: Callable[[GoalSnapshot | None, GoalSnapshot], Any] | None = None
    on_failure: Callable[[Exception, str | None], Any] | None = None


def reached_thresholds(snapshot: GoalSnapshot) -> list[Passed]:
    """Return every threshold that a limit's usage has reached, the lower before the higher."""
    fractions = snapshot.fractions
    return [
        (name, getattr(snapshot.budget, name), threshold)
        for threshold in (*THRESHOLDS, _EXHAUSTED)
        for name in LIMITS
        if fractions.get(name, 0.0) >= threshold
    ]


class ThresholdNotifier:
    """Tells which callbacks are due, each once: for thresholds, exhaustion, changes by others and failures."""

    def __init__(self, state: AccountingState, callbacks: AccountingCallbacks) -> None:
        self._state = state
        self._callbacks = callbacks
        self._last_notified: GoalSnapshot | None = None
        self._passed: dict[str, set[Passed]] = {}

    def begin(self) -> None:
        """Thresholds that are passed already will not be notified."""
        self._last_notified = snapshot = self._state.snapshot()
        if snapshot is not None:
            self._of_goal(snapshot).update(reached_thresholds(snapshot))

    def new_calls(self) -> Iterator[Callable[[], Any]]:
        """Yield the callbacks to call for what has happened since the last time, each once."""
        callbacks = self._callbacks
        while self._state.reports:
            yield from _call(callbacks.on_failure, *self._state.reports.popleft())
        snapshot = self._state.snapshot()
        if snapshot is None:
            return
        before, self._last_notified = self._last_notified, snapshot
        if _is_by_others(before, snapshot):
            yield from _call(callbacks.on_change, before, snapshot)
        known = self._of_goal(snapshot)
        for news in reached_thresholds(snapshot):
            if news not in known:
                known.add(news)
                if news[2] < _EXHAUSTED:
                    yield from _call(callbacks.on_threshold, snapshot, news[2])
                else:
                    yield from _call(callbacks.on_exhausted, snapshot)

    # Return what was notified of the goal; only the goals seen last are remembered.
    def _of_goal(self, snapshot: GoalSnapshot) -> set[Passed]:
        if snapshot.id not in self._passed and len(self._passed) >= _MOST_GOALS:
            del self._passed[next(iter(self._passed))]
        return self._passed.setdefault(snapshot.id, set())


def _call(callback: Callable[..., Any] | None, *arguments: Any) -> Iterator[Callable[[], Any]]:
    if callback is not None:
        yield partial(callback, *arguments)


# Return whether the goal is another, or was changed. A turn that used up the budget is exhaustion instead.
def _is_by_others(before: GoalSnapshot | None, after: GoalSnapshot) -> bool:
    if before is None or before.id != after.id:
        return True
    is_exhaustion = (after.status, after.reason) == (GoalStatus.PAUSED, Reason.BUDGET)
    return after.revision > before.revision + is_exhaustion

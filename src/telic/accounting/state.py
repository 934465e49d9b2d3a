"""What an accounting knows at this moment: the goal, what was accepted and is not stored, what is to be told."""

import logging
import threading
from collections import deque
from collections.abc import Hashable
from typing import Final

from telic.accounting.outbox import Entry, Outbox
from telic.accounting.turn_record import Line, Pending
from telic.domain.goal import Goal, GoalStatus
from telic.domain.snapshot import GoalSnapshot, snapshot_of

_MOST_REPORTS: Final = 1_000
_LOG: Final = logging.getLogger("telic.accounting")

Report = tuple[Exception, str | None]
"""A failure, and the key of the turn that it concerns."""


class Book:
    """One lock keeps the goal, the sums and the outbox in step, so that no turn is seen twice or not at all."""

    def __init__(self, outbox: Outbox, lock: threading.Lock) -> None:
        self._lock = lock
        self.outbox = outbox
        self.goal: Goal | None = None
        self.is_stale = False
        self.reports: deque[Report] = deque(maxlen=_MOST_REPORTS)
        self.accepted = 0
        self.settled = 0
        self.told = 0
        """Of how many settled lines the host was told what there was to tell."""
        self.turns_goal: str | None = None
        """Whose a turn is that completes now, unless the host knows better."""
        self._token: Hashable = None
        self._pending: dict[str, Pending] = {}
        self._is_writing = False
        self._writes = 0

    def accept(self, line: Line) -> bool:
        """Whether the line is in the outbox and in the sums; if not, there is no room for it."""
        with self._lock:
            if not self.outbox.put(line):
                return False
            self.accepted += 1
            if line.goal_id is not None:
                pending = self._pending.get(line.goal_id)
                if pending is None:
                    pending = self._pending[line.goal_id] = Pending()
                pending.add(line)
        return True

    def is_as_of(self, token: Hashable) -> bool:
        """Whether nobody has committed anything since the goal was read."""
        return self._token == token and not self.is_stale

    def writes(self) -> int | None:
        """How many lines were written so far; None while one is being written."""
        with self._lock:
            return None if self._is_writing else self._writes

    def begin_write(self) -> None:
        """A line is being written: what is read meanwhile may or may not have it."""
        with self._lock:
            self._is_writing = True

    def end_write(self) -> None:
        """The line was not written, as far as anybody knows."""
        with self._lock:
            self._is_writing = False

    def report(self, error: Exception, key: str | None, what: str) -> None:
        """The host is told of the failure soon; the log says so at once."""
        _LOG.error("%s: %s", what, error)
        self.reports.append((error, key))

    def settle(self, entry: Entry, line: Line | None, goal: Goal | None, token: Hashable) -> None:
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
            is_clear = writes == self._writes and not self._is_writing
            if is_clear or (is_last_chance and not self._is_same(goal)):
                self._keep(goal, token)
            elif not is_last_chance:
                return False
            self.is_stale = False
            return True

    def _is_same(self, goal: Goal | None) -> bool:
        known = self.goal
        return goal is not None and known is not None and (goal.id, goal.revision) == (known.id, known.revision)

    def _keep(self, goal: Goal | None, token: Hashable) -> None:
        """The goal is known, unless it is an older reading; what was overtaken has an old token, so is read again."""
        known = self.goal
        if goal is not None and (known is None or goal.id != known.id or _progress(goal) >= _progress(known)):
            self.goal = goal
        self._token = token
        if self.goal is not None and self.goal.status is GoalStatus.ACTIVE:
            self.turns_goal = self.goal.id

    def host_looked(self) -> None:
        """The host has seen the snapshot: turns that begin now belong to no goal that is not active."""
        with self._lock:
            if self.goal is None or self.goal.status is not GoalStatus.ACTIVE:
                self.turns_goal = None

    def snapshot(self) -> GoalSnapshot | None:
        """The goal with everything accepted in its usage."""
        with self._lock:
            goal = self.goal
            if goal is None:
                return None
            pending = self._pending.get(goal.id)
            if pending is None:
                return snapshot_of(goal, goal.usage, 0, is_stale=self.is_stale)
            usage = pending.added_to(goal.usage, goal.billing)
            return snapshot_of(goal, usage, pending.lines, is_stale=self.is_stale)


def _progress(goal: Goal) -> int:
    """Grows with every change of a goal, so that of two readings the later can be told."""
    return goal.revision + sum(goal.usage.as_dict().values())

"""What an accounting knows at this moment: the goal, what was accepted and is not stored, what is to be reported."""

import logging
import threading
from collections import deque
from collections.abc import Callable, Hashable
from typing import Any, Final, Protocol

from telic.accounting.outbox import Entry, Outbox
from telic.accounting.turn_record import PendingUsage, TurnRecord
from telic.domain.budget import ModelUsage, TurnUsage, UsageKind
from telic.domain.errors import StoreError
from telic.domain.events import TurnResult
from telic.domain.goal import Goal, GoalStatus
from telic.domain.views import GoalSnapshot, snapshot_of


class StorePort(Protocol):
    """A store, the time, and a way to run what is not the loop's."""

    def token(self) -> Hashable:
        """Something that differs from its earlier values once a change was, or may have been, committed."""
        ...

    async def active(self, scope: str) -> Goal | None:
        """The scope's active goal, or None."""
        ...

    async def get(self, goal_id: str) -> Goal:
        """The goal with this id."""
        ...

    async def record_turn(
        self,
        goal_id: str,
        *,
        usage: TurnUsage | ModelUsage,
        kind: UsageKind,
        model: str | None,
        hold: str | None,
        key: str,
    ) -> TurnResult:
        """See `GoalStore.record_turn`."""
        ...

    async def rest(self, seconds: float) -> None:
        """There may be something to do, or the seconds are over."""
        ...

    @property
    def is_woken(self) -> bool:
        """Whether something happened since the last rest."""
        ...

    async def pause(self, seconds: float) -> None:
        """The seconds are over."""
        ...

    async def call(self, callback: Callable[..., Any], *arguments: Any) -> None:
        """The host's callback was called, and awaited where it is a coroutine's."""
        ...

    async def offload(self, function: Callable[[], None]) -> None:
        """The function, which waits for the disk, has returned."""
        ...


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
        self.notified = 0
        """How many settled turns the host's callbacks have been called for."""
        self.turns_goal: str | None = None
        """The goal to which a turn is booked if the host names none."""
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
        """A line is being written: what is read meanwhile may or may not have it."""
        with self._lock:
            self._is_writing = True

    def end_write(self) -> None:
        """The line was not written, as far as anybody knows."""
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


def _progress(goal: Goal) -> int:
    """Return a number that grows with every change of a goal: of two readings the larger is the later."""
    return goal.revision + sum(goal.usage.as_dict().values())


_ATTEMPTS: Final = 5
_PAUSE_SECONDS: Final = 0.002


class SnapshotCache:
    """Reads the goal again whenever it may have changed, so that no cached one outlives a change that could be seen."""

    def __init__(self, port: StorePort, state: AccountingState, scope: str) -> None:
        self._port = port
        self._state = state
        self._scope = scope

    async def refresh(self) -> bool:
        """The state has the goal as it is now, stale without an answer; whether it was read anew for that."""
        try:
            return await self.refresh_or_raise()
        except StoreError as error:
            self._state.is_stale = True
            _LOG.debug("the goal cannot be read: %s", error)
        except Exception:
            self._state.is_stale = True
            _LOG.exception("the goal cannot be read")
        return False

    async def refresh_or_raise(self) -> bool:
        """As `refresh`.

        Raises:
            StoreError: the store did not answer.
        """
        for attempts_left in reversed(range(_ATTEMPTS)):
            token = self._port.token()
            if self._state.is_as_of(token):
                return False
            writes = self._state.writes()
            if writes is not None or not attempts_left:
                goal = await self._goal()
                if self._state.publish(goal, token, writes, is_last_chance=not attempts_left):
                    break
            await self._port.pause(_PAUSE_SECONDS)
        return True

    async def _goal(self) -> Goal | None:
        """The scope's active goal, else what became of the one known before."""
        known = self._state.goal
        active = await self._port.active(self._scope)
        return active if active is not None or known is None else await self._port.get(known.id)

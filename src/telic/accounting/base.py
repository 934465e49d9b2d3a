"""The part of accounting that neither awaits nor blocks: a turn is accepted, and an instance is put together."""

import itertools
import logging
import os
import threading
from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any, Final, cast

from telic.accounting.outbox import Outbox
from telic.accounting.state import AccountingCallbacks, AccountingState, ThresholdNotifier
from telic.accounting.turn_record import TurnRecord, checked_turn
from telic.domain.budget import ModelUsage, TurnUsage, UsageKind
from telic.domain.clock import Clock
from telic.domain.errors import StoreClosed, StoreFull
from telic.domain.limits import check_name

DEFAULT_TIMEOUT_SECONDS: Final = 10.0
EXIT_SECONDS: Final = 5.0
FLUSH_PAUSE_SECONDS: Final = 0.005
WATCH_SECONDS: Final = 0.25
"""The watcher looks this often whether it is still wanted."""

_LOG: Final = logging.getLogger("telic.accounting")


class AccountingBase(ABC):
    """An accounting of one scope, of either colour."""

    def __init__(
        self, clock: Clock, scope: str, journal_folder: str | Path | None, callbacks: AccountingCallbacks
    ) -> None:
        self._clock = clock
        self._scope = check_name("scope", scope)
        self._journal_folder = None if journal_folder is None else Path(journal_folder)
        self._callbacks = callbacks
        self._store_id = ""
        self._is_closed = False
        self._is_running = False
        self._begin_lock = threading.Lock()

    def _set_up(self, store_id: str) -> None:
        """Everything but the background jobs is there."""
        self._store_id = store_id
        # Begins with the time, so that journals are emptied in the order in which they were begun.
        self._owner = f"{self._clock.now():014x}{os.urandom(6).hex()}"
        self._numbers = itertools.count(1)
        self._lock = threading.Lock()
        folder = self._journal_folder
        outbox = Outbox(self._owner, folder, store_id, self._lock, lambda *failure: self._state.report(*failure))
        self._state = AccountingState(outbox, self._lock)
        self._notifier = ThresholdNotifier(self._state, self._callbacks)
        self._set_up_jobs()

    def _begin(self) -> None:
        """Turns are accepted, and stored by background jobs; a forked child starts its own when it first needs them."""
        with self._begin_lock:
            if self._is_running or self._is_closed:
                return
            # Before anything runs: a turn is acknowledged only once it is in a journal.
            self._state.outbox.open()
            # Thresholds that are passed already are no news.
            self._notifier.begin()
            self._is_running = True
            try:
                self._start_jobs()
            except RuntimeError as error:
                self._state.report(error, None, "nothing stores turns here, they wait in the journal")

    @abstractmethod
    def _set_up_jobs(self) -> None:
        """The background jobs are made, and do not run yet."""

    @abstractmethod
    def _start_jobs(self) -> None:
        """The background jobs run."""

    @abstractmethod
    def _wake(self) -> None:
        """The job that writes looks for work."""

    @abstractmethod
    def write(self) -> Any:
        """Write turns until the end."""

    @abstractmethod
    def watch(self) -> Any:
        """Watch what others commit until the end."""

    @abstractmethod
    def end_soon(self) -> bool:
        """Nothing more is accepted; return whether it was until now."""

    @abstractmethod
    def close(self, timeout_seconds: float = DEFAULT_TIMEOUT_SECONDS) -> Any:
        """Nothing more is accepted, and every turn is stored that could be within the seconds."""

    def on_turn_complete(
        self,
        usage: TurnUsage | ModelUsage | int,
        *,
        kind: UsageKind = UsageKind.WORK,
        model: str | None = None,
        key: str | None = None,
        hold: str | None = None,
        goal_id: str | None = None,
    ) -> str | None:
        """The turn is accepted: it outlives this process, and is stored in order, exactly once, under the given key.

        Returns within microseconds, whatever the store does, and raises nothing. The turn belongs to `goal_id`;
        without one to the scope's active goal, and where that was paused or finished in the meantime, to it still,
        until `snapshot` has shown it so. A number stands for tokens. A hold that is lost is left out.

        Returns the turn's key; None where nothing was accepted, which `on_failure` and the log explain.
        """
        # A host's agent must not stop because its accounting has a problem: nothing is raised here.
        try:
            return self._accept(usage, kind, model, key, hold, goal_id)
        except Exception as error:
            self._state.report(error, key if isinstance(key, str) else None, "a turn is not accepted")
            self._wake()
            return None

    def _accept(
        self,
        usage: TurnUsage | ModelUsage | int,
        kind: UsageKind,
        model: str | None,
        key: str | None,
        hold: str | None,
        goal_id: str | None,
    ) -> str:
        if self._is_closed:
            raise StoreClosed("the accounting is closed")
        if not self._is_running:
            self._begin()
        if key is None:
            key = f"{self._owner}-{next(self._numbers)}"
        if goal_id is None:
            goal_id = self._state.turns_goal
        if type(usage) is int:
            usage = TurnUsage(tokens=usage)
        turn = TurnRecord(key, goal_id, self._scope, self._clock.now(), cast("TurnUsage", usage), kind, model, hold)
        if not self._state.accept(checked_turn(turn)):
            raise StoreFull("no journal can be written, and memory holds as many turns as it may")
        self._wake()
        return key

    def close_files(self) -> None:
        """Nothing more is accepted, and the files are closed; what is not stored is left to the next instance."""
        self._is_closed = True
        unstored = self._state.accepted - self._state.settled
        lost = self._state.outbox.close()
        if lost:
            _LOG.error("%d turns are lost: neither the store nor a journal took them", lost)
        if unstored - lost > 0:
            _LOG.warning("%d turns wait in the journal for the next start", unstored - lost)

    def before_fork(self) -> None:
        """Take the lock, so that no line is half accepted when the process forks."""
        # A child that inherited the lock while another thread holds it could never take it.
        self._lock.acquire()

    def after_fork_in_parent(self) -> None:
        """Turns are accepted again."""
        self._lock.release()

    def after_fork_in_child(self) -> None:
        """The child accounts on its own: what was accepted before is the parent's, and so is its journal."""
        if self._is_closed:
            self._lock.release()
            return
        goal = self._state.goal
        self._state.outbox.leave_to_parent()
        self._begin_lock = threading.Lock()
        self._is_running = False
        self._set_up(self._store_id)
        self._state.goal = goal
        self._state.turns_goal = None if goal is None else goal.id

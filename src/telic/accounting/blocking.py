"""Accounting for programs without an event loop: two threads of its own, one that writes and one that watches."""

import atexit
import contextlib
import logging
import threading
import time
import weakref
from collections.abc import Callable, Hashable
from pathlib import Path
from typing import Any, Final

from telic.accounting.base import (
    DEFAULT_TIMEOUT_SECONDS,
    EXIT_SECONDS,
    FLUSH_PAUSE_SECONDS,
    WATCH_SECONDS,
    AccountingBase,
    AccountingSettings,
)
from telic.accounting.notifications import AccountingCallbacks
from telic.domain.budget import ModelUsage, TurnUsage, UsageKind
from telic.domain.errors import StoreClosed, StoreError
from telic.domain.events import TurnResult
from telic.domain.goal import DEFAULT_SCOPE, Goal
from telic.domain.limits import check_name
from telic.domain.views import GoalSnapshot
from telic.storage.drivers.fork import watch_forks
from telic.storage.transaction import complete
from telic.store.goal_store import GoalStore

_LOG: Final = logging.getLogger("telic.accounting")


class BlockingStorePort:
    """See `StorePort`."""

    def __init__(self, store: GoalStore) -> None:
        self._store = store
        self.changes = store.changes()
        self.work = threading.Event()
        self._never = threading.Event()

    def token(self) -> Hashable:
        """See `StorePort.token`."""
        return self._store.call_count, self.changes.token()

    async def listen(self) -> None:
        """What is committed from now on is noticed without a delay."""
        self.changes.wait(self.changes.token(), 0)

    async def active(self, scope: str) -> Goal | None:
        """See `StorePort.active`."""
        return self._store.active(scope)

    async def get(self, goal_id: str) -> Goal:
        """See `StorePort.get`."""
        return self._store.get(goal_id)

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
        """See `StorePort.record_turn`."""
        return self._store.record_turn(goal_id, usage=usage, kind=kind, model=model, hold=hold, key=key)

    async def rest(self, seconds: float) -> None:
        """See `StorePort.rest`."""
        self.work.wait(seconds)
        self.work.clear()

    @property
    def is_woken(self) -> bool:
        """See `StorePort.is_woken`."""
        return self.work.is_set()

    async def pause(self, seconds: float) -> None:
        """See `StorePort.pause`."""
        self._never.wait(seconds)

    async def call(self, callback: Callable[..., Any], *arguments: Any) -> None:
        """See `StorePort.call`."""
        callback(*arguments)

    async def offload(self, function: Callable[[], None]) -> None:
        """See `StorePort.offload`."""
        function()


class GoalAccounting(AccountingBase):
    """Joins an agent's loop to one scope of a store: the active goal at hand, and its turns accounted behind it.

    Callbacks are called one at a time in a thread of its own. `on_threshold` is told once when 50, 80 and 95 % of a
    limit are used, `on_exhausted` when a limit is reached, `on_change` of every change of the goal that is not this
    accounting's (before, which may be None, and after), so that a running turn can be cancelled, and `on_failure` of
    turns that were refused and of journals that cannot be written. Close it before the store.
    """

    _port: BlockingStorePort

    def __init__(
        self,
        store: GoalStore,
        *,
        scope: str = DEFAULT_SCOPE,
        journal_folder: str | Path | None = None,
        on_threshold: Callable[[GoalSnapshot, float], Any] | None = None,
        on_exhausted: Callable[[GoalSnapshot], Any] | None = None,
        on_change: Callable[[GoalSnapshot | None, GoalSnapshot], Any] | None = None,
        on_failure: Callable[[Exception, str | None], Any] | None = None,
    ) -> None:
        """The scope's active goal is loaded, and turns are accepted.

        Turns wait for the store in files below `journal_folder`, by default in the user's folder for state. Those
        that a dead process left there are stored first.

        Raises:
            StoreError: the store cannot be read, and so nobody knows whose turns they would be.
            InvalidInput: the scope cannot be one.
        """
        folder = None if journal_folder is None else Path(journal_folder)
        callbacks = AccountingCallbacks(on_threshold, on_exhausted, on_change, on_failure)
        super().__init__(store.clock, AccountingSettings(check_name("scope", scope), folder, callbacks))
        self._store = store
        self._writer: threading.Thread | None = None
        self._watcher: threading.Thread | None = None
        self._set_up(store.cursor().partition("/")[0])
        complete(self._port.listen())
        complete(self._cache.refresh_or_raise())
        self._begin()
        watch_forks(self)

    def __enter__(self) -> "GoalAccounting":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _new_port(self) -> BlockingStorePort:
        return BlockingStorePort(self._store)

    def _run(self) -> None:
        self._writer = threading.Thread(target=self._write, name="telic-accounting", daemon=True)
        self._watcher = threading.Thread(target=self._watch, name="telic-accounting-watch", daemon=True)
        self._writer.start()
        self._watcher.start()
        reference: weakref.ref[GoalAccounting] = weakref.ref(self)
        self._at_exit = lambda: _close_at_exit(reference)
        atexit.register(self._at_exit)

    def _write(self) -> None:
        try:
            complete(self._flusher.run())
        finally:
            self._is_closed = True
            self._close_files()

    def _watch(self) -> None:
        changes = self._port.changes
        while not self._is_closed:
            try:
                token = changes.token()
                changes.wait(token, WATCH_SECONDS)
                if changes.token() != token:
                    self._port.work.set()
            except StoreClosed:
                break
            except StoreError:
                self._port.work.wait(WATCH_SECONDS)
        changes.close()

    def _wake(self) -> None:
        work = self._port.work
        if not work.is_set():
            work.set()

    def after_fork_in_child(self) -> None:
        """See the base; threads are not inherited."""
        super().after_fork_in_child()
        self._writer = self._watcher = None

    def snapshot(self) -> GoalSnapshot | None:
        """The scope's active goal, else the last one known, with every accepted turn in its usage; None without any.

        Read anew whenever anybody may have changed it since; without an answer it is the last one known, and stale.
        """
        if self._is_closed:
            self._state.is_stale = True
        elif complete(self._cache.refresh()):
            self._wake()
        self._state.snapshot_was_read()
        return self._state.snapshot()

    def flush(self, timeout_seconds: float = DEFAULT_TIMEOUT_SECONDS) -> bool:
        """Whether every turn accepted so far is stored or set aside, and told; waits for that, within the time-out."""
        wanted = self._state.accepted
        deadline = time.monotonic() + timeout_seconds
        self._flusher.hurry()
        self._wake()
        while self._state.notified < wanted:
            if time.monotonic() >= deadline or self._is_closed or threading.current_thread() is self._writer:
                return False
            time.sleep(FLUSH_PAUSE_SECONDS)
        return True

    def close(self, timeout_seconds: float = DEFAULT_TIMEOUT_SECONDS) -> bool:
        """Whether every accepted turn is stored; those that are not, wait in the journal for the next start.

        Nothing more is accepted. Idempotent.
        """
        self._is_closed = True
        self._flusher.end(timeout_seconds)
        self._port.work.set()
        writer, watcher = self._writer, self._watcher
        if writer is None:
            self._close_files()
        elif writer is not threading.current_thread():
            writer.join(timeout_seconds + FLUSH_PAUSE_SECONDS)
            with contextlib.suppress(AttributeError):
                atexit.unregister(self._at_exit)
        if watcher is not None and watcher is not threading.current_thread():
            watcher.join(2 * WATCH_SECONDS)
        return self._state.settled >= self._state.accepted


def _close_at_exit(reference: "weakref.ref[GoalAccounting]") -> None:
    accounting = reference()
    if accounting is not None:
        accounting.close(EXIT_SECONDS)

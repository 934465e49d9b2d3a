# Generated from src/telic/accounting/async_accounting.py: change that, then run `make generate`.

"""Accounting for programs without an event loop: an agent's turns are accepted at once and written soon."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from telic.accounting.background import Background
from telic.accounting.base import (
    DEFAULT_TIMEOUT_SECONDS,
    EXIT_SECONDS,
    FLUSH_PAUSE_SECONDS,
    WATCH_SECONDS,
    AccountingBase,
)
from telic.accounting.flusher import Flusher, SnapshotCache
from telic.accounting.state import AccountingCallbacks
from telic.domain.errors import StoreClosed, StoreError
from telic.domain.goal import DEFAULT_SCOPE
from telic.domain.views import GoalSnapshot
from telic.storage.transaction import watch_forks
from telic.store.goal_store import GoalStore


class GoalAccounting(AccountingBase):
    """Joins an agent's loop to one scope of a store: the active goal at hand, and its turns accounted behind it.

    It is ready once it is made. Close it before the store.

    Callbacks are called one at a time in a thread of its own.
    `on_threshold` is called once when 50, 80 and 95 % of a limit are used, `on_exhausted` when a limit is reached,
    `on_change` for every change of the goal that is not this accounting's (with the goal before, which may be None, and
    after), so that a running turn can be cancelled, and `on_failure` for turns that were refused and for journals that
    cannot be written. `on_turn_complete` may be called from any thread.
    """

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
        """The scope's active goal is loaded, and turns are accepted, once this is ready.

        Turns wait for the store in files below `journal_folder`, by default in the user's folder for state. Those
        that a dead process left there are stored first.

        Raises:
            InvalidInput: the scope cannot be one.
            StoreError: the store cannot be read, and so nobody knows whose turns they would be.
        """
        callbacks = AccountingCallbacks(on_threshold, on_exhausted, on_change, on_failure)
        super().__init__(store.clock, scope, journal_folder, callbacks)
        self._store = store
        self._start()

    def __enter__(self) -> "GoalAccounting":
        return self._start()

    def __exit__(self, *_: object) -> None:
        self.close()

    def _start(self) -> "GoalAccounting":
        if not self._store_id:
            self._set_up((self._store.cursor()).partition("/")[0])
            # From here on the watch notices at once what is committed.
            self._changes.wait(self._changes.token(), 0)
            self._cache.refresh_or_raise()
            self._begin()
            watch_forks(self)
        return self

    def _set_up_jobs(self) -> None:
        self._changes = self._store.changes()
        self._background = Background()
        self._cache = SnapshotCache(self._store, self._changes, self._state, self._scope)
        self._flusher = Flusher(self._store, self._background, self._state, self._cache, self._notifier)

    def _start_jobs(self) -> None:
        self._background.start(self)

    def _wake(self) -> None:
        self._background.wake()

    def write(self) -> None:
        """Write turns until the end; the background does this."""
        self._flusher.run()

    def watch(self) -> None:
        """Wake the writing as soon as somebody commits a change, until the end; the background does this."""
        changes = self._changes
        try:
            while not self._is_closed:
                try:
                    token = changes.token()
                    changes.wait(token, WATCH_SECONDS)
                    if changes.token() != token:
                        self._wake()
                except StoreClosed:
                    break
                except StoreError:
                    time.sleep(WATCH_SECONDS)
        finally:
            changes.close()

    def end_soon(self) -> bool:
        """Accept no more turns, and return whether turns were accepted until now; writing goes on for a few seconds."""
        was_open, self._is_closed = not self._is_closed, True
        if was_open:
            self._flusher.end(EXIT_SECONDS)
        return was_open

    def snapshot(self) -> GoalSnapshot | None:
        """Return the scope's active goal, else the last one known, with every accepted turn in its usage; else None.

        It is read again whenever anybody may have changed it since. If the store does not answer, it is the last one
        known, and stale.
        """
        if self._is_closed:
            self._state.is_stale = True
        elif self._cache.refresh():
            self._wake()
        self._state.snapshot_was_read()
        return self._state.snapshot()

    def flush(self, timeout_seconds: float = DEFAULT_TIMEOUT_SECONDS) -> bool:
        """Wait, and return whether every turn accepted so far is stored or set aside, and its callbacks were called."""
        wanted = self._state.accepted
        deadline = time.monotonic() + timeout_seconds
        self._flusher.retry_now()
        self._wake()
        while self._state.notified < wanted:
            if time.monotonic() >= deadline or self._is_closed or self._background.is_writer():
                return False
            time.sleep(FLUSH_PAUSE_SECONDS)
        return True

    def close(self, timeout_seconds: float = DEFAULT_TIMEOUT_SECONDS) -> bool:
        """Return whether every accepted turn is stored; the others wait in the journal for the next start.

        Nothing more is accepted. Idempotent.
        """
        self._is_closed = True
        if not self._store_id:
            return True
        self._flusher.end(timeout_seconds)
        self._wake()
        if self._background.is_running:
            self._background.end(timeout_seconds)
        else:
            self.close_files()
        # The watching does it too, but a task that was cancelled before it began has done nothing.
        self._changes.close()
        return self._state.settled >= self._state.accepted

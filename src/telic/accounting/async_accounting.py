"""Accounting for programs with an event loop: two tasks of it, one that writes and one that watches."""

import asyncio
import atexit
import contextlib
import inspect
import threading
import time
import weakref
from collections.abc import Callable, Generator, Hashable
from pathlib import Path
from typing import Any

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
from telic.store.async_store import AsyncGoalStore


class AsyncStorePort:
    """See `StorePort`."""

    def __init__(self, store: AsyncGoalStore) -> None:
        self._store = store
        self.changes = store.changes()
        self.work = asyncio.Event()

    def token(self) -> Hashable:
        """See `StorePort.token`."""
        return self._store.call_count, self.changes.token()

    async def listen(self) -> None:
        """What is committed from now on is noticed without a delay."""
        await self.changes.wait(self.changes.token(), 0)

    async def active(self, scope: str) -> Goal | None:
        """See `StorePort.active`."""
        return await self._store.active(scope)

    async def get(self, goal_id: str) -> Goal:
        """See `StorePort.get`."""
        return await self._store.get(goal_id)

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
        return await self._store.record_turn(goal_id, usage=usage, kind=kind, model=model, hold=hold, key=key)

    async def rest(self, seconds: float) -> None:
        """See `StorePort.rest`."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self.work.wait()
        self.work.clear()

    @property
    def is_woken(self) -> bool:
        """See `StorePort.is_woken`."""
        return self.work.is_set()

    async def pause(self, seconds: float) -> None:
        """See `StorePort.pause`."""
        await asyncio.sleep(seconds)

    async def call(self, callback: Callable[..., Any], *arguments: Any) -> None:
        """See `StorePort.call`."""
        result = callback(*arguments)
        if inspect.isawaitable(result):
            await result

    async def offload(self, function: Callable[[], None]) -> None:
        """See `StorePort.offload`."""
        await asyncio.to_thread(function)


class AsyncGoalAccounting(AccountingBase):
    """`GoalAccounting` for an event loop: awaited, or entered with `async with`, it is there.

    Callbacks are called one at a time in a task of its own, and awaited where they are coroutines'.
    `on_turn_complete` may be called from any thread. Close it before the store.
    """

    _port: AsyncStorePort

    def __init__(
        self,
        store: AsyncGoalStore,
        *,
        scope: str = DEFAULT_SCOPE,
        journal_folder: str | Path | None = None,
        on_threshold: Callable[[GoalSnapshot, float], Any] | None = None,
        on_exhausted: Callable[[GoalSnapshot], Any] | None = None,
        on_change: Callable[[GoalSnapshot | None, GoalSnapshot], Any] | None = None,
        on_failure: Callable[[Exception, str | None], Any] | None = None,
    ) -> None:
        """See `GoalAccounting`; what raises there, raises when this is awaited.

        Raises:
            InvalidInput: the scope cannot be one.
        """
        folder = None if journal_folder is None else Path(journal_folder)
        callbacks = AccountingCallbacks(on_threshold, on_exhausted, on_change, on_failure)
        super().__init__(store.clock, AccountingSettings(check_name("scope", scope), folder, callbacks))
        self._store = store
        self._loop: asyncio.AbstractEventLoop | None = None
        self._writer: asyncio.Task[None] | None = None
        self._watcher: asyncio.Task[None] | None = None

    def __await__(self) -> Generator[Any, None, "AsyncGoalAccounting"]:
        return self._start().__await__()

    async def __aenter__(self) -> "AsyncGoalAccounting":
        return await self._start()

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def _start(self) -> "AsyncGoalAccounting":
        if not self._store_id:
            self._set_up((await self._store.cursor()).partition("/")[0])
            await self._port.listen()
            await self._cache.refresh_or_raise()
            self._begin()
            watch_forks(self)
        return self

    def _new_port(self) -> AsyncStorePort:
        return AsyncStorePort(self._store)

    def _run(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._thread = threading.get_ident()
        self._writer = self._loop.create_task(self._write(), name="telic-accounting")
        self._watcher = self._loop.create_task(self._watch(), name="telic-accounting-watch")
        reference: weakref.ref[AsyncGoalAccounting] = weakref.ref(self)
        self._at_exit = lambda: _close_files_at_exit(reference)
        atexit.register(self._at_exit)

    async def _write(self) -> None:
        try:
            await self._flusher.run()
        except asyncio.CancelledError:
            if not self._is_closed:
                # The loop ends, and nobody closed this: the last chance before the next start.
                self._is_closed = True
                self._flusher.end(EXIT_SECONDS)
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._flusher.run(), EXIT_SECONDS)
            raise
        finally:
            self._is_closed = True
            atexit.unregister(self._at_exit)
            self._close_files()

    async def _watch(self) -> None:
        changes = self._port.changes
        try:
            while not self._is_closed:
                try:
                    token = changes.token()
                    await changes.wait(token, WATCH_SECONDS)
                    if changes.token() != token:
                        self._port.work.set()
                except StoreClosed:
                    break
                except StoreError:
                    await asyncio.sleep(WATCH_SECONDS)
        finally:
            changes.close()

    def _wake(self) -> None:
        work = self._port.work
        if work.is_set() or self._loop is None:
            return
        if threading.get_ident() == self._thread:
            work.set()
        elif not self._loop.is_closed():
            self._loop.call_soon_threadsafe(work.set)

    def after_fork_in_child(self) -> None:
        """See the base; tasks are not inherited."""
        super().after_fork_in_child()
        self._loop = self._writer = self._watcher = None

    async def snapshot(self) -> GoalSnapshot | None:
        """The scope's active goal, else the last one known, with every accepted turn in its usage; None without any.

        Read anew whenever anybody may have changed it since; without an answer it is the last one known, and stale.
        """
        if self._is_closed:
            self._state.is_stale = True
        elif await self._cache.refresh():
            self._wake()
        self._state.snapshot_was_read()
        return self._state.snapshot()

    async def flush(self, timeout_seconds: float = DEFAULT_TIMEOUT_SECONDS) -> bool:
        """Whether every turn accepted so far is stored or set aside, and told; waits for that, within the time-out."""
        wanted = self._state.accepted
        deadline = time.monotonic() + timeout_seconds
        self._flusher.hurry()
        self._wake()
        while self._state.notified < wanted:
            if time.monotonic() >= deadline or self._is_closed or asyncio.current_task() is self._writer:
                return False
            await asyncio.sleep(FLUSH_PAUSE_SECONDS)
        return True

    async def close(self, timeout_seconds: float = DEFAULT_TIMEOUT_SECONDS) -> bool:
        """Whether every accepted turn is stored; those that are not, wait in the journal for the next start.

        Nothing more is accepted. Idempotent.
        """
        self._is_closed = True
        if not self._store_id:
            return True
        self._flusher.end(timeout_seconds)
        self._wake()
        writer, watcher = self._writer, self._watcher
        if watcher is not None:
            watcher.cancel()
        if writer is None:
            self._close_files()
        elif writer is not asyncio.current_task() and not writer.done():
            await asyncio.wait([writer], timeout=timeout_seconds)
            writer.cancel()
            await asyncio.wait([writer])
        return self._state.settled >= self._state.accepted


def _close_files_at_exit(reference: "weakref.ref[AsyncGoalAccounting]") -> None:
    """The loop is gone, so nothing can be stored any more; the journal has it."""
    accounting = reference()
    if accounting is not None:
        accounting._close_files()

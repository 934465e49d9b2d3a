"""The two jobs beside a host with an event loop, one that writes and one that watches: tasks of that loop."""

import asyncio
import atexit
import contextlib
import inspect
import threading
import weakref
from collections.abc import Callable
from typing import Any

from telic.accounting.base import EXIT_SECONDS, AccountingBase


class AsyncBackground:
    """`Background`, in tasks of the event loop in which it is started."""

    def __init__(self) -> None:
        self._work = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread = 0
        self._writer: asyncio.Task[None] | None = None
        self._watcher: asyncio.Task[None] | None = None

    def start(self, accounting: AccountingBase) -> None:
        """Both jobs run; raise RuntimeError if no event loop runs in this thread."""
        self._loop = asyncio.get_running_loop()
        self._thread = threading.get_ident()
        self._writer = self._loop.create_task(self._write(accounting), name="telic-accounting")
        self._watcher = self._loop.create_task(accounting.watch(), name="telic-accounting-watch")
        reference = weakref.ref(accounting)
        self._at_exit = lambda: _close_files(reference)
        atexit.register(self._at_exit)

    async def _write(self, accounting: AccountingBase) -> None:
        try:
            await accounting.write()
        except asyncio.CancelledError:
            # `asyncio.run` cancels what is left at its end: where nobody closed this, turns are stored a while longer.
            if accounting.end_soon():
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(accounting.write(), EXIT_SECONDS)
            raise
        finally:
            atexit.unregister(self._at_exit)
            accounting.close_files()

    @property
    def is_running(self) -> bool:
        """See `Background.is_running`."""
        return self._writer is not None

    def is_writer(self) -> bool:
        """See `Background.is_writer`."""
        return self._writer is not None and asyncio.current_task() is self._writer

    async def end(self, timeout_seconds: float) -> None:
        """See `Background.end`."""
        writer, watcher = self._writer, self._watcher
        if watcher is not None:
            watcher.cancel()
        if writer is not None and not self.is_writer() and not writer.done():
            await asyncio.wait([writer], timeout=timeout_seconds)
            writer.cancel()
            await asyncio.wait([writer])

    def wake(self) -> None:
        """See `Background.wake`; any thread may call it."""
        if self._work.is_set() or self._loop is None:
            return
        if threading.get_ident() == self._thread:
            self._work.set()
        elif not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._work.set)

    @property
    def is_woken(self) -> bool:
        """See `Background.is_woken`."""
        return self._work.is_set()

    async def rest(self, seconds: float) -> None:
        """See `Background.rest`."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._work.wait()
        self._work.clear()

    async def call(self, callback: Callable[[], Any]) -> None:
        """See `Background.call`; what is a coroutine's is awaited."""
        result = callback()
        if inspect.isawaitable(result):
            await result

    async def offload(self, function: Callable[[], None]) -> None:
        """See `Background.offload`."""
        await asyncio.to_thread(function)


def _close_files(reference: "weakref.ref[AccountingBase]") -> None:
    # The loop is gone, so nothing can be stored any more; the journal has it.
    accounting = reference()
    if accounting is not None:
        accounting.close_files()

"""The screens' one connection: it follows changes, reads once after many changes at once, and knows of outages."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from threading import Thread
from typing import Any, Final, TypeVar

from telic.domain.errors import GoalError, StoreError, StoreMoved
from telic.store.async_store import AsyncGoalStore

OpenStore = Callable[[], Coroutine[Any, Any, AsyncGoalStore]]
T = TypeVar("T")

# Usage and leases make no event of the feed: they are looked at this often.
_QUIET_SECONDS: Final = 2.0

# The shortest pause after a look: changes that come meanwhile are seen by the next one.
BURST_SECONDS: Final = 0.1

# A look that takes long is not repeated before five times as long has passed.
_SHARE_OF_TIME: Final = 5

_RETRY_SECONDS: Final = 1.0


class Live:
    """A store that is followed by one watcher, whatever number of screens look at it.

    The store lives in a thread of its own: a search through a million goals of a SQLite file takes seconds in which
    an event loop answers nothing, and keys must be answered.
    """

    def __init__(self, open_store: OpenStore, scope: str | None) -> None:
        self.outage: GoalError | None = None
        self._open_store = open_store
        self._scope = scope
        self._store: AsyncGoalStore | None = None
        self._changed = asyncio.Event()
        self._loop = asyncio.new_event_loop()
        self._thread = Thread(target=self._loop.run_forever, name="telic-top-store", daemon=True)
        self._thread.start()

    async def open(self) -> None:
        """The store is open; a former one is let go.

        Raises:
            StoreError: there is none that can be opened.
        """
        # The former one is kept until another is open: without any nothing could be asked.
        former, self._store = self._store, await self._in_thread(self._open_store())
        if former is not None:
            await self._in_thread(former.close())

    async def ask(self, operation: Callable[[AsyncGoalStore], Coroutine[Any, Any, T]]) -> T:
        """Return the result of the operation, run where the store lives."""
        assert self._store is not None
        return await self._in_thread(operation(self._store))

    async def _in_thread(self, work: Coroutine[Any, Any, T]) -> T:
        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(work, self._loop))

    def refresh_soon(self) -> None:
        """Have the screen read again soon."""
        self._changed.set()

    async def follow(self) -> None:
        """Refresh the screen with every event of the feed, of any process, until this task is cancelled."""
        here = asyncio.get_running_loop()

        async def watch(store: AsyncGoalStore) -> None:
            async for _ in store.watch(scope=self._scope):
                if not self._changed.is_set():
                    here.call_soon_threadsafe(self.refresh_soon)
                # A burst is read without waiting; other questions must be answered in between.
                await asyncio.sleep(0)

        while True:
            with suppress(StoreError):
                await self.ask(watch)
            await asyncio.sleep(_RETRY_SECONDS)

    async def keep_fresh(self, look: Callable[[], Awaitable[None]]) -> None:
        """`look` is called after changes, a burst of them once, and every two seconds; until it is cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(_QUIET_SECONDS):
                    await self._changed.wait()
            # Before the look: a change that comes while it is made must lead to another.
            self._changed.clear()
            started = loop.time()
            await self.attempt(look)
            took = loop.time() - started
            await asyncio.sleep(_RETRY_SECONDS if self.outage else max(BURST_SECONDS, _SHARE_OF_TIME * took))

    async def attempt(self, look: Callable[[], Awaitable[None]]) -> None:
        """Read once; if the store does not answer, `outage` says why."""
        try:
            # The connection is to a file that is gone; another file may have its name now.
            if isinstance(self.outage, StoreMoved):
                await self.open()
            await look()
        except GoalError as error:
            self.outage = error
        else:
            self.outage = None

    async def close(self) -> None:
        """The store is closed, and its thread has ended."""
        if self._store is not None:
            await self._in_thread(self._store.close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        await asyncio.to_thread(self._thread.join)
        self._loop.close()

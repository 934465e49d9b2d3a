"""The one connection behind the screens: who is told of changes, how bursts become one look, and outages."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Final

from telic.domain.errors import GoalError, StoreError, StoreMoved
from telic.services.async_store import AsyncGoalStore

OpenStore = Callable[[], Awaitable[AsyncGoalStore]]

_QUIET_SECONDS: Final = 2.0
"""Usage and leases make no event of the feed: they are looked at this often."""

_BURST_SECONDS: Final = 0.1
_SHARE_OF_TIME: Final = 10
"""A look that takes long is not repeated before ten times as long has passed."""

_RETRY_SECONDS: Final = 1.0


class Live:
    """A store that is followed by one watcher, whatever number of screens look at it."""

    def __init__(self, store: AsyncGoalStore, reopen: OpenStore, scope: str | None) -> None:
        self.store = store
        self.outage: GoalError | None = None
        self._reopen = reopen
        self._scope = scope
        self._changed = asyncio.Event()

    def touch(self) -> None:
        """The screen is looked at anew soon."""
        self._changed.set()

    async def follow(self) -> None:
        """Every event of the feed, of any process, touches; it goes on until it is cancelled."""
        while True:
            with suppress(StoreError):
                async for _ in self.store.watch(scope=self._scope):
                    self.touch()
                    # A burst is read without waiting; keys must be answered in between.
                    await asyncio.sleep(0)
            await asyncio.sleep(_RETRY_SECONDS)

    async def keep_fresh(self, look: Callable[[], Awaitable[None]]) -> None:
        """`look` is called after changes, a burst of them once, and every two seconds; until it is cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(_QUIET_SECONDS):
                    await self._changed.wait()
            self._changed.clear()
            started = loop.time()
            await self.attempt(look)
            await asyncio.sleep(max(_BURST_SECONDS, _SHARE_OF_TIME * (loop.time() - started)))

    async def attempt(self, look: Callable[[], Awaitable[None]]) -> None:
        """The look was made, or `outage` says why the store did not answer."""
        try:
            if isinstance(self.outage, StoreMoved):
                await self.open_anew()
            await look()
        except GoalError as error:
            self.outage = error
        else:
            self.outage = None

    async def open_anew(self) -> None:
        """The store is the one that is there now.

        Raises:
            StoreError: there is none that can be opened.
        """
        former, self.store = self.store, await self._reopen()
        await former.close()

    async def close(self) -> None:
        """The store is let go."""
        await self.store.close()

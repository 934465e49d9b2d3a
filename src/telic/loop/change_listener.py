"""Listening for changes of goals, whichever process commits them."""

import asyncio
from collections.abc import Callable
from types import TracebackType

from telic.domain.errors import StoreClosed, StoreError
from telic.domain.events import FeedEvent
from telic.store.async_store import AsyncGoalStore

_RETRY_SECONDS = 1.0


class ChangeListener:
    """While entered, wakes its waiter with each event for which `on_event` is True. It outlasts the store's absence."""

    def __init__(
        self, store: AsyncGoalStore, on_event: Callable[[FeedEvent], bool], *, goal_id: str | None = None
    ) -> None:
        self._store = store
        self._on_event = on_event
        self._goal_id = goal_id
        self._changed = asyncio.Event()
        self._listening: asyncio.Task[None] | None = None

    async def __aenter__(self) -> "ChangeListener":
        self._listening = asyncio.create_task(self._listen())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._listening is not None
        self._listening.cancel()
        await asyncio.wait({self._listening})

    async def changed(self) -> None:
        """Return once there was such an event since this was last awaited."""
        await self._changed.wait()
        self._changed.clear()

    async def wait(self, seconds: float) -> None:
        """Return once there was such an event, or the seconds have passed."""
        try:
            async with asyncio.timeout(seconds):
                await self.changed()
        except TimeoutError:
            return

    async def _listen(self) -> None:
        while True:
            try:
                async for event in self._store.watch(goal_id=self._goal_id):
                    if self._on_event(event):
                        self._changed.set()
                return
            except StoreClosed:
                return
            except StoreError:
                await asyncio.sleep(_RETRY_SECONDS)

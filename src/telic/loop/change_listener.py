"""Being told of changes, as they are committed by whatever process."""

import asyncio
from collections.abc import Callable
from types import TracebackType

from telic.domain.errors import StoreClosed, StoreError
from telic.domain.events import FeedEvent
from telic.store.async_store import AsyncGoalStore

_RETRY_SECONDS = 1.0


class Bell:
    """Rings with each event that `on_event` says True to, while entered. It outlasts the store's absence."""

    def __init__(
        self, store: AsyncGoalStore, on_event: Callable[[FeedEvent], bool], *, goal_id: str | None = None
    ) -> None:
        self._store = store
        self._on_event = on_event
        self._goal_id = goal_id
        self._rung = asyncio.Event()
        self._listening: asyncio.Task[None] | None = None

    async def __aenter__(self) -> "Bell":
        self._listening = asyncio.create_task(self._listen())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._listening is not None
        self._listening.cancel()
        await asyncio.wait({self._listening})

    async def rung(self) -> None:
        """The bell has rung since this was last awaited."""
        await self._rung.wait()
        self._rung.clear()

    async def rest(self, seconds: float) -> None:
        """The bell has rung, or the seconds have passed."""
        try:
            async with asyncio.timeout(seconds):
                await self.rung()
        except TimeoutError:
            return

    async def _listen(self) -> None:
        while True:
            try:
                async for event in self._store.watch(goal_id=self._goal_id):
                    if self._on_event(event):
                        self._rung.set()
                return
            except StoreClosed:
                return
            except StoreError:
                await asyncio.sleep(_RETRY_SECONDS)

"""Keeping open pages as the store is: one watcher for all of them, which draws what changed once.

Pages that show the same share one view. A view is looked at when anything was committed, at most twice a second and
for at most a quarter of the time, however many pages are open; nobody waits for a page that reads slowly.
"""

import asyncio
import json
import logging
import time
from collections.abc import AsyncGenerator, Callable, Hashable, Mapping
from contextlib import asynccontextmanager
from typing import Final, Protocol

from telic.domain.errors import GoalError
from telic.store.async_store import AsyncGoalStore, ChangeWatcher

INTERVAL_SECONDS: Final = 0.5
# So many times as long as a look lasts, the watcher then rests.
REST: Final = 3.0
# Leases and holds expire without a commit.
LOOK_ANYWAY_SECONDS: Final = 5.0

_LOG: Final = logging.getLogger("telic.dashboard")


class LiveView(Protocol):
    """A view that open pages share: fragments, each by the id of its element."""

    async def look(self) -> Mapping[str, str]:
        """Return the fragments that are not as they were at the last look; all of them at first."""
        ...

    def whole(self) -> Mapping[str, str]:
        """Return all fragments as of the last look."""
        ...


class ConflatingQueue:
    """The fragments that one page must still show: only the latest of each is kept."""

    def __init__(self) -> None:
        self._fragments: dict[str, str] = {}
        self._has_something = asyncio.Event()
        self.is_closed = False

    def put(self, fragments: Mapping[str, str]) -> None:
        """The page will show these."""
        self._fragments |= fragments
        self._has_something.set()

    def close(self) -> None:
        """Nothing more comes; a page that waits goes on."""
        self.is_closed = True
        self._has_something.set()

    async def take(self) -> list[str]:
        """Return what the page must show, as soon as there is something; nothing once the queue is closed."""
        await self._has_something.wait()
        self._has_something.clear()
        fragments, self._fragments = self._fragments, {}
        return list(fragments.values())


class Channel:
    """A view, and the pages that show it."""

    def __init__(self, view: LiveView) -> None:
        self._view = view
        self._turn = asyncio.Lock()
        self.queues: set[ConflatingQueue] = set()

    async def look(self) -> None:
        """Every page will show what changed, unless the store is away."""
        # Two looks at once would each send what the other has found, and the older one last.
        try:
            async with self._turn:
                changed = _encoded(await self._view.look())
        except GoalError as error:
            # The store may be away: the next look comes soon, and what was missed is then still different.
            _LOG.warning("a page could not be kept live: %s", error.code)
            return
        for queue in self.queues if changed else ():
            queue.put(changed)

    def subscribe(self, queue: ConflatingQueue) -> None:
        """Send the page the whole view now, and what changes from now on."""
        self.queues.add(queue)
        queue.put(_encoded(self._view.whole()))


class Broadcaster:
    """All open pages of one dashboard."""

    def __init__(self, store: AsyncGoalStore, max_pages: int) -> None:
        self._store = store
        self._max_pages = max_pages
        self._channels: dict[Hashable, Channel] = {}
        self._has_pages = asyncio.Event()

    @property
    def is_full(self) -> bool:
        """Return whether no more pages can be kept live."""
        return sum(len(channel.queues) for channel in self._channels.values()) >= self._max_pages

    @asynccontextmanager
    async def joined(self, key: Hashable, make: Callable[[], LiveView]) -> AsyncGenerator[ConflatingQueue, None]:
        """Inside the context, one more page is subscribed to the view of this key; its queue is given."""
        channel = self._channels.setdefault(key, Channel(make()))
        queue = ConflatingQueue()
        channel.subscribe(queue)
        self._has_pages.set()
        try:
            await channel.look()
            yield queue
        finally:
            channel.queues.discard(queue)
            if not channel.queues and self._channels.get(key) is channel:
                del self._channels[key]
            if not self._channels:
                self._has_pages.clear()

    async def run(self) -> None:
        """Pages are kept as the store is, until this is cancelled."""
        watcher = ChangeWatcher(self._store)
        try:
            while True:
                await self._has_pages.wait()
                watcher.mark()
                started = time.perf_counter()
                await self._look()
                await asyncio.sleep(max(INTERVAL_SECONDS, REST * (time.perf_counter() - started)))
                await self._rest(watcher)
        finally:
            watcher.close()

    async def _look(self) -> None:
        for channel in list(self._channels.values()):
            await channel.look()
            # Reads of SQLite never wait, and so would keep requests from being answered.
            await asyncio.sleep(0)

    async def _rest(self, watcher: ChangeWatcher) -> None:
        try:
            await watcher.wait(LOOK_ANYWAY_SECONDS)
        except GoalError as error:
            _LOG.warning("the store cannot be watched: %s", error.code)
            await asyncio.sleep(INTERVAL_SECONDS)

    def close(self) -> None:
        """End the streams of all open pages."""
        for channel in self._channels.values():
            for queue in channel.queues:
                queue.close()


def _encoded(fragments: Mapping[str, str]) -> dict[str, str]:
    # A JSON string has no line breaks of its own, which would end the event that carries it.
    return {name: json.dumps(text) for name, text in fragments.items()}

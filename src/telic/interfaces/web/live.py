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
from telic.store.async_store import AsyncGoalStore
from telic.store.change_watcher import Observer

INTERVAL_SECONDS: Final = 0.5
REST: Final = 3.0
"""How much longer than a look lasts the watcher then rests."""
LOOK_ANYWAY_SECONDS: Final = 5.0
"""Leases and holds expire without a commit."""

_LOG: Final = logging.getLogger("telic.dashboard")


class LiveView(Protocol):
    """What some open pages show, as fragments by the id of their element."""

    async def look(self) -> Mapping[str, str]:
        """The fragments that are not as they were at the last look; all of them at first."""
        ...

    def whole(self) -> Mapping[str, str]:
        """All fragments as of the last look."""
        ...


class ConflatingQueue:
    """What one page has still to be told. Only the latest of each fragment is kept."""

    def __init__(self) -> None:
        self._fragments: dict[str, str] = {}
        self._has_something = asyncio.Event()
        self.is_closed = False

    def put(self, fragments: Mapping[str, str]) -> None:
        """The page will be told these."""
        self._fragments |= fragments
        self._has_something.set()

    def close(self) -> None:
        """The page will be told nothing more."""
        self.is_closed = True
        self._has_something.set()

    async def take(self, seconds: float) -> list[str]:
        """What there is to tell, as soon as there is something; nothing when the seconds are over."""
        try:
            async with asyncio.timeout(seconds):
                await self._has_something.wait()
        except TimeoutError:
            return []
        self._has_something.clear()
        fragments, self._fragments = self._fragments, {}
        return list(fragments.values())


class _Channel:
    """A view, and the pages that show it."""

    def __init__(self, view: LiveView) -> None:
        self._view = view
        self._turn = asyncio.Lock()
        self.mailboxes: set[ConflatingQueue] = set()

    async def look(self) -> None:
        """Every page will be told what changed."""
        async with self._turn:
            changed = encoded(await self._view.look())
        for mailbox in self.mailboxes if changed else ():
            mailbox.put(changed)

    def welcome(self, mailbox: ConflatingQueue) -> None:
        """The page will be told everything, and from now on what changes."""
        self.mailboxes.add(mailbox)
        mailbox.put(encoded(self._view.whole()))


class Broadcaster:
    """All open pages of one dashboard."""

    def __init__(self, store: AsyncGoalStore, max_pages: int) -> None:
        self._store = store
        self._max_pages = max_pages
        self._topics: dict[Hashable, _Channel] = {}
        self._has_pages = asyncio.Event()

    @property
    def is_full(self) -> bool:
        """Whether no more pages can be kept live."""
        return sum(len(topic.mailboxes) for topic in self._topics.values()) >= self._max_pages

    @asynccontextmanager
    async def joined(self, key: Hashable, make: Callable[[], LiveView]) -> AsyncGenerator[ConflatingQueue, None]:
        """One more page shows the view of this key, until it leaves."""
        topic = self._topics.setdefault(key, _Channel(make()))
        mailbox = ConflatingQueue()
        topic.welcome(mailbox)
        self._has_pages.set()
        try:
            await _look_at(topic)
            yield mailbox
        finally:
            topic.mailboxes.discard(mailbox)
            if not topic.mailboxes and self._topics.get(key) is topic:
                del self._topics[key]
            if not self._topics:
                self._has_pages.clear()

    async def run(self) -> None:
        """Pages are kept as the store is, until this is cancelled."""
        observer = Observer(self._store)
        try:
            while True:
                await self._has_pages.wait()
                observer.note()
                started = time.perf_counter()
                await self._look()
                await asyncio.sleep(max(INTERVAL_SECONDS, REST * (time.perf_counter() - started)))
                await self._rest(observer)
        finally:
            observer.close()

    async def _look(self) -> None:
        for topic in list(self._topics.values()):
            await _look_at(topic)
            # Reads of SQLite never wait, and so would keep requests from being answered.
            await asyncio.sleep(0)

    async def _rest(self, observer: Observer) -> None:
        try:
            await observer.wait(LOOK_ANYWAY_SECONDS)
        except GoalError as error:
            _LOG.warning("the store cannot be watched: %s", error.code)
            await asyncio.sleep(INTERVAL_SECONDS)

    def close(self) -> None:
        """Every open page is let go."""
        for topic in self._topics.values():
            for mailbox in topic.mailboxes:
                mailbox.close()


async def _look_at(topic: _Channel) -> None:
    try:
        await topic.look()
    except GoalError as error:
        # The store may be away: the next look comes soon, and what was missed is then still different.
        _LOG.warning("a page could not be kept live: %s", error.code)


def encoded(fragments: Mapping[str, str]) -> dict[str, str]:
    """Each fragment as a JSON string, which has no line breaks of its own."""
    return {name: json.dumps(text) for name, text in fragments.items()}


def message(fragments: list[str]) -> str:
    """The server-sent event that carries these encoded fragments; without any, a sign of life."""
    return f"event: fragments\ndata: [{','.join(fragments)}]\n\n" if fragments else ": still here\n\n"

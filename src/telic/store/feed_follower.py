"""How a watcher follows the feed: what blocking and async stores share of it."""

import time
from collections.abc import Sequence
from typing import Final

from telic.domain.events import EventPage, FeedEvent
from telic.domain.limits import MAX_PAGE
from telic.storage.operations import feed
from telic.storage.transaction import Transaction

_LONGEST_WAIT_SECONDS: Final = 5.0
_PAUSE_SECONDS: Final = 0.25


class FeedFollower:
    """Where a watcher stands in the feed, and how long it is to wait before it looks again."""

    def __init__(self, scope: str | None, goal_id: str | None, after: str | None, idle_seconds: float | None) -> None:
        self._scope = scope
        self._goal_id = goal_id
        self._cursor = after
        self._idle_seconds = idle_seconds
        self._idle_since = time.monotonic()
        self.wait_seconds = 0.0

    async def next_page(self, tx: Transaction) -> EventPage:
        """The events that came since; none at first where the watcher begins now."""
        if self._cursor is None:
            return EventPage((), await feed.present(tx))
        return await feed.feed(tx, after=self._cursor, scope=self._scope, goal_id=self._goal_id, limit=MAX_PAGE)

    def accept(self, page: EventPage) -> Sequence[FeedEvent]:
        """The page's events; the next page begins after them."""
        is_first = self._cursor is None
        self._cursor = page.cursor
        if page.events:
            self._idle_since = time.monotonic()
        self.wait_seconds = 0.0 if page.events or is_first else self._seconds_left(_LONGEST_WAIT_SECONDS)
        return page.events

    def postpone(self) -> None:
        """The store was away; the next look comes soon."""
        self.wait_seconds = self._seconds_left(_PAUSE_SECONDS)

    def _seconds_left(self, most: float) -> float:
        if self._idle_seconds is None:
            return most
        return max(0.0, min(most, self._idle_since + self._idle_seconds - time.monotonic()))

    @property
    def has_ended(self) -> bool:
        """Whether nothing came for so long that the watch is over."""
        return self._idle_seconds is not None and time.monotonic() > self._idle_since + self._idle_seconds

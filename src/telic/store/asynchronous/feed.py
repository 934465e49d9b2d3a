"""Reading the history: one goal's, or every goal's as it is written."""

from collections.abc import AsyncIterator, Sequence
from typing import overload

from telic.domain.errors import PASSING, StoreClosed
from telic.domain.events import Event
from telic.domain.feed import EventPage, FeedEvent
from telic.storage.operations import feed, ledger
from telic.storage.transaction import Mode
from telic.store.asynchronous.base import StoreBase
from telic.store.feed_follower import Follower


class FeedCalls(StoreBase):
    """Reading the history: one goal's, or every goal's as it is written."""

    @overload
    async def events(self, goal_id: str, *, after: int = 0, limit: int = 1000) -> Sequence[Event]: ...
    @overload
    async def events(
        self, goal_id: None = None, *, scope: str | None = None, after: str | None = None, limit: int = 1000
    ) -> EventPage: ...
    async def events(
        self,
        goal_id: str | None = None,
        *,
        scope: str | None = None,
        after: int | str | None = 0,
        limit: int = 1000,
    ) -> Sequence[Event] | EventPage:
        """One goal's events numbered above `after`; or, without a goal, the feed's events after the cursor `after`.

        At most `limit` (1 to 1,000), in order. The feed has every committed event exactly once, and each goal's in
        the order of its revisions; without a cursor it begins with the first. A page's `cursor` continues it, also
        in another process and after a restart.

        Raises:
            GoalNotFound: there is no goal with this id.
            InvalidCursor: the cursor was made by another database's feed, or by none.
            InvalidInput: an argument is unusable.
        """
        if goal_id is not None:
            number = feed.event_number(after, scope)
            return await self.run("events", lambda tx: ledger.events(tx, goal_id, after=number, limit=limit), Mode.READ)
        cursor = feed.cursor_text(after)
        return await self.run(
            "events", lambda tx: feed.feed(tx, after=cursor, scope=scope, goal_id=None, limit=limit), Mode.READ
        )

    async def cursor(self) -> str:
        """The feed's present end: the cursor after which only events come that are not yet committed."""
        return await self.run("cursor", feed.present, Mode.READ)

    async def watch(
        self,
        *,
        scope: str | None = None,
        goal_id: str | None = None,
        after: str | None = None,
        idle_seconds: float | None = None,
    ) -> AsyncIterator[FeedEvent]:
        """Every event after the cursor as it is committed, by whatever process; without a cursor, from now on.

        "Now" is when the first one is asked for; take `cursor()` before what must not be missed. It outlasts the
        database's restarts. It ends when the store is closed, or no event came for `idle_seconds`.

        Raises:
            InvalidCursor: the cursor was made by another database's feed, or by none.
        """
        changes = self.changes()
        follower = Follower(scope, goal_id, after, idle_seconds)
        try:
            while not follower.has_ended:
                token = None
                try:
                    token = changes.token()
                    page = await self.run("watch", follower.next_page, Mode.READ)
                except PASSING as error:
                    follower.missed(error)
                else:
                    for event in follower.took(page):
                        yield event
                if follower.wait_seconds:
                    await changes.wait(token, follower.wait_seconds)
        except StoreClosed:
            return
        finally:
            changes.close()

"""Reading the history as it is written, and the sums of the ledger."""

from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from typing import overload

from telic.domain.clock import Instant
from telic.domain.errors import PASSING, StoreClosed
from telic.domain.events import Event, EventPage, FeedEvent
from telic.domain.limits import check_choice, check_instant
from telic.domain.report import UsageFilter, UsageGrouping, UsageReport
from telic.storage.operations import feed, ledger
from telic.storage.operations.feed import FeedFollower
from telic.storage.operations.reports import Reporter
from telic.storage.transaction import Mode
from telic.store.asynchronous.base import StoreBase, let_others_run


class FeedMethods(StoreBase):
    """Reading the history as it is written, and the sums of the ledger."""

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
        return await self.run("cursor", feed.current_cursor, Mode.READ)

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
        follower = FeedFollower(scope, goal_id, after, idle_seconds)
        try:
            while not follower.has_ended:
                token = None
                try:
                    token = changes.token()
                    page = await self.run("watch", follower.next_page, Mode.READ)
                except PASSING:
                    follower.postpone()
                else:
                    for event in follower.accept(page):
                        yield event
                if follower.wait_seconds:
                    await changes.wait(token, follower.wait_seconds)
        except StoreClosed:
            return
        finally:
            changes.close()

    async def usage(
        self,
        *,
        by: UsageGrouping | str = UsageGrouping.GOAL,
        scope: str | None = None,
        goal_id: str | None = None,
        since: Instant | datetime | None = None,
        until: Instant | datetime | None = None,
        limit: int = 1000,
    ) -> UsageReport:
        """Return the usage of one goal, one scope or all, by goal, scope, kind, model or day in UTC.

        Of turns recorded at or after `since` and before `until`: aware datetimes, or microseconds since the epoch.
        The `limit` (1 to 100,000) groups with the most tokens are named, of days the latest; the total has all. Sums
        are exact, however large. The ledger is read in small parts, which hold up nobody: turns recorded meanwhile may
        be in the report or not. A whole ledger by goal or scope costs as many reads as there are goals; any other
        report as many as there are turns. What expired holds of goals that have ended may have cost is counted first,
        as estimates.

        Raises:
            GoalNotFound, InvalidInput: an argument is unusable.
        """
        by = check_choice(UsageGrouping, "what a report is by", by)
        begin, end = check_instant("since", since), check_instant("until", until)
        reporter = Reporter(UsageFilter(by=by, scope=scope, goal_id=goal_id, since=begin, until=end, limit=limit))
        await self._count_expired_of_ended(goal_id)
        while reporter.is_unfinished:
            reporter.took(await self.run("usage", reporter.next_step, Mode.READ))
            await let_others_run()
        return reporter.report()

"""The feed of all events, following it, and the counts of goals by status that it keeps up to date."""

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from telic.domain.errors import InvalidCursor, InvalidInput
from telic.domain.events import Cursor, EventKind, EventPage, FeedEvent, Position, parse_cursor
from telic.domain.goal import GoalStatus
from telic.domain.ids import check_id
from telic.domain.lifecycle import STATUS_OF
from telic.domain.limits import MAX_PAGE, check_counter, check_name, check_page_size
from telic.storage.records import event_from_row
from telic.storage.transaction import Transaction, Value


def cursor_text(after: int | str | None) -> str | None:
    """Return the cursor, where one was given; raise InvalidInput for a number, which means nothing without a goal."""
    if isinstance(after, str):
        return after
    if after is None or after == 0:
        return None
    raise InvalidInput("without a goal, `after` is a cursor of the feed")


def event_number(after: int | str | None, scope: str | None) -> int:
    """Return the number of an event of one goal; raise InvalidInput for a scope beside the goal, or for a cursor."""
    if scope is not None:
        raise InvalidInput("give a goal or a scope, not both")
    return check_counter("after", after)


async def feed(tx: Transaction, *, after: str | None, scope: str | None, goal_id: str | None, limit: int) -> EventPage:
    """Return up to `limit` committed events that come after the cursor, from the very first where there is none."""
    start = None if after is None else parse_cursor(after)
    check_page_size(limit)
    page = await _page(tx, start, scope, goal_id, limit)
    if start is None or not start.until.snapshot or page:
        return page
    # What the cursor's snapshot could see was at its end; an empty page shall mean that there is no more.
    return await _page(tx, parse_cursor(page.cursor), scope, goal_id, limit)


async def current_cursor(tx: Transaction) -> str:
    """Return the cursor of the present: after it come only events that are not committed yet."""
    return (await _page(tx, None, None, None, 0)).cursor


async def _page(tx: Transaction, at: Cursor | None, scope: str | None, goal_id: str | None, limit: int) -> EventPage:
    start = at or Cursor("")
    parameters: dict[str, Value] = {
        "until": start.until.snapshot,
        "until_mark": start.until.mark,
        "until_sequence": start.until.sequence,
        "before_mark": start.before.mark,
        "before_sequence": start.before.sequence,
        "after": start.after,
        "scope": None if scope is None else check_name("scope", scope),
        "goal_id": None if goal_id is None else check_id(goal_id),
        "limit": limit,
    }
    before = start.before.snapshot
    if not before:
        rows = await tx.all("feed.first", parameters)
    elif parameters["after"]:
        rows = await tx.all("feed.rest", parameters | {"before": before})
    else:
        rows = await tx.all("feed.next", parameters | {"before": before})
    (bounds,) = [row for row in rows if row[2] is None]
    upper_bound, store_id, _, mark = bounds[:4]
    if at is not None and at.store_id != store_id:
        raise InvalidCursor(
            "the cursor was made by another database's feed, or before this one was set back: an older copy was"
            " restored, or a failover lost writes. Read the feed from its beginning"
        )
    upper = Position(upper_bound, mark)
    position = Cursor(store_id, start.before, upper)
    found = sorted(row[2:] for row in rows if row[2] is not None)
    events = tuple(FeedEvent(event_from_row(row[2:]), row[1], str(replace(position, after=row[0]))) for row in found)
    is_full = limit > 0 and len(events) == limit
    return EventPage(events, events[-1].cursor if is_full else str(Cursor(store_id, upper)))


_LONGEST_WAIT_SECONDS: Final = 5.0
_PAUSE_SECONDS: Final = 0.25


class FeedFollower:
    """A watcher's place in the feed, and the seconds that it waits before it looks again."""

    def __init__(self, scope: str | None, goal_id: str | None, after: str | None, idle_seconds: float | None) -> None:
        self._scope = scope
        self._goal_id = goal_id
        self._cursor = after
        self._idle_seconds = idle_seconds
        self._idle_since = time.monotonic()
        self.wait_seconds = 0.0

    async def next_page(self, tx: Transaction) -> EventPage:
        """Return the events that came since; none at first where the watcher begins now."""
        if self._cursor is None:
            # The watch begins now: what is there already is not shown, and nothing after this moment is missed.
            return EventPage((), await current_cursor(tx))
        return await feed(tx, after=self._cursor, scope=self._scope, goal_id=self._goal_id, limit=MAX_PAGE)

    def accept(self, page: EventPage) -> Sequence[FeedEvent]:
        """Return the page's events; the next page begins after them."""
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


_SOURCES: Final = {EventKind.RESUMED: GoalStatus.PAUSED, EventKind.COMPLETED: GoalStatus.ACTIVE}
"""The status before; a goal that is paused once more or cleared may have been active or paused."""


@dataclass(frozen=True, slots=True)
class StatusMoves:
    """From which status goals went to which, in order; a new goal comes from None. The cursor continues it."""

    moves: tuple[tuple[GoalStatus | None, GoalStatus], ...]
    cursor: str
    is_last: bool


async def status_counts(tx: Transaction) -> tuple[Counter[GoalStatus], str]:
    """Return how many goals have each status, and the feed's cursor at that very moment."""
    counts: Counter[GoalStatus] = Counter()
    cursor = ""
    for status, goals, upper_bound, store_id, mark in await tx.all("feed.status_counts", {"until": ""}):
        if status is None:
            cursor = str(Cursor(store_id, Position(upper_bound, mark)))
        else:
            counts[GoalStatus(status)] = goals
    return counts, cursor


async def status_moves(tx: Transaction, *, after: str) -> StatusMoves:
    """Return what events after the cursor, up to 1,000, have done to the counts.

    Raises:
        InvalidCursor: the database is another one, or was set back.
    """
    page = await feed(tx, after=after, scope=None, goal_id=None, limit=MAX_PAGE)
    known: dict[str, GoalStatus] = {}
    found: list[tuple[GoalStatus | None, GoalStatus]] = []
    for each in page.events:
        target = STATUS_OF.get(each.event.kind)
        if target is not None:
            found.append((await _source(tx, each, known), target))
            known[each.event.goal_id] = target
    return StatusMoves(tuple(found), page.cursor, len(page.events) < MAX_PAGE)


async def _source(tx: Transaction, each: FeedEvent, known: dict[str, GoalStatus]) -> GoalStatus | None:
    event = each.event
    if event.kind is EventKind.CREATED:
        return None
    if event.kind in _SOURCES:
        return _SOURCES[event.kind]
    if event.goal_id in known:
        return known[event.goal_id]
    row = await tx.one_or_none("events.kind_before", {"id": event.goal_id, "number": event.number})
    return None if row is None else STATUS_OF[EventKind(row[0])]

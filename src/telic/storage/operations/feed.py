"""The feed: pages of committed events, each exactly once."""

from telic.domain.errors import InvalidCursor, InvalidInput
from telic.domain.feed import Cursor, EventPage, FeedEvent, Position, parse_cursor
from telic.domain.ids import check_id
from telic.domain.limits import check_counter, check_name, check_page_size
from telic.storage.records import event_from_row
from telic.storage.transaction import Row, Transaction, Value


def cursor_text(after: int | str | None) -> str | None:
    """The cursor, where one was given.

    Raises:
        InvalidInput: it is a number, which means nothing without a goal.
    """
    if isinstance(after, str):
        return after
    if after is None or after == 0:
        return None
    raise InvalidInput("without a goal, `after` is a cursor of the feed")


def event_number(after: int | str | None, scope: str | None) -> int:
    """The number of an event of one goal; 0 is before the first.

    Raises:
        InvalidNumber: it is a cursor, or no count.
        InvalidInput: a scope was given beside the goal.
    """
    if scope is not None:
        raise InvalidInput("give a goal or a scope, not both")
    return check_counter("after", after)


async def feed(tx: Transaction, *, after: str | None, scope: str | None, goal_id: str | None, limit: int) -> EventPage:
    """Up to `limit` committed events that come after the cursor, from the very first where there is none.

    Raises:
        InvalidCursor: it was made by another database's feed, or by none.
    """
    start = None if after is None else parse_cursor(after)
    check_page_size(limit)
    page = await _page(tx, start, scope, goal_id, limit)
    if start is None or not start.until.snapshot or page:
        return page
    # What the cursor's snapshot could see was at its end; an empty page shall mean that there is no more.
    return await _page(tx, parse_cursor(page.cursor), scope, goal_id, limit)


async def present(tx: Transaction) -> str:
    """The cursor after which only events come that are not yet committed."""
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
    events = tuple(_event(position, row) for row in sorted(row[2:] for row in rows if row[2] is not None))
    is_full = limit > 0 and len(events) == limit
    return EventPage(events, events[-1].cursor if is_full else str(Cursor(store_id, upper)))


def _event(position: Cursor, row: Row) -> FeedEvent:
    sequence, scope = row[:2]
    cursor = Cursor(position.store_id, position.before, position.until, sequence)
    return FeedEvent(event_from_row(row[2:]), scope, str(cursor))

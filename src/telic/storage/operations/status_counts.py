"""Counting goals by their status: all of them once, and then what the feed tells."""

from collections import Counter
from dataclasses import dataclass
from typing import Final

from telic.domain.events import EventKind
from telic.domain.feed import Cursor, FeedEvent, Position
from telic.domain.goal import GoalStatus
from telic.domain.lifecycle import STATUS_OF
from telic.domain.limits import MAX_PAGE
from telic.storage.operations.feed import feed
from telic.storage.transaction import Transaction

_SOURCES: Final = {EventKind.RESUMED: GoalStatus.PAUSED, EventKind.COMPLETED: GoalStatus.ACTIVE}
"""What a goal was before; one that is paused anew or cleared may have been active or paused."""


@dataclass(frozen=True, slots=True)
class StatusMoves:
    """From which status goals went to which, in order; a new goal comes from None. The cursor continues it."""

    moves: tuple[tuple[GoalStatus | None, GoalStatus], ...]
    cursor: str
    is_last: bool


async def count(tx: Transaction) -> tuple[Counter[GoalStatus], str]:
    """How many goals have each status, and the feed's cursor at that very moment."""
    counts: Counter[GoalStatus] = Counter()
    cursor = ""
    for status, goals, upper_bound, store_id, mark in await tx.all("feed.status_counts", {"until": ""}):
        if status is None:
            cursor = str(Cursor(store_id, Position(upper_bound, mark)))
        else:
            counts[GoalStatus(status)] = goals
    return counts, cursor


async def moves(tx: Transaction, *, after: str) -> StatusMoves:
    """What events after the cursor, up to 1,000, have done to the counts.

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
    row = await tx.maybe("events.kind_before", {"id": event.goal_id, "number": event.number})
    return None if row is None else STATUS_OF[EventKind(row[0])]

"""The feed: every committed event once."""

from typing import Any

import pytest

from telic import EventKind, InvalidInput
from telic.errors import InvalidCursor


async def test_the_feed_has_every_event_once(store: Any) -> None:
    """In order, in pages of any size, and continued by a cursor."""
    goals = [await store.create(f"goal {number}", scope=f"scope {number % 2}") for number in range(5)]
    whole = await store.events()
    assert len(whole) == 5 + 3
    seen, cursor = [], None
    while page := await store.events(after=cursor, limit=3):
        seen += list(page)
        cursor = page.cursor
    assert [item.event for item in seen] == [item.event for item in whole]
    assert [item.scope for item in seen if item.event.goal_id == goals[4].id] == ["scope 0"]
    await store.pause(goals[4].id)
    later = await store.events(after=cursor)
    assert [item.event.kind for item in later] == [EventKind.PAUSED]
    assert list(await store.events(after=later.cursor)) == []
    assert len(await store.events(scope="scope 1")) == 2 + 1


async def test_every_event_has_its_own_cursor(store: Any) -> None:
    """A reader that stops in the middle of a page goes on exactly there."""
    for number in range(4):
        await store.create(f"goal {number}", scope=f"scope {number}")
    start = await store.cursor()
    assert list(await store.events(after=start)) == []
    goal = await store.create("one more", scope="more")
    await store.pause(goal.id)
    await store.resume(goal.id)
    page = await store.events(after=start)
    assert [item.event.number for item in page] == [1, 2, 3]
    for index, item in enumerate(page):
        assert list(await store.events(after=item.cursor)) == list(page[index + 1 :])


@pytest.mark.parametrize(
    "cursor", ["", "7", "x/y/z/0", "0" * 32 + "//0:0:/1", "0" * 32 + "/5:4:/5:4:/1", "0" * 32 + "/1:9:3,2/1:9:/1", 7]
)
async def test_a_cursor_is_not_made_up(store: Any, cursor: Any) -> None:
    """What no feed gave is refused."""
    with pytest.raises(InvalidInput):
        await store.events(after=cursor)


async def test_a_cursor_of_another_database_is_refused(store: Any) -> None:
    """Its position would mean something else here."""
    with pytest.raises(InvalidCursor):
        await store.events(after="0" * 32 + "/57:57:/57:57:/3")

"""Looking over many goals, and at one with all that is kept of it."""

from typing import Any

import pytest

from telic import Actor, Budget, Criterion, EventKind, GoalNotFound, GoalOrder, GoalStatus, InvalidInput, Reason
from telic.domain.verdict import Outcome, Verdict
from telic.domain.verification import Verification
from telic.errors import InvalidCursor, InvalidNumber
from telic.storage.operations import views
from telic.testing.contract import refuses


async def _seen(store: Any, **filters: Any) -> list[str]:
    texts: list[str] = []
    cursor = None
    while True:
        page = await store.list(cursor=cursor, **filters)
        texts += [entry.goal.text for entry in page.entries]
        cursor = page.next_cursor
        if cursor is None:
            return texts


async def test_listing_reaches_every_goal_once_in_either_order(store: Any) -> None:
    """Pages follow one another without a gap, newest or oldest first."""
    texts = [f"goal {number}" for number in range(12)]
    for text in texts:
        await store.create(text, scope=text)
    assert await _seen(store, order=GoalOrder.OLDEST, limit=5) == texts
    assert await _seen(store, limit=5) == texts[::-1]
    assert await _seen(store, limit=6) == texts[::-1]


async def test_listing_by_change_puts_the_last_changed_goal_first(store: Any) -> None:
    """Each goal comes once, by its latest event; recording a turn is no change."""
    goals = [await store.create(text, scope=text) for text in ("first", "second", "third")]
    await store.pause(goals[0].id)
    await store.record_turn(goals[1].id, tokens=5)
    assert await _seen(store, order=GoalOrder.CHANGED, limit=2) == ["first", "third", "second"]
    assert await _seen(store, order=GoalOrder.CHANGED, status=GoalStatus.ACTIVE) == ["third", "second"]
    assert await _seen(store, order=GoalOrder.CHANGED, scope="second") == ["second"]


async def test_listing_filters_by_all_that_a_goal_shows(store: Any) -> None:
    """Scope, status, reason, text and worker narrow the page, alone and together, in each order."""
    await store.create("Alpha", scope="a")
    await store.create("Beta", scope="a")
    driven = await store.create("gamma", scope="b")
    await store.claim(driven.id, worker="worker-1")
    for order in GoalOrder:
        assert await _seen(store, order=order, scope="b") == ["gamma"]
        assert await _seen(store, order=order, status=GoalStatus.PAUSED) == ["Alpha"]
        assert await _seen(store, order=order, reason=Reason.SUPERSEDED) == ["Alpha"]
        assert await _seen(store, order=order, text="BET") == ["Beta"]
        assert await _seen(store, order=order, worker="worker-1") == ["gamma"]
        assert await _seen(store, order=order, worker="worker-2") == []
        assert await _seen(store, order=order, scope="a", status=GoalStatus.ACTIVE, text="a") == ["Beta"]


async def test_listing_tells_who_drives(store: Any) -> None:
    """An entry has the lease's worker, and none where nobody drives."""
    driven = await store.create("driven", scope="b")
    await store.create("free", scope="c")
    await store.claim(driven.id, worker="worker-1")
    page = await store.list(order=GoalOrder.OLDEST)
    assert [goal.text for goal in page] == [goal.text for goal in page.goals] == ["driven", "free"]
    assert [entry.worker for entry in page.entries] == ["worker-1", None]
    assert page.entries[0].expires_in_microseconds > 0


async def test_iterating_gives_every_goal_once(store: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Page after page, in the order that is asked for, with all filters of a listing."""
    monkeypatch.setattr(views, "LOOKED_AT", 4)
    texts = [f"goal {number}" for number in range(9)]
    for text in texts:
        await store.create(text, scope="odd" if int(text[-1]) % 2 else "even")
    assert await _iterated(store) == texts[::-1]
    assert await _iterated(store, order=GoalOrder.OLDEST, text="goal") == texts
    assert await _iterated(store, scope="odd", status=GoalStatus.ACTIVE) == ["goal 7"]
    assert await _iterated(store, scope="none") == []


async def _iterated(store: Any, **filters: Any) -> list[str]:
    return [goal.text async for goal in store.iterate(**filters)]


async def test_a_long_search_is_cut_short_and_can_go_on(store: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A page looks at a bounded number of goals; the cursor goes on where it ended, and nothing is missed."""
    monkeypatch.setattr(views, "LOOKED_AT", 4)
    monkeypatch.setattr(views, "EVENTS_LOOKED_AT", 4)
    await store.create("the needle", scope="needle")
    for number in range(10):
        await store.create(f"hay {number}", scope=str(number))
    page = await store.list(text="needle")
    assert (page.entries, page.is_cut_short) == ((), True)
    for order in GoalOrder:
        assert await _seen(store, text="needle", order=order) == ["the needle"]
        assert len(await _seen(store, text="hay", order=order, limit=3)) == 10


async def test_a_listing_refuses_cursors_of_another_order(store: Any) -> None:
    """A cursor of another order, a wrong limit, order or reason: each has its error."""
    await store.create("a", scope="a")
    await store.create("b", scope="b")
    cursor = (await store.list(limit=1)).next_cursor
    for strange, order in ((cursor, GoalOrder.OLDEST), ("newest-", GoalOrder.NEWEST), ("1", GoalOrder.NEWEST)):
        await refuses(InvalidCursor, store.list(cursor=strange, order=order))
    for limit in (0, 1001):
        await refuses(InvalidNumber, store.list(limit=limit))
    for wrong in ({"order": "random"}, {"reason": "bored"}, {"status": "running"}, {"worker": ""}):
        await refuses(InvalidInput, store.list(**wrong))


async def test_goals_are_counted_by_status(store: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """In all scopes or in one; counting stops at a bound."""
    goals = [await store.create(f"goal {number}", scope="a" if number % 2 else "b") for number in range(5)]
    await store.complete(goals[-1].id)
    counts = await store.count()
    assert (counts.active, counts.paused, counts.completed, counts.cleared) == (1, 3, 1, 0)
    inside = await store.count(scope="a")
    assert (inside.active, inside.paused, inside.completed, inside.cleared) == (1, 1, 0, 0)
    assert (await store.count(scope="nobody's")).active == 0
    monkeypatch.setattr(views, "MAX_COUNTED", 2)
    assert (await store.count()).paused == 2


async def test_an_overview_has_all_of_a_goal(store: Any) -> None:
    """Events newest first, answers, open holds, who drives it, and the course of its usage."""
    goal = await store.create("goal", criteria=[Criterion.approval("Ship it?")], budget=Budget(tokens=1_000))
    await store.claim(goal.id, worker="worker-1")
    hold = await store.hold(goal.id, tokens=100)
    for number in range(3):
        await store.record_turn(goal.id, tokens=10 + number)
    await store.approve(goal.id, 0, decided_by="Ada", actor=Actor.OPERATOR)
    seen = await store.overview(goal.id)
    assert [event.kind for event in seen.events] == [EventKind.APPROVED, EventKind.CREATED]
    assert [(each.outcome, each.why) for each in seen.criteria] == [("approved", ["by Ada"])]
    assert [each.key for each in seen.peek.holds] == [hold.key]
    assert seen.peek.lease.worker == "worker-1"
    assert [(point.lines, point.tokens) for point in seen.usage] == [(1, 10), (1, 11), (1, 12)]
    assert seen.goal == await store.get(goal.id)


async def test_verdicts_outlast_what_else_changes(store: Any) -> None:
    """A goal that its criteria completed shows them passed; one whose criteria were edited shows the new ones."""
    kept, replaced = Criterion.command(["make", "test"]), Criterion.command(["make", "docs"])
    goal = await store.create("goal", criteria=[kept, replaced])
    hashes = tuple(criterion.content_hash for criterion in goal.criteria)
    verdicts = tuple(
        Verdict(index=place, criterion_hash=content_hash, revision=goal.revision, outcome=Outcome.PASSED)
        for place, content_hash in enumerate(hashes[:1])
    )
    await store.verify(goal.id, Verification(revision=goal.revision, criterion_hashes=hashes, verdicts=verdicts))
    assert [each.outcome for each in (await store.overview(goal.id)).criteria] == ["passed", "not checked"]
    await store.pause(goal.id)
    edited = await store.edit(goal.id, criteria=[Criterion.judge("Is it so?"), kept])
    assert edited.revision > goal.revision
    assert [each.outcome for each in (await store.overview(goal.id)).criteria] == ["not checked", "passed"]


async def test_a_long_ledger_is_added_up_in_parts(store: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """There are only so many points, and of a very long ledger the newest lines are read."""
    monkeypatch.setattr(views, "POINTS_SHOWN", 3)
    goal = await store.create("goal")
    for number in range(7):
        await store.record_turn(goal.id, tokens=number)
    assert [(point.lines, point.tokens) for point in (await store.overview(goal.id)).usage] == [(3, 3), (3, 12), (1, 6)]
    monkeypatch.setattr(views, "LINES_READ", 2)
    assert [point.tokens for point in (await store.overview(goal.id)).usage] == [5, 6]


async def test_a_peek_tells_a_change_from_the_passing_of_time(store: Any) -> None:
    """Two peeks are alike until a turn, a hold, a lease or a move."""
    goal = await store.create("goal")
    await store.claim(goal.id, worker="worker-1")
    first = await store.peek(goal.id)
    assert (await store.peek(goal.id)).is_like(first)
    hold = await store.hold(goal.id, tokens=1)
    second = await store.peek(goal.id)
    assert not second.is_like(first)
    await store.record_turn(goal.id, tokens=1, hold=hold.key)
    assert not (await store.peek(goal.id)).is_like(second)
    assert not first.is_like(None)


async def test_looking_at_no_goal_finds_none(store: Any) -> None:
    """There is nothing to be seen of a goal that is not there."""
    for look in (store.peek, store.overview):
        await refuses(GoalNotFound, look("019a0000-0000-7000-8000-000000000000"))

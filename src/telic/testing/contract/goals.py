"""Creating and finding goals."""

from typing import Any

import pytest

from telic import Goal, GoalStatus, Reason, TextTooLong
from telic.testing.clock import FakeClock


async def test_create_pauses_the_active_goal_of_the_scope(store: Any) -> None:
    """A new goal takes the scope's slot; the former one is paused as superseded, at its next revision."""
    first: Goal = await store.create("first goal")
    second: Goal = await store.create("second goal")
    paused: Goal = await store.get(first.id)
    assert (first.status, second.status) == (GoalStatus.ACTIVE, GoalStatus.ACTIVE)
    assert (paused.status, paused.reason, paused.revision) == (GoalStatus.PAUSED, Reason.SUPERSEDED, 2)
    assert await store.active() == second


async def test_a_text_that_is_too_long_is_refused(store: Any) -> None:
    """The bound counts characters; one more is refused with the bound, and nothing is there."""
    with pytest.raises(TextTooLong) as refusal:
        await store.create("x" * 401, max_chars=400)
    assert refusal.value.max == 400
    assert (await store.list()).goals == ()
    assert (await store.create("é" * 400, max_chars=400)).text == "é" * 400


async def test_times_of_a_goal_never_run_backwards(store: Any, clock: FakeClock) -> None:
    """A wall clock that jumps back by an hour makes no duration negative."""
    goal = await store.create("patience")
    clock.advance(-3600)
    goal = await store.pause(goal.id)
    assert goal.updated_at == goal.created_at
    clock.advance(7200)
    assert (await store.clear(goal.id)).ended_at == goal.created_at + 3600 * 1_000_000

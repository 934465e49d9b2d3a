"""Waits: goals that wake by themselves."""

from typing import Any

import pytest

from telic import (
    Actor,
    Budget,
    EventKind,
    GoalNotActive,
    GoalStatus,
    InvalidInput,
    InvalidTransition,
    NotAllowed,
    Reason,
    WouldReplace,
)
from telic.domain.history import replay
from telic.errors import InvalidNumber
from telic.testing.contract import refuses

HOUR = 3_600 * 1_000_000


async def test_a_goal_wakes_at_its_time(store: Any) -> None:
    """Not before; then once, and it is granted in the same call."""
    goal = await store.create("wait")
    until = await store.now() + HOUR
    asleep = await store.pause(goal.id, wake_at=until, reason=Reason.USAGE_LIMIT)
    assert (asleep.wake_at, asleep.reason, asleep.is_waiting) == (until, Reason.USAGE_LIMIT, True)
    assert await store.claim_due(worker="worker") == []
    await store.pause(goal.id, wake_at=await store.now(), reason=Reason.USAGE_LIMIT)
    (lease,) = await store.claim_due(worker="worker")
    assert (lease.goal.id, lease.goal.status, lease.goal.is_waiting) == (goal.id, GoalStatus.ACTIVE, False)
    last = (await store.events(goal.id))[-1]
    assert (last.kind, last.actor, last.data["woken_by"]) == (EventKind.RESUMED, Actor.SYSTEM, "time")


async def test_only_the_databases_clock_wakes(store: Any, clock: Any) -> None:
    """A worker whose own clock is an hour ahead, or behind, wakes nothing early, and nothing late."""
    early, due = [await store.create("wait", scope=scope) for scope in ("early", "due")]
    for hours in (1, -2):
        clock.microseconds = await store.now() + hours * HOUR
        await store.pause(early.id, wake_at=await store.now() + HOUR // 2)
        assert await store.claim_due(worker="worker", scope="early") == []
        await store.pause(due.id, wake_at=await store.now())
        (lease,) = await store.claim_due(worker="worker", scope="due")
        await store.release_lease(lease)


async def test_the_present_is_the_databases(store: Any, clock: Any) -> None:
    """However the caller's own clock jumps."""
    before = await store.now()
    clock.advance(3_600)
    assert before <= await store.now() < before + HOUR


async def test_a_signal_wakes_those_that_wait_for_it(store: Any) -> None:
    """All of them, and nobody else."""
    goals = [await store.create(f"goal {number}", scope=f"scope {number}") for number in range(3)]
    await store.pause(goals[0].id, wake_signal="ci/7")
    await store.pause(goals[1].id, wake_signal="ci/7")
    await store.pause(goals[2].id, wake_signal="ci/8")
    woken = await store.signal("ci/7")
    assert sorted(goal.id for goal in woken) == sorted(goal.id for goal in goals[:2])
    assert await store.signal("ci/7") == []
    assert (await store.get(goals[2].id)).wake_signal == "ci/8"


async def test_waking_by_hand_is_repeatable(store: Any) -> None:
    """The same key wakes once; a goal that waits for nothing is not woken."""
    goal = await store.create("wait")
    await refuses(GoalNotActive, store.wake(goal.id))
    await store.pause(goal.id, wake_signal="ci/7")
    woken = await store.wake(goal.id, key="w")
    assert woken.status is GoalStatus.ACTIVE
    await store.pause(goal.id)
    assert (await store.wake(goal.id, key="w")).status is GoalStatus.PAUSED
    await refuses(GoalNotActive, store.wake(goal.id, key="x"))
    await refuses(NotAllowed, store.wake(goal.id, actor=Actor.MODEL, expected_revision=4))


async def test_a_goal_stays_asleep_where_its_slot_is_taken(store: Any) -> None:
    """The other goal goes on; an event says why, and the wait is over."""
    sleeper = await store.create("sleeper")
    await store.pause(sleeper.id, wake_at=await store.now())
    other = await store.create("other")
    (lease,) = await store.claim_due(worker="worker")
    assert lease.goal.id == other.id
    kept = await store.get(sleeper.id)
    assert (kept.status, kept.reason, kept.is_waiting) == (GoalStatus.PAUSED, Reason.SUPERSEDED, False)
    last = (await store.events(sleeper.id))[-1]
    assert (last.kind, last.data["by"]) == (EventKind.KEPT_ASLEEP, other.id)
    assert replay(sleeper.id, await store.events(sleeper.id), []).goal == kept


async def test_waking_by_hand_pauses_another_goal_only_when_told(store: Any) -> None:
    """Refused, it goes on waiting; allowed, the other is paused for it, and both histories say so."""
    sleeper = await store.create("sleeper")
    asleep = await store.pause(sleeper.id, wake_signal="ci")
    other = await store.create("other")
    for replace in (False, sleeper.id):
        with pytest.raises(WouldReplace) as refused:
            await store.wake(sleeper.id, replace=replace)
        assert refused.value.goal.id == other.id
    assert await store.get(sleeper.id) == asleep
    assert (await store.get(other.id)).status is GoalStatus.ACTIVE
    woken = await store.wake(sleeper.id, replace=other.id, key="w")
    assert (woken.status, woken.is_waiting) == (GoalStatus.ACTIVE, False)
    paused = await store.get(other.id)
    assert (paused.status, paused.reason) == (GoalStatus.PAUSED, Reason.SUPERSEDED)
    assert (await store.events(other.id))[-1].data["by"] == sleeper.id
    for goal in (woken, paused):
        assert replay(goal.id, await store.events(goal.id), []).goal == goal
    assert (await store.wake(sleeper.id, key="w")).id == sleeper.id


async def test_a_goal_without_budget_is_not_woken_over_another(store: Any) -> None:
    """The other goes on: nothing is paused for one that cannot go on itself."""
    sleeper = await store.create("sleeper", token_budget=10)
    await store.pause(sleeper.id, wake_signal="ci")
    await store.record_turn(sleeper.id, tokens=10)
    other = await store.create("other")
    kept = await store.wake(sleeper.id, replace=True)
    assert kept.status is GoalStatus.PAUSED
    assert (await store.get(other.id)).status is GoalStatus.ACTIVE


async def test_a_goal_stays_asleep_without_budget(store: Any) -> None:
    """Turns that came in while it slept have used it up."""
    goal = await store.create("sleeper", token_budget=10)
    await store.pause(goal.id, wake_signal="ci")
    await store.record_turn(goal.id, tokens=10)
    (kept,) = await store.signal("ci")
    assert (kept.status, kept.reason, kept.is_waiting) == (GoalStatus.PAUSED, Reason.BUDGET, False)
    assert replay(goal.id, await store.events(goal.id), await store.turns(goal.id)).goal == kept


async def test_a_waiting_goal_can_be_stopped(store: Any) -> None:
    """Stop wins: paused once more, resumed, edited or cleared, it no longer wakes by itself."""
    for number, change in enumerate(
        (
            lambda goal: store.pause(goal.id),
            lambda goal: store.resume(goal.id),
            lambda goal: store.edit(goal.id, text="other"),
            lambda goal: store.set_budget(goal.id, Budget(tokens=5)),
            lambda goal: store.clear(goal.id),
            lambda goal: store.complete(goal.id),
        )
    ):
        goal = await store.create("sleeper", scope=f"scope {number}")
        await store.pause(goal.id, wake_at=await store.now(), wake_signal="ci")
        changed = await change(goal)
        assert not changed.is_waiting
        assert replay(goal.id, await store.events(goal.id), []).goal == changed
    woken = [lease.goal.scope for lease in await store.claim_due(worker="worker", limit=9)]
    assert woken == ["scope 1"]
    assert await store.signal("ci") == []


async def test_only_a_wait_wakes(store: Any, clock: Any) -> None:
    """A goal that the user paused, or that is not paused, has nothing to wait for."""
    goal = await store.create("sleeper")
    await refuses(InvalidInput, store.pause(goal.id, reason=Reason.USER, wake_at=clock.now()))
    await refuses(InvalidInput, store.transition(goal.id, GoalStatus.CLEARED, wake_signal="ci"))
    await refuses(InvalidNumber, store.pause(goal.id, wake_at=-1))
    await store.pause(goal.id)
    await refuses(InvalidTransition, store.pause(goal.id))

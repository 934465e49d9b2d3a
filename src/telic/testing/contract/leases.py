"""Leases: one worker at a time may drive a goal."""

from typing import Any

import pytest

from telic import Budget, GoalNotActive, GoalNotFound, GoalStatus, InvalidInput, LeaseLost
from telic.errors import InvalidNumber, LeaseHeld
from telic.testing.contract import SHORT_SECONDS, expire, refuses

SECOND = 1_000_000


async def test_one_worker_drives_a_goal(store: Any) -> None:
    """A claim is refused while another's lease lasts, and says whose; each grant has a higher token."""
    goal = await store.create("lease")
    first = await store.claim(goal.id, worker="one")
    with pytest.raises(LeaseHeld) as refused:
        await store.claim(goal.id, worker="two")
    assert refused.value.worker == "one"
    assert 0 < refused.value.expires_in_microseconds <= 60 * SECOND
    assert (await store.lease(goal.id)).worker == "one"
    await store.release_lease(first)
    assert (await store.lease(goal.id)).worker is None
    second = await store.claim(scope="default", worker="two")
    assert second.token > first.token
    assert second.goal == goal


async def test_an_expired_lease_is_lost(store: Any) -> None:
    """Another worker may claim the goal; the former one writes nothing under its lease any more."""
    goal = await store.create("lease")
    old = await store.claim(goal.id, worker="old", ttl_seconds=SHORT_SECONDS)
    await expire()
    await refuses(LeaseLost, store.renew(old))
    new = await store.claim(goal.id, worker="new")
    await refuses(
        LeaseLost,
        store.renew(old),
        store.release_lease(old),
        store.record_turn(goal.id, tokens=5, lease=old),
        store.hold(goal.id, tokens=5, lease=old),
        store.pause(goal.id, lease=old),
        store.complete(goal.id, lease=old),
        store.clear(goal.id, lease=old),
    )
    assert await store.get(goal.id) == goal
    assert await store.holds(goal.id) == []
    assert (await store.renew(new)).token == new.token


async def test_a_lease_is_checked_with_each_write(store: Any) -> None:
    """Its worker writes; a turn recorded before the lease was lost is still the same turn."""
    goal = await store.create("lease", token_budget=100)
    lease = await store.claim(goal.id, worker="worker")
    await store.hold(goal.id, tokens=5, lease=lease, key="h")
    recorded = await store.record_turn(goal.id, tokens=5, lease=lease, hold="h", key="t")
    await store.hold(goal.id, tokens=5, lease=lease, key="i")
    await store.release(goal.id, "i", lease=lease)
    await store.release_lease(lease)
    again = await store.record_turn(goal.id, tokens=5, lease=lease, hold="h", key="t")
    assert again.turn == recorded.turn
    await refuses(LeaseLost, store.release(goal.id, "h", lease=lease))
    await refuses(LeaseLost, store.record_turn(goal.id, tokens=5, lease=lease, key="u"))


async def test_a_lease_is_released_once_however_often_it_is_asked_for(store: Any) -> None:
    """A repeated release gives the goal as it stands, until another was granted it; one that expired is lost."""
    goal = await store.create("lease")
    lease = await store.claim(goal.id, worker="worker")
    assert await store.release_lease(lease) == await store.release_lease(lease) == goal
    await refuses(LeaseLost, store.renew(lease))
    short = await store.claim(goal.id, worker="other", ttl_seconds=SHORT_SECONDS)
    for lost in (lease, short):
        await expire()
        await refuses(LeaseLost, store.release_lease(lost))


async def test_a_worker_that_claims_again_voids_its_former_lease(store: Any) -> None:
    """A worker that was restarted under its name need not wait for itself."""
    goal = await store.create("lease")
    before = await store.claim(goal.id, worker="worker")
    after = await store.claim(goal.id, worker="worker")
    assert before.token < after.token < 2**53
    await refuses(LeaseLost, store.renew(before))


async def test_a_heartbeat_tells_that_the_goal_was_stopped(store: Any) -> None:
    """A pause leaves the lease: the worker may still record its running turn, but a new claim is refused."""
    goal = await store.create("lease")
    lease = await store.claim(goal.id, worker="worker")
    await store.pause(goal.id)
    assert (await store.renew(lease)).goal.status is GoalStatus.PAUSED
    assert (await store.record_turn(goal.id, tokens=5, lease=lease)).goal.turns_used == 1
    await store.release_lease(lease)
    await refuses(GoalNotActive, store.claim(goal.id, worker="worker"))
    await refuses(GoalNotActive, store.claim(scope="default", worker="worker"))
    await refuses(GoalNotFound, store.claim("0" * 36, worker="worker"))
    await refuses(InvalidInput, store.claim(worker="worker"))


async def test_leases_leave_no_trace_in_the_history(store: Any) -> None:
    """A lease changes neither the goal's definition nor its status, so it makes no event."""
    goal = await store.create("lease")
    await store.release_lease(await store.claim(goal.id, worker="worker"))
    assert await store.get(goal.id) == goal
    assert len(await store.events(goal.id)) == 1


async def test_due_goals_are_granted_longest_unserved_first(store: Any) -> None:
    """Each goal is granted once. The goal that was driven last comes last, so no goal is left out for ever."""
    goals = [await store.create(f"goal {number}", scope=f"scope {number}") for number in range(4)]
    await store.pause(goals[3].id)
    first = await store.claim_due(worker="one", limit=2)
    assert sorted(lease.goal.id for lease in first) == sorted(goal.id for goal in goals[:2])
    second = await store.claim_due(worker="two", limit=9)
    assert [lease.goal.id for lease in second] == [goals[2].id]
    assert await store.claim_due(worker="three") == []
    for lease in [*second, *first]:
        await store.release_lease(lease)
    (third,) = await store.claim_due(worker="three")
    assert third.goal.id == goals[2].id
    (own,) = await store.claim_due(worker="four", scope="scope 0")
    assert own.goal.id == goals[0].id
    assert await store.claim_due(worker="five", scope="scope 3") == []
    assert await store.claim_due(worker="five", scope="scope 0") == []


async def test_what_a_dead_worker_left_is_granted_first(store: Any) -> None:
    """It comes before goals that wait in the queue, however long they have waited."""
    goals = [await store.create(f"goal {number}", scope=f"scope {number}") for number in range(4)]
    await store.claim(goals[2].id, worker="dead", ttl_seconds=SHORT_SECONDS)
    await expire()
    granted = [(await store.claim_due(worker="worker"))[0].goal.id for _ in goals]
    assert granted == [goals[number].id for number in (2, 0, 1, 3)]


async def test_a_goal_that_rests_is_not_due(store: Any) -> None:
    """No worker has it, and none gets it as due. A claim by its id is granted, and any change makes it due."""
    goal = await store.create("rest")
    for change in (lambda: store.edit(goal.id, text="other"), lambda: store.set_budget(goal.id, Budget(tokens=5))):
        await store.release_lease(await store.claim(goal.id, worker="worker"), pause_seconds=3_600)
        state = await store.lease(goal.id)
        assert (state.worker, state.expires_in_microseconds) == (None, 0)
        assert 0 < state.due_in_microseconds <= 3_600 * SECOND
        assert await store.claim_due(worker="other") == []
        assert await store.claim_due(worker="other", scope="default") == []
        await change()
        assert (await store.lease(goal.id)).due_in_microseconds == 0
        (lease,) = await store.claim_due(worker="other")
        await store.release_lease(lease)
    last = await store.claim(goal.id, worker="worker")
    await store.release_lease(last, pause_seconds=3_600)
    await store.release_lease(last)
    await store.pause(goal.id)
    await store.resume(goal.id)
    (lease,) = await store.claim_due(worker="other")
    for unusable in (-1, True, "1", 86_401, float("nan")):
        await refuses(InvalidNumber, store.release_lease(lease, pause_seconds=unusable))


async def test_the_secret_is_the_stores_own(store: Any) -> None:
    """Thirty-two random bytes that stay the same."""
    secret = await store.secret()
    assert len(secret) == 32
    assert await store.secret() == secret

"""Clocks that are wrong, and rests between two steps: nobody goes by a worker's clock, or keeps a goal asleep."""

import asyncio
from dataclasses import replace

import pytest

import telic
from telic import GoalStatus, Reason
from telic.domain.clock import SystemClock
from telic.domain.errors import AgentExited
from telic.loop.goal_loop import GoalLoop
from telic.loop.run_context import LoopEventKind, LoopRecords
from telic.store.doctor import examine
from telic.testing import FakeClock
from tests.loop_driver.world import CLAIM, ScriptedAgent, World, eventually, policy, until

HOUR = 3_600 * 1_000_000
FAILS = AgentExited("it failed", usage=telic.ModelUsage())
OFF = pytest.mark.parametrize("hours", [1, -1])


def wrong_clock(hours: int) -> FakeClock:
    return FakeClock(SystemClock().now() + hours * HOUR)


@OFF
async def test_a_worker_whose_clock_is_wrong_delays_nobody(location: str, world: World, hours: int) -> None:
    """What it writes down is by the database's clock; another worker waits for the policy's own pause."""
    goal = await world.store.create("go on")
    async with telic.connect_async(location, clock=wrong_clock(hours)) as store:
        wrong = World(store, world.workspace, wrong_clock(hours))
        loop = wrong.loop(ScriptedAgent([FAILS]), policy(backoff_seconds=60, max_backoff_seconds=60), lease_seconds=2)
        assert (await loop.run_until_rest(await store.claim(goal.id, worker="wrong"))).status is GoalStatus.ACTIVE
        told = wrong.heard(LoopEventKind.CLAIMED)[0].detail
        assert ("ahead of" if hours > 0 else "behind") in told
    left = (await world.state(goal.id)).next_at - await world.store.now()
    assert 0 < left <= 75 * 1_000_000


async def test_a_moment_of_a_clock_that_was_set_back_is_not_waited_for(world: World) -> None:
    """No pause of the policy leads so far: the next turn is due."""
    goal = await world.store.create("go on")
    lease = await world.store.claim(goal.id, worker="worker")
    state = replace(await world.state(goal.id), failures=1, next_at=await world.store.now() + HOUR)
    await LoopRecords(world.store, goal.id).save(lease, state)
    assert (await world.run(goal, ScriptedAgent([CLAIM]))).reason is Reason.ASSERTED
    assert world.heard(LoopEventKind.SLEEPING) == []


async def test_a_long_rest_keeps_no_lease(world: World) -> None:
    """The goal is nobody's until its next step is due, and due at once for whoever changes it."""
    goal = await world.store.create("rest")
    loop = world.loop(ScriptedAgent([FAILS]), policy(backoff_seconds=300, max_backoff_seconds=600), lease_seconds=10)
    left = await loop.run_until_rest(await world.store.claim(goal.id, worker="worker"))
    state = await world.store.lease(goal.id)
    assert (left.status, state.worker) == (GoalStatus.ACTIVE, None)
    assert 10 * 1_000_000 < state.due_in_microseconds <= 375 * 1_000_000
    assert await world.store.claim_due(worker="other", scope="default") == []
    await world.store.edit(goal.id, text="hurry")
    (lease,) = await world.store.claim_due(worker="other", scope="default")
    assert (await world.loop(ScriptedAgent([CLAIM])).run_leased(lease)).reason is Reason.ASSERTED


async def test_a_resting_loop_goes_on_when_it_is_due_or_changed(world: World) -> None:
    """`run` comes back after its rest; a change ends the rest."""
    goal = await world.store.create("rest")
    agent = ScriptedAgent([FAILS, CLAIM])
    loop = world.loop(agent, policy(backoff_seconds=300, max_backoff_seconds=300), lease_seconds=2, heartbeat_seconds=1)
    running = asyncio.create_task(loop.run(goal.id))
    await eventually(lambda: bool(world.heard(LoopEventKind.SLEEPING)))
    await world.store.edit(goal.id, text="hurry")
    loop.notice_change()
    assert (await running).reason is Reason.ASSERTED
    assert len(agent.requests) == 2


async def test_another_worker_may_take_a_goal_that_rests(world: World) -> None:
    """Whoever rested is told so, and leaves it alone."""
    goal = await world.store.create("rest")
    resting: GoalLoop = world.loop(
        ScriptedAgent([FAILS]), policy(backoff_seconds=300, max_backoff_seconds=300), lease_seconds=2
    )
    running = asyncio.create_task(resting.run(goal.id))
    await eventually(lambda: bool(world.heard(LoopEventKind.SLEEPING)))

    async def rests() -> bool:
        return (await world.store.lease(goal.id)).due_in_microseconds > 0

    await until(rests)
    await world.store.claim(goal.id, worker="another")
    with pytest.raises(telic.LeaseLost, match="another"):
        await running


async def test_doctor_names_a_goal_that_a_worker_sleeps_on(location: str, world: World) -> None:
    """As a worker of an older release did whose clock was ahead."""
    goal = await world.store.create("kept")
    lease = await world.store.claim(goal.id, worker="sleeper")
    far = replace(await world.state(goal.id), next_at=await world.store.now() + HOUR)
    await LoopRecords(world.store, goal.id).save(lease, far)
    (found,) = [each for each in examine(location) if each.check == "workers" and goal.id in each.message]
    assert "sleeper" in found.message
    await world.store.release_lease(lease)
    assert not [each for each in examine(location) if each.check == "workers" and goal.id in each.message]


async def test_an_hour_is_meant_by_the_databases_clock(world: World) -> None:
    """An agent's "in an hour" is told by the request's clock, whatever this machine's says."""
    goal = await world.store.create("tell the time")
    agent = ScriptedAgent([CLAIM])
    world.clock = wrong_clock(5)
    await world.run(goal, agent)
    assert abs(agent.requests[0].clock.now() - await world.store.now()) < HOUR

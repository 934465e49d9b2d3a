"""Somebody changes the goal while a turn runs: stop wins, and nothing is recorded wrongly."""

import asyncio
from typing import Any

import pytest

import telic
from telic import Budget, GoalStatus, Reason
from telic.domain.errors import AgentExited
from telic.loop.agents.protocol import TurnRequest
from telic.loop.run_context import LoopEventKind
from tests.loop_driver.world import (
    CLAIM,
    DONE_IS_THERE,
    ScriptedAgent,
    Waiter,
    World,
    eventually,
    makes,
    policy,
    report,
)

CHANGES: dict[str, Any] = {
    "paused": lambda store, goal: store.pause(goal.id),
    "cleared": lambda store, goal: store.clear(goal.id),
    "completed": lambda store, goal: store.complete(goal.id),
    "replaced": lambda store, goal: store.create("another"),
}


@pytest.mark.parametrize("change", CHANGES)
async def test_a_stop_cancels_the_running_turn(world: World, change: str) -> None:
    """Within a heartbeat; none starts, the goal stays as the user left it, and what was held counts as an estimate."""
    goal = await world.store.create("stop me", token_budget=200_000)
    waiter = Waiter(CLAIM)
    agent = ScriptedAgent([waiter])
    running = asyncio.create_task(world.run(goal, agent))
    await waiter.began.wait()
    await CHANGES[change](world.store, goal)
    ended = await asyncio.wait_for(running, 240)
    assert waiter.was_cancelled
    assert len(agent.requests) == 1
    left = await world.store.get(goal.id)
    assert (left.status, left.reason, left.revision) == (ended.status, ended.reason, ended.revision)
    assert left.status is not GoalStatus.ACTIVE
    (hold,) = await world.store.holds(goal.id)
    assert (hold.state.value == "open", left.turns_used) == (False, 1)
    assert left.tokens_used == hold.reserved.tokens, "nobody knows what the cancelled turn consumed"


async def test_what_a_cancelled_turn_has_told_is_recorded(world: World) -> None:
    """Not the bound that was held for it."""
    goal = await world.store.create("stop me", token_budget=200_000)
    began = asyncio.Event()

    async def tells(request: TurnRequest) -> Any:
        request.report_usage(telic.ModelUsage(input_tokens=1_400, output_tokens=26), model="m", session="talk")
        began.set()
        await asyncio.sleep(3600)

    running = asyncio.create_task(world.run(goal, ScriptedAgent([tells])))
    await began.wait()
    await world.store.pause(goal.id)
    await asyncio.wait_for(running, 240)
    (turn,) = await world.store.turns(goal.id)
    assert (turn.usage.tokens, turn.model, turn.is_estimate) == (1_426, "m", True)
    assert (await world.state(goal.id)).session == "talk"


async def test_a_pause_that_was_resumed_at_once_cancels_too(world: World) -> None:
    """Between two heartbeats; the turn is taken again."""
    goal = await world.store.create("stop me")
    waiter = Waiter(report())
    agent = ScriptedAgent([waiter, CLAIM])
    loop = world.loop(agent, heartbeat_seconds=5)
    running = asyncio.create_task(loop.run(goal.id))
    await waiter.began.wait()
    await world.store.pause(goal.id)
    await world.store.resume(goal.id)
    loop.notice_change()
    ended = await asyncio.wait_for(running, 240)
    assert waiter.was_cancelled
    assert (ended.reason, ended.turns_used) == (Reason.ASSERTED, 2)
    assert await world.turn_keys(goal.id) == ["loop/turn-1", "loop/turn-2"]


async def test_an_edit_cancels_and_the_next_prompt_has_the_new_text(world: World) -> None:
    """What an agent claims of a text that is no more would be about nothing."""
    goal = await world.store.create("the former text", criteria=[DONE_IS_THERE])
    waiter = Waiter(CLAIM)
    agent = ScriptedAgent([waiter, makes("done")])
    running = asyncio.create_task(world.run(goal, agent))
    await waiter.began.wait()
    await world.store.edit(goal.id, text="the latter text")
    ended = await asyncio.wait_for(running, 240)
    assert waiter.was_cancelled
    assert "the latter text" in agent.prompts[1]
    assert "the former text" not in agent.prompts[1]
    assert (ended.reason, ended.turns_used) == (Reason.VERIFIED, 2)


async def test_an_edit_in_a_turns_last_moment_voids_its_claim(world: World) -> None:
    """The turn counts, but completes no goal that its agent has not seen."""
    goal = await world.store.create("the former text")

    async def edited_meanwhile(_: Any) -> Any:
        await world.store.edit(goal.id, text="the latter text")
        return CLAIM

    agent = ScriptedAgent([edited_meanwhile, CLAIM])
    ended = await world.run(goal, agent, heartbeat_seconds=5)
    assert (ended.reason, ended.turns_used, ended.text) == (Reason.ASSERTED, 2, "the latter text")
    assert "the latter text" in agent.prompts[1]


async def test_a_raised_budget_lets_the_turn_go_on(world: World) -> None:
    """More money is no reason to throw work away; the turn counts under the new budget."""
    goal = await world.store.create("more", budget=Budget(tokens=100))
    waiter = Waiter(report())
    agent = ScriptedAgent([waiter, CLAIM])
    running = asyncio.create_task(world.run(goal, agent))
    await waiter.began.wait()
    await world.store.set_budget(goal.id, Budget(tokens=10_000))
    await asyncio.sleep(0.2)
    waiter.may_end.set()
    ended = await asyncio.wait_for(running, 240)
    assert not waiter.was_cancelled
    assert (ended.reason, ended.tokens_used) == (Reason.ASSERTED, 200)


async def test_a_change_ends_a_backoff(world: World) -> None:
    """A loop that sleeps after a failure looks at the goal at once when it is edited."""
    goal = await world.store.create("asleep")
    agent = ScriptedAgent([AgentExited("no"), CLAIM])
    slow = policy(backoff_seconds=3_000, max_backoff_seconds=3_000)
    running = asyncio.create_task(world.run(goal, agent, slow))
    await eventually(lambda: bool(world.heard(LoopEventKind.SLEEPING)))
    await world.store.edit(goal.id, text="now")
    assert (await asyncio.wait_for(running, 240)).reason is Reason.ASSERTED


async def test_a_cancelled_loop_gives_its_goal_back(world: World) -> None:
    """The turn is cancelled, the goal is active, and another worker goes on at once."""
    goal = await world.store.create("interrupted")
    waiter = Waiter(CLAIM)
    running = asyncio.create_task(world.loop(ScriptedAgent([waiter])).run(goal.id))
    await waiter.began.wait()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert waiter.was_cancelled
    assert (await world.store.get(goal.id)).status is GoalStatus.ACTIVE
    assert (await world.run(goal, ScriptedAgent([CLAIM]), worker="other")).reason is Reason.ASSERTED


async def test_a_loop_that_is_cancelled_while_its_agent_ends_takes_no_other_turn(world: World) -> None:
    """An interruption is not lost in the time that an agent takes to stop."""
    goal = await world.store.create("interrupted")
    began, stopping, may_stop = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def slow_to_stop(_: Any) -> Any:
        try:
            began.set()
            await asyncio.sleep(60)
        finally:
            stopping.set()
            await may_stop.wait()

    agent = ScriptedAgent([slow_to_stop, CLAIM])
    running = asyncio.create_task(world.loop(agent).run(goal.id))
    await began.wait()
    await world.store.edit(goal.id, text="something else")
    await stopping.wait()
    running.cancel()
    await asyncio.sleep(0.05)
    may_stop.set()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert len(agent.requests) == 1
    assert (await world.store.lease(goal.id)).worker is None


async def test_a_lost_lease_cancels_the_turn_and_records_nothing(world: World) -> None:
    """Another worker has the goal under the same name; this one leaves."""
    goal = await world.store.create("taken")
    waiter = Waiter(CLAIM)
    running = asyncio.create_task(world.loop(ScriptedAgent([waiter])).run(goal.id))
    await waiter.began.wait()
    taken = await world.store.claim(goal.id, worker="worker")
    with pytest.raises(telic.LeaseLost):
        await running
    assert waiter.was_cancelled
    assert await world.store.turns(goal.id) == []
    assert (await world.store.lease(goal.id)).token == taken.token

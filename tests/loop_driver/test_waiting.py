"""Waits, quotas and budgets: what a loop does when it must not go on yet, or no more."""

import asyncio
import gc
from typing import Any

import pytest

import telic
from telic import Budget, Criterion, Reason
from telic.domain.clock import Instant, to_datetime
from telic.domain.errors import AgentExited, LeaseLost
from telic.domain.goal import (
    Actor,
    Wake,
)
from telic.domain.loop_state import (
    Claim,
)
from telic.loop.agents.protocol import QuotaReached
from telic.loop.run_context import LoopEventKind
from telic.loop.supervisor import run_until_over
from tests.loop_driver.conftest import PassTime
from tests.loop_driver.world import CLAIM, DONE_IS_THERE, ScriptedAgent, World, makes, policy, report

HOUR = 3_600


async def woken(world: World, goal: telic.Goal, agent: Any, limits: Any) -> telic.Goal:
    """What becomes of the goal, which is due now."""
    (lease,) = await world.store.claim_due(worker="worker", scope="default", ttl_seconds=20)
    assert lease.goal.id == goal.id
    ended = await world.loop(agent, limits).run_leased(lease)
    await world.check(goal.id)
    return ended


async def nothing_is_due(world: World) -> bool:
    return await world.store.claim_due(worker="worker", scope="default") == []


async def test_a_waiting_agent_sleeps_until_its_time(world: World, pass_time: PassTime) -> None:
    """Without a lease, without a turn; then it goes on."""
    goal = await world.store.create("wait")
    until = Instant(await world.store.now() + HOUR * 1_000_000)
    waits = report(claim=Claim.WAITING, note="for CI", wake=Wake(at=until))
    agent = ScriptedAgent([waits, CLAIM])
    asleep = await world.run(goal, agent)
    assert (asleep.reason, asleep.wake_at, asleep.note) == (Reason.WAITING, until, "for CI")
    assert await nothing_is_due(world)
    pass_time(HOUR)
    assert (await woken(world, goal, agent, policy())).reason is Reason.ASSERTED
    assert len(agent.requests) == 2


async def test_a_waiting_agent_is_woken_by_its_signal(world: World) -> None:
    """By its name, once."""
    goal = await world.store.create("wait")
    agent = ScriptedAgent([report(claim=Claim.WAITING, wake=Wake(signal="deployed")), CLAIM])
    asleep = await world.run(goal, agent)
    assert (asleep.reason, asleep.wake_signal) == (Reason.WAITING, "deployed")
    assert await world.store.signal("something else") == []
    assert len(await world.store.signal("deployed")) == 1
    assert (await world.run(goal, agent)).reason is Reason.ASSERTED


async def test_who_only_waits_is_stalled(world: World, pass_time: PassTime) -> None:
    """Waking again and again without any observable progress ends by itself."""
    goal = await world.store.create("wait for ever")
    agent = ScriptedAgent([lambda _: report(claim=Claim.WAITING, wake=Wake(at=Instant(0)))])
    ended = await world.run(goal, agent, policy(max_idle_turns=3))
    for _ in range(3):
        assert ended.reason is Reason.WAITING
        ended = await woken(world, goal, agent, policy(max_idle_turns=3))
    ended = ended if ended.reason is Reason.STALLED else await woken(world, goal, agent, policy(max_idle_turns=3))
    assert (ended.reason, len(agent.requests)) == (Reason.STALLED, 4)


@pytest.mark.parametrize("known", [True, False])
async def test_a_quota_is_waited_for(world: World, pass_time: PassTime, known: bool) -> None:
    """Until the provider's time, or a while; as often as the policy says, and then no more."""
    goal = await world.store.create("quota")
    limits = policy(max_quota_waits=2, quota_wait_seconds=600)

    resets_at = Instant(await world.store.now() + HOUR * 1_000_000)

    def reached(_: Any) -> Any:
        return report("limit", quota=QuotaReached(resets_at=resets_at if known else None))

    agent = ScriptedAgent([reached])
    ended = await world.run(goal, agent, limits)
    for _ in range(2):
        assert ended.reason is Reason.USAGE_LIMIT
        assert ended.wake_at is not None
        if known:
            assert ended.wake_at == resets_at
        else:
            assert ended.updated_at < ended.wake_at <= await world.store.now() + 600 * 1_000_000
        assert await nothing_is_due(world)
        pass_time(HOUR)
        ended = await woken(world, goal, agent, limits)
    assert (ended.reason, ended.is_waiting, len(agent.requests)) == (Reason.USAGE_LIMIT, False, 3)
    pass_time(100 * HOUR)
    assert await nothing_is_due(world)
    await world.store.resume(goal.id)
    ended = await world.run(goal, agent, limits)
    assert ended.is_waiting, "a person's resumption begins the count anew"


@pytest.mark.parametrize("seconds_past", [0, 30, 4_000])
async def test_a_quota_that_should_have_ended_is_waited_for(
    world: World, pass_time: PassTime, seconds_past: int
) -> None:
    """A provider that still refuses when its window is open is asked again later, and each time later than before."""
    goal = await world.store.create("quota")
    limits = policy(max_quota_waits=3, busy_wait_seconds=60, quota_wait_seconds=150)
    resets_at = Instant(await world.store.now() - seconds_past * 1_000_000)
    agent = ScriptedAgent([report("limit", quota=QuotaReached(resets_at=resets_at))])
    began = await world.store.now()
    ended = await world.run(goal, agent, limits)
    for seconds in (60, 120, 150):
        assert ended.wake_at is not None
        assert began + seconds * 1_000_000 <= ended.wake_at <= await world.store.now() + seconds * 1_000_000
        pass_time(seconds)
        began = await world.store.now()
        ended = await woken(world, goal, agent, limits)
    assert (ended.reason, ended.is_waiting, len(agent.requests)) == (Reason.USAGE_LIMIT, False, 4)


async def test_a_quota_that_opened_begins_the_count_anew(world: World, pass_time: PassTime) -> None:
    """Only waits in a row count."""
    goal = await world.store.create("quota")
    limits = policy(max_quota_waits=1, quota_wait_seconds=60)
    limit = report("limit", quota=QuotaReached())
    agent = ScriptedAgent([limit, report(), limit, CLAIM])
    ended = await world.run(goal, agent, limits)
    for _ in range(2):
        assert ended.is_waiting
        pass_time(60)
        ended = await woken(world, goal, agent, limits)
    assert ended.reason is Reason.ASSERTED


@pytest.mark.parametrize("change", ["pause", "edit", "clear", "resume"])
async def test_a_users_change_ends_the_wait_for_a_quota(world: World, pass_time: PassTime, change: str) -> None:
    """Nothing wakes by itself any more."""
    goal = await world.store.create("quota")
    await world.run(goal, ScriptedAgent([report(quota=QuotaReached())]), policy(quota_wait_seconds=60))
    store: Any = world.store
    changed = await (store.edit(goal.id, text="new") if change == "edit" else getattr(store, change)(goal.id))
    assert not changed.is_waiting
    pass_time(HOUR)
    if change == "resume":
        assert (await world.run(goal, ScriptedAgent([CLAIM]))).reason is Reason.ASSERTED
    else:
        assert await nothing_is_due(world)


async def test_a_nearly_spent_budget_has_one_last_turn(world: World) -> None:
    """The agent is told to come to an end, what it did is verified, and then the goal is paused."""
    goal = await world.store.create("spend", criteria=[DONE_IS_THERE], token_budget=1_000)
    agent = ScriptedAgent([report(usage=telic.ModelUsage(input_tokens=n)) for n in (500, 420, 10, 10)])
    ended = await world.run(goal, agent)
    assert (ended.reason, ended.tokens_used) == (Reason.BUDGET, 930)
    told = ["is nearly used up" in prompt for prompt in agent.prompts]
    assert told == [False, False, True]
    assert len(await world.verdicts(goal.id)) == 1


async def test_a_last_turn_that_did_it_is_verified(world: World) -> None:
    """Also without a claim, and also where it used the budget up."""
    for last in (10, 900):
        (world.workspace / "done").unlink(missing_ok=True)
        goal = await world.store.create("spend", criteria=[DONE_IS_THERE], token_budget=1_000)
        used = [telic.ModelUsage(input_tokens=n) for n in (950, last)]
        agent = ScriptedAgent([report(usage=used[0]), makes("done", report(usage=used[1]))])
        assert (await world.run(goal, agent)).reason is Reason.VERIFIED


async def test_the_last_of_several_turns_winds_down(world: World) -> None:
    """A budget of turns leaves the last for it; one of a single turn has nothing to wind down."""
    for budget, told in ((3, [False, False, True]), (1, [False])):
        goal = await world.store.create("turns", budget=Budget(turns=budget))
        agent = ScriptedAgent([report()])
        ended = await world.run(goal, agent)
        assert (ended.reason, ended.turns_used) == (Reason.BUDGET, budget)
        assert ["is nearly used up" in prompt for prompt in agent.prompts] == told


async def test_a_raised_budget_goes_on_and_winds_down_again(world: World) -> None:
    """At its own end."""
    goal = await world.store.create("more", token_budget=300)
    agent = ScriptedAgent([report()])
    assert (await world.run(goal, agent)).reason is Reason.BUDGET
    spent = len(agent.requests)
    await world.store.resume(goal.id, budget=Budget(tokens=1_000))
    assert (await world.run(goal, agent, policy(max_idle_turns=50))).reason is Reason.BUDGET
    told = ["is nearly used up" in prompt for prompt in agent.prompts]
    assert told[spent] is False
    assert told[spent:].count(True) == 1


async def test_a_wait_in_the_last_turn_buys_no_second_one(world: World) -> None:
    """Waking by itself is no user's change: the budget is as nearly spent as before."""
    goal = await world.store.create("spend", criteria=[DONE_IS_THERE], token_budget=110)
    agent = ScriptedAgent(
        [report(), report(usage=telic.ModelUsage(), claim=Claim.WAITING, wake=Wake(signal="spend")), CLAIM]
    )
    assert (await world.run(goal, agent)).reason is Reason.WAITING
    await world.store.signal("spend")
    assert (await world.run(goal, agent)).reason is Reason.BUDGET
    assert len(agent.requests) == 2


@pytest.mark.parametrize("step", [report(usage=None), AgentExited("silent", usage=None)], ids=["report", "failure"])
async def test_a_turn_of_unknown_usage_is_an_estimate_at_once(world: World, step: Any) -> None:
    """Unknown is no 0: it counts as what was held for it, so that the budget ends before it can be overspent."""
    goal = await world.store.create("silent", budget=Budget(tokens=120, cost_microunits=100))
    agent = ScriptedAgent([step])
    patient = policy(max_idle_turns=50, max_failures=50, allow_unknown_usage=True)
    ended = await world.run(goal, agent, patient, held_tokens=50)
    assert (ended.reason, ended.tokens_used, ended.usage.cost_microunits) == (Reason.BUDGET, 120, 30)
    assert (ended.turns_used, ended.estimated_lines, len(agent.requests)) == (3, 3, 3)
    assert [(turn.usage.tokens, turn.is_estimate) for turn in await world.store.turns(goal.id)] == [
        (50, True),
        (50, True),
        (20, True),
    ]
    assert [hold for hold in await world.store.holds(goal.id) if hold.reserves] == []


@pytest.mark.parametrize("budget", [Budget(tokens=1_000), Budget(cost_microunits=1_000_000)], ids=["tokens", "money"])
async def test_a_budget_that_cannot_be_measured_ends_the_loop_after_one_turn(world: World, budget: Budget) -> None:
    """With what can be done about it; whoever resumes it gets one turn more."""
    goal = await world.store.create("silent", budget=budget)
    agent = ScriptedAgent([report(usage=None)])
    for turns in (1, 2):
        ended = await world.run(goal, agent, policy(delay_seconds=3_000), held_tokens=50)
        assert (ended.reason, ended.turns_used, len(agent.requests)) == (Reason.FAILED, turns, turns)
        assert f"a budget of {'money' if budget.tokens is None else 'tokens'} cannot hold" in (ended.note or "")
        assert "--allow-unknown-usage" in (ended.note or "")
        await world.store.resume(goal.id)


async def test_a_silent_agents_work_is_checked_before_its_budget_ends_the_loop(world: World) -> None:
    goal = await world.store.create("silent", criteria=[DONE_IS_THERE], token_budget=1_000)
    silent = report(usage=None, makes_claims=False)
    assert (await world.run(goal, ScriptedAgent([makes("done", silent)]))).reason is Reason.VERIFIED


async def test_an_agent_that_once_told_its_usage_may_be_silent_for_a_turn(world: World) -> None:
    """That turn is an estimate."""
    goal = await world.store.create("silent once", token_budget=1_000)
    ended = await world.run(goal, ScriptedAgent([report(), report(usage=None), CLAIM]), held_tokens=50)
    assert (ended.reason, ended.tokens_used, ended.estimated_lines) == (Reason.ASSERTED, 250, 1)


async def test_silence_holds_nothing_where_nothing_is_limited(world: World) -> None:
    """A goal without a budget of tokens or money gathers no holds; its turns are marked, with no amounts made up."""
    goal = await world.store.create("silent", budget=Budget(turns=3))
    ended = await world.run(goal, ScriptedAgent([report(usage=None)]))
    assert (ended.turns_used, ended.tokens_used, ended.usage.cost_microunits) == (3, 0, 0)
    assert [turn.is_estimate for turn in await world.store.turns(goal.id)] == [True] * 3
    assert [hold.state.value for hold in await world.store.holds(goal.id)] == ["estimated"] * 3


async def test_a_budget_that_others_hold_is_not_spent(world: World) -> None:
    """What is free is used; where nothing is, the goal is paused and says why."""
    goal = await world.store.create("shared", token_budget=1_000)
    await world.store.hold(goal.id, tokens=990, turns=0, actor=Actor.HOST)
    agent = ScriptedAgent([report(usage=telic.ModelUsage(input_tokens=10))])
    ended = await world.run(goal, agent)
    assert (ended.reason, ended.tokens_used, len(agent.requests)) == (Reason.BUDGET, 10, 1)


async def test_who_is_kept_waiting_by_a_hold_hears_until_when_and_how_it_is_freed(world: World) -> None:
    """The one hold is named; what expires counts as used, unless it frees what it held."""
    goal = await world.store.create("shared", token_budget=1_000)
    held = await world.store.hold(goal.id, tokens=1_000, turns=0, key="call 1", actor=Actor.HOST)
    ended = await world.run(goal, ScriptedAgent([]), held_tokens=10)
    assert (ended.reason, held.expires_at is None) == (Reason.BUDGET, False)
    until = to_datetime(held.expires_at or Instant(0))
    assert f"until {until:%Y-%m-%d %H:%M:%SZ}; what is still held then counts as used" in (ended.note or "")
    assert f"telic release {goal.id} --hold 'call 1'" in (ended.note or "")
    assert f"telic holds {goal.id}" in (ended.note or "")
    await world.store.release(goal.id, "call 1")
    await world.store.resume(goal.id)
    assert (await world.run(goal, ScriptedAgent([CLAIM]), held_tokens=10)).reason is Reason.ASSERTED


async def test_a_lease_that_was_lost_and_taken_again_is_said_in_one_line(world: World) -> None:
    """Also where the agent's turn ends with that error itself: nothing is left for the event loop to report."""
    goal = await world.store.create("stand still")
    unlooked: list[str] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: unlooked.append(context["message"]))

    async def stand_still(_: Any) -> Any:
        other = await world.store.claim(goal.id, worker="worker", ttl_seconds=20)
        await world.store.release_lease(other)
        try:
            await asyncio.sleep(3_600)
        except asyncio.CancelledError:
            raise LeaseLost("the lease ran out while the command ran, and it was killed") from None

    ended = await run_until_over(world.loop(ScriptedAgent([stand_still, CLAIM])), goal.id)
    gc.collect()
    await asyncio.sleep(0)
    assert (ended.reason, unlooked) == (Reason.ASSERTED, [])
    (notice,) = world.heard(LoopEventKind.NOTICE)
    assert notice.detail.startswith("the lease was lost, and is taken again: ")


async def test_edited_criteria_are_all_checked_anew(world: World) -> None:
    """An edit of the criteria voids what passed before, and all are checked anew."""
    first, second = Criterion.command(["test", "-f", "a"]), Criterion.command(["test", "-f", "b"])
    goal = await world.store.create("edit", criteria=[first])
    agent = ScriptedAgent([makes("a", report()), CLAIM, makes("b")])

    async def edited(_: Any) -> Any:
        await world.store.edit(goal.id, criteria=[first, second])
        return CLAIM

    agent.steps = [makes("a", report()), edited, makes("b")]
    ended = await world.run(goal, agent, heartbeat_seconds=5)
    assert (ended.reason, len(ended.criteria), len(agent.requests)) == (Reason.VERIFIED, 2, 3)

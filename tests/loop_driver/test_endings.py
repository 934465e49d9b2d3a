"""How a loop ends: with scripted agents and real criteria, on both databases."""

import asyncio
import shutil
from typing import Any

import pytest

import telic
from telic import Budget, Criterion, GoalStatus, Reason
from telic.domain.errors import AgentExited, AgentNotRunnable
from telic.domain.goal import Actor
from telic.domain.loop_state import (
    Claim,
)
from telic.loop.agents.protocol import TurnRequest
from telic.loop.run_context import LoopEventKind
from tests.loop_driver.world import CLAIM, DONE_IS_THERE, ScriptedAgent, Waiter, World, makes, policy, report


async def test_a_goal_ends_verified(world: World) -> None:
    """The claim is checked, once, and the verifier completes."""
    goal = await world.store.create("make it", criteria=[DONE_IS_THERE])
    ended = await world.run(goal, ScriptedAgent([report(), makes("done")]))
    assert (ended.status, ended.reason, ended.turns_used, ended.tokens_used) == (
        GoalStatus.COMPLETED,
        Reason.VERIFIED,
        2,
        200,
    )
    assert await world.turn_keys(goal.id) == ["loop/turn-1", "loop/turn-2"]
    assert len(await world.verdicts(goal.id)) == 1
    assert len(world.heard(LoopEventKind.COMPLETED)) == 1


async def test_a_goal_without_criteria_ends_asserted(world: World) -> None:
    """On its agent's word, also where the last turn has used up the budget."""
    for budget in (Budget(), Budget(turns=1)):
        goal = await world.store.create("say it", budget=budget)
        ended = await world.run(goal, ScriptedAgent([CLAIM]))
        assert (ended.status, ended.reason, ended.turns_used) == (GoalStatus.COMPLETED, Reason.ASSERTED, 1)


async def test_a_failed_check_is_in_the_next_prompt(world: World) -> None:
    """With its output, escaped; after another turn it is told no more."""
    check = Criterion.command(["sh", "-c", "echo '<b>missing</b> 7'; test -f done"])
    goal = await world.store.create("make it", criteria=[check])
    agent = ScriptedAgent([CLAIM, report(), makes("done")])
    assert (await world.run(goal, agent)).reason is Reason.VERIFIED
    first, second, third = agent.prompts
    assert "missing" not in first.split("active_goal")[-1]
    assert "criterion 1" in second
    assert "exit code 1" in second
    assert "\\u003cb\\u003emissing" in second
    assert "exit code 1" not in third


@pytest.mark.parametrize("tool_effects", [None, 0])
async def test_rewording_is_no_progress(world: World, tool_effects: int | None) -> None:
    """Turns that change nothing end as stalled, however differently each tells of it."""
    goal = await world.store.create("look busy", criteria=[DONE_IS_THERE])
    said = [report(f"Great progress, part {n}!", note=f"note {n}", tool_effects=tool_effects) for n in range(9)]
    ended = await world.run(goal, ScriptedAgent(said), policy(max_idle_turns=3))
    assert (ended.status, ended.reason) == (GoalStatus.PAUSED, Reason.STALLED)
    assert ended.turns_used == 4, "the first turn has nothing to compare with"
    assert len(await world.verdicts(goal.id)) == 1, "what was done is checked before it is given up"


async def test_going_back_and_forth_is_no_progress(world: World) -> None:
    """A workspace put back to an earlier state is not new."""
    goal = await world.store.create("toggle")
    turns = [0]

    def toggle(request: TurnRequest) -> Any:
        turns[0] += 1
        (request.workspace / "file").write_text(str(turns[0] % 2))
        return report(f"turn {turns[0]}")

    ended = await world.run(goal, ScriptedAgent([toggle]), policy(max_idle_turns=3))
    assert (ended.reason, ended.turns_used) == (Reason.STALLED, 5)


@pytest.mark.parametrize("kind", ["workspace", "tool"])
async def test_observable_progress_resets_the_count(world: World, kind: str) -> None:
    """New content or a tool's effect in every second turn: the same words each time, yet no stall."""
    goal = await world.store.create("move on")
    turns = [0]

    def step(request: TurnRequest) -> Any:
        turns[0] += 1
        moves = turns[0] % 2 == 0
        if moves and kind == "workspace":
            (request.workspace / "file").write_text(f"state {turns[0]}")
        return report("the same", tool_effects=int(moves and kind == "tool"))

    ended = await world.run(goal, ScriptedAgent([*[step] * 8, CLAIM]), policy(max_idle_turns=2))
    assert (ended.reason, ended.turns_used) == (Reason.ASSERTED, 9)


async def test_a_newly_passing_criterion_is_progress(world: World) -> None:
    """Also where the workspace shows nothing of it."""
    outside = world.workspace.parent / "outside"
    outside.mkdir()
    criteria = [Criterion.command(["test", "-f", str(outside / str(number))]) for number in range(3)]
    goal = await world.store.create("elsewhere", criteria=criteria)
    turns = [0]

    def step(_: TurnRequest) -> Any:
        turns[0] += 1
        if turns[0] % 2 == 0:
            (outside / str(turns[0] // 2 - 1)).touch()
        return report("the same")

    ended = await world.run(goal, ScriptedAgent([step]), policy(max_idle_turns=2, verify_every_turns=1))
    assert (ended.reason, ended.turns_used) == (Reason.VERIFIED, 6)


async def test_failures_in_a_row_end_as_failed(world: World) -> None:
    """Each is recorded with what it consumed; a success in between begins the count anew."""
    goal = await world.store.create("fail")
    broken = AgentExited("exit code 3", usage=telic.ModelUsage(input_tokens=7))
    agent = ScriptedAgent([broken, broken, report(), broken, broken, broken])
    ended = await world.run(goal, agent, policy(max_failures=3))
    assert (ended.status, ended.reason, ended.note) == (GoalStatus.PAUSED, Reason.FAILED, "exit code 3")
    assert (ended.turns_used, ended.tokens_used) == (6, 100 + 5 * 7)


async def test_an_agent_that_raises_anything_fails_its_turn(world: World) -> None:
    """A bug in an agent is its turn's failure; the loop lives."""
    goal = await world.store.create("raise")
    ended = await world.run(goal, ScriptedAgent([ZeroDivisionError("by zero"), CLAIM]))
    assert ended.reason is Reason.ASSERTED
    (failed,) = world.heard(LoopEventKind.TURN_FAILED)
    assert "ZeroDivisionError: by zero" in failed.detail


async def test_what_no_repetition_mends_is_not_repeated(world: World) -> None:
    """A command that is not there ends the loop at once, and reserves nothing: nothing ran."""
    goal = await world.store.create("nobody there", token_budget=1_000)
    ended = await world.run(goal, ScriptedAgent([AgentNotRunnable("no such file")]))
    assert (ended.reason, ended.turns_used) == (Reason.FAILED, 1)
    assert [hold.state.value for hold in await world.store.holds(goal.id)] == ["settled"]


async def test_a_backoff_grows_with_each_failure(world: World) -> None:
    """The loop sleeps between failures, each time at least twice as long as the first."""
    goal = await world.store.create("fail slowly")
    limits = policy(max_failures=4, backoff_seconds=0.5, max_backoff_seconds=2)
    began = asyncio.get_running_loop().time()
    assert (await world.run(goal, ScriptedAgent([AgentExited("no")]), limits)).reason is Reason.FAILED
    assert asyncio.get_running_loop().time() - began >= 0.5 + 1 + 2
    assert len(world.heard(LoopEventKind.SLEEPING)) >= 3


async def test_blocked_is_asked_back_once(world: World) -> None:
    """Then the goal is paused with the agent's note; a user's resumption begins the count anew."""
    goal = await world.store.create("stuck")
    agent = ScriptedAgent([report(claim=Claim.BLOCKED, note="the key <x>")])
    ended = await world.run(goal, agent)
    assert (ended.reason, ended.note, ended.turns_used) == (Reason.BLOCKED, "the key <x>", 2)
    assert "You reported the goal" in agent.prompts[1]
    assert "the key \\u003cx\\u003e" in agent.prompts[1]
    await world.store.resume(goal.id)
    ended = await world.run(goal, agent)
    assert (ended.reason, ended.turns_used) == (Reason.BLOCKED, 4)
    assert "You reported the goal" not in agent.prompts[2]


async def test_an_audit_that_finds_a_way_goes_on(world: World) -> None:
    """Who is no longer blocked is not paused, and may be blocked again later."""
    goal = await world.store.create("stuck")
    blocked = report(claim=Claim.BLOCKED, note="key")
    agent = ScriptedAgent([blocked, report(), blocked, CLAIM])
    assert (await world.run(goal, agent)).reason is Reason.ASSERTED
    audits = ["You reported the goal" in prompt for prompt in agent.prompts]
    assert audits == [False, True, False, True]


async def test_a_missing_workspace_fails_the_goal(world: World) -> None:
    """The turn counts; nothing can be done or checked without its folder."""
    goal = await world.store.create("vanish", criteria=[DONE_IS_THERE])

    def vanish(request: TurnRequest) -> Any:
        shutil.rmtree(request.workspace)
        return CLAIM

    ended = await world.run(goal, ScriptedAgent([vanish]))
    assert (ended.reason, ended.turns_used, ended.tokens_used) == (Reason.FAILED, 1, 100)
    assert await world.verdicts(goal.id) == []


async def test_a_workspace_that_vanishes_during_a_check_is_no_failure_of_it(world: World) -> None:
    """The check could not be carried out, and says so."""
    goal = await world.store.create("vanish", criteria=[Criterion.command(["sh", "-c", 'rm -r "$PWD"; exit 127'])])
    ended = await world.run(goal, ScriptedAgent([makes("file")]), policy(max_unchecked_verifications=2))
    assert ended.reason is Reason.FAILED
    assert not ended.is_finished


async def test_a_check_that_cannot_run_is_told_and_bounded(world: World) -> None:
    """The agent hears of it each time; it is no "no", and an agent that only moves on is stopped all the same."""
    goal = await world.store.create("no check", criteria=[Criterion.command(["/no/such/check"])])
    turns = [0]

    def busy(request: TurnRequest) -> Any:
        turns[0] += 1
        return makes(f"file-{turns[0]}")(request)

    agent = ScriptedAgent([busy])
    ended = await world.run(goal, agent, policy(max_unchecked_verifications=3))
    assert (ended.reason, ended.note) == (Reason.FAILED, "its criteria could not be checked")
    assert len(agent.requests) == 3
    assert "/no/such/check" in agent.prompts[1].rpartition("did not")[2]
    assert (await world.state(goal.id)).failed_verifications == 0


async def test_claims_that_fail_too_often_are_a_stall(world: World) -> None:
    """Also of an agent that changes something each time."""
    goal = await world.store.create("claim", criteria=[DONE_IS_THERE])
    turns = [0]

    def busy(request: TurnRequest) -> Any:
        turns[0] += 1
        return makes(f"file-{turns[0]}")(request)

    ended = await world.run(goal, ScriptedAgent([busy]), policy(max_failed_verifications=3))
    assert (ended.reason, ended.turns_used) == (Reason.STALLED, 3)


async def test_a_goal_is_verified_every_so_many_turns(world: World) -> None:
    """Without any claim of completion."""
    goal = await world.store.create("quiet", criteria=[DONE_IS_THERE])
    steps = [makes(name, report()) for name in ("a", "b", "c", "done")]
    ended = await world.run(goal, ScriptedAgent(steps), policy(verify_every_turns=2))
    assert (ended.reason, ended.turns_used) == (Reason.VERIFIED, 4)
    assert len(await world.verdicts(goal.id)) == 2


async def test_a_loop_claims_only_what_is_active_and_free(world: World) -> None:
    """Of two loops one runs, and the other hears who; a paused goal is nobody's."""
    goal = await world.store.create("mine")
    waiter, second = Waiter(CLAIM), ScriptedAgent([CLAIM])
    first = asyncio.create_task(world.run(goal, ScriptedAgent([waiter]), worker="first"))
    await waiter.began.wait()
    with pytest.raises(telic.errors.LeaseHeld) as refused:
        await world.loop(second, worker="second").run(goal.id)
    assert refused.value.worker == "first"
    assert second.requests == []
    waiter.may_end.set()
    assert (await first).reason is Reason.ASSERTED
    paused = await world.store.pause((await world.store.create("paused")).id)
    with pytest.raises(telic.GoalNotActive):
        await world.loop(second).run(paused.id)


async def test_an_imported_goal_goes_on_with_new_keys(world: World) -> None:
    """Its ledger has lines of former loops, which are not written again."""
    goal = await world.store.create("imported", criteria=[DONE_IS_THERE])
    await world.store.record_turn(goal.id, tokens=7, key="loop/turn-1")
    ended = await world.run(goal, ScriptedAgent([makes("done")]))
    assert (ended.reason, ended.tokens_used) == (Reason.VERIFIED, 107)
    assert await world.turn_keys(goal.id) == ["loop/turn-1", "loop/turn-2"]


async def test_the_model_alone_never_completes_a_goal_with_criteria(world: World) -> None:
    """Whatever it claims, the last event is the verifier's."""
    goal = await world.store.create("prove it", criteria=[DONE_IS_THERE])
    await world.run(goal, ScriptedAgent([CLAIM, makes("done")]))
    assert [event.actor for event in await world.store.events(goal.id)][-1] is Actor.VERIFIER

"""Judges in the loop: each way to fail is bounded by its own policy, and everything is billed once."""

import asyncio
from typing import Any

import pytest

import telic
from telic import Budget, Criterion, GoalStatus, Reason
from telic.domain.budget import UsageKind
from telic.domain.events import EventKind
from telic.domain.loop_state import Claim
from telic.domain.verdict import AttemptResult, CheckError
from telic.loop.run_context import LoopEventKind
from telic.loop.verification.evidence import Evidence, JudgeAnswer, JudgeVerdict
from telic.loop.verification.judge import JudgeReply
from telic.loop.verification.verifier import Verifier
from tests.loop_driver.world import (
    CLAIM,
    DONE_IS_THERE,
    IMPATIENT,
    ScriptedAgent,
    World,
    asked,
    judge,
    makes,
    policy,
    report,
)

USAGE = {"input_tokens": 9, "output_tokens": 2}
PASS = {"verdict": "pass", "model": "m-1", "usage": USAGE}


async def judge_lines(world: World, goal_id: str) -> list[telic.Turn]:
    return [turn for turn in await world.store.turns(goal_id) if turn.kind is UsageKind.JUDGE]


async def test_a_judge_is_asked_after_the_commands_and_billed_once(world: World) -> None:
    """By its own kind, which is no turn; not at all while a command fails."""
    goal = await world.store.create("judge", criteria=[DONE_IS_THERE, judge(PASS)])
    ended = await world.run(goal, ScriptedAgent([CLAIM, makes("done")]))
    assert (ended.reason, ended.turns_used, ended.tokens_used) == (Reason.VERIFIED, 2, 211)
    (line,) = await judge_lines(world, goal.id)
    assert (line.usage.tokens, line.model) == (11, "m-1")
    assert asked(world.workspace) == 1


async def test_a_budget_of_money_stops_a_goal_whose_judges_cost_is_unknown(world: World) -> None:
    """At once, with the reason as its note: another check would spend what nobody counts. Its tokens are counted."""
    goal = await world.store.create("judge", criteria=[judge(PASS)], budget=Budget(cost="5.00"))
    priced = telic.ModelUsage(input_tokens=80, output_tokens=20, cost_microunits=3)
    ended = await world.run(goal, ScriptedAgent([report("done", usage=priced, claim=Claim.COMPLETE)]))
    assert (ended.status, ended.reason, asked(world.workspace)) == (GoalStatus.PAUSED, Reason.FAILED, 1)
    assert "the price of the judge's model 'm-1' is unknown" in str(ended.note)
    (line,) = await judge_lines(world, goal.id)
    assert (line.usage.tokens, line.is_estimate, ended.tokens_used, ended.estimated_lines) == (11, True, 111, 1)


async def test_a_judges_suggestions_are_in_the_next_prompt(world: World) -> None:
    """With its reasons, escaped."""
    no = {"verdict": "fail", "reasons": ["<no> tests"], "suggestions": ["write them"]}
    goal = await world.store.create("judge", criteria=[judge(no)])
    agent = ScriptedAgent([CLAIM])
    ended = await world.run(goal, agent, policy(max_failed_verifications=2))
    assert ended.reason is Reason.STALLED
    assert "\\u003cno\\u003e tests" in agent.prompts[1]
    assert "write them" in agent.prompts[1]


FAILURES: dict[str, tuple[Criterion, CheckError, int]] = {
    "outage": (judge("", before="sys.exit(3)"), CheckError.JUDGE_OUTAGE, 2),
    "timeout": (
        Criterion.judge("Is it good?", argv=["sh", "-c", "printf x >>asked; exec sleep 60"], timeout_seconds=1),
        CheckError.JUDGE_TIMED_OUT,
        1,
    ),
    "bad JSON": (judge("I think so"), CheckError.JUDGE_BAD_OUTPUT, 2),
    "429": (
        judge({"verdict": "rate_limited", "retry_after_seconds": 86_000}),
        CheckError.JUDGE_RATE_LIMITED,
        1,
    ),
}


@pytest.mark.parametrize("how", FAILURES)
async def test_a_judge_that_gives_no_answer_is_no_no(world: World, how: str) -> None:
    """It is asked as often as its policy says, the verification repeated as often as the loop's; no turn is taken."""
    criterion, error, attempts = FAILURES[how]
    goal = await world.store.create("judge", criteria=[criterion])
    agent = ScriptedAgent([CLAIM])
    repeats = 1 if how in ("timeout", "429") else 2
    ended = await world.run(goal, agent, policy(max_unchecked_verifications=repeats))
    assert (ended.status, ended.reason) == (GoalStatus.PAUSED, Reason.FAILED)
    assert len(agent.requests) == 1
    assert asked(world.workspace) == attempts * repeats
    events = await world.verdicts(goal.id)
    assert [event.data["verdicts"][0]["error"] for event in events] == [error.value] * repeats


async def test_a_rate_limit_is_waited_for(world: World) -> None:
    """As long as the provider says: the verification is repeated then, and the claim needs no new turn."""
    limited = '{"verdict": "rate_limited", "retry_after_seconds": 0.3}'
    code = "import os, sys; sys.stdin.read(); open('asked', 'a').write('x'); n = os.path.getsize('asked')"
    said = f'{code}; print({limited!r} if n < 3 else \'{{"verdict": "pass"}}\')'
    goal = await world.store.create("judge", criteria=[Criterion.judge("Good?", argv=["python3", "-S", "-c", said])])
    agent = ScriptedAgent([CLAIM])
    began = asyncio.get_running_loop().time()
    ended = await world.run(goal, agent)
    assert (ended.reason, len(agent.requests), asked(world.workspace)) == (Reason.VERIFIED, 1, 3)
    assert asyncio.get_running_loop().time() - began >= 0.3


async def test_a_judge_that_recovers_needs_no_new_turn(world: World) -> None:
    """After an outage the claim is checked again, after the pause that it must keep."""
    code = "import os, sys; sys.stdin.read(); open('asked', 'a').write('x'); n = os.path.getsize('asked')"
    said = f'{code}; sys.exit(3) if n < 3 else print(\'{{"verdict": "pass"}}\')'
    goal = await world.store.create("judge", criteria=[Criterion.judge("Good?", argv=["python3", "-S", "-c", said])])
    agent = ScriptedAgent([CLAIM])
    ended = await world.run(goal, agent, policy(backoff_seconds=1, max_backoff_seconds=1))
    assert (ended.reason, len(agent.requests)) == (Reason.VERIFIED, 1)
    assert len(world.heard(LoopEventKind.SLEEPING)) >= 1


async def test_a_judges_network_that_is_away_is_waited_for(world: World) -> None:
    """More often than a verification may fail to be carried out, and without another turn."""
    code = "import os, sys; sys.stdin.read(); open('asked', 'a').write('x'); n = os.path.getsize('asked')"
    said = f'{code}; sys.exit("connect ECONNREFUSED") if n < 15 else print(\'{{"verdict": "pass"}}\')'
    goal = await world.store.create("judge", criteria=[Criterion.judge("Good?", argv=["python3", "-S", "-c", said])])
    agent = ScriptedAgent([CLAIM])
    ended = await world.run(goal, agent, policy(max_unchecked_verifications=1))
    assert (ended.reason, len(agent.requests)) == (Reason.VERIFIED, 1)
    assert (await world.state(goal.id)).outages == 0


@pytest.mark.parametrize("budget", [None, 100])
async def test_a_judges_network_that_never_returns_is_given_up(world: World, budget: int | None) -> None:
    """After as many checks in a row as the policy says, also where the budget is used up."""
    away = judge("", before='sys.exit("connect ECONNREFUSED")')
    goal = await world.store.create("judge", criteria=[away], token_budget=budget)
    ended = await world.run(goal, ScriptedAgent([CLAIM]), policy(max_outages=3))
    assert (ended.reason, len(await world.verdicts(goal.id))) == (Reason.BUDGET if budget else Reason.FAILED, 4)


async def test_the_bill_that_reaches_the_budget_voids_no_verdict(world: World) -> None:
    """The goal is verified although its judge used the budget up."""
    goal = await world.store.create("judge", criteria=[judge(PASS)], token_budget=105)
    ended = await world.run(goal, ScriptedAgent([CLAIM]))
    assert (ended.reason, ended.tokens_used, asked(world.workspace)) == (Reason.VERIFIED, 111, 1)


async def test_the_bill_of_a_judge_that_says_no_pauses_the_goal(world: World) -> None:
    """In the same transaction as its verdict; there is nothing left for another turn."""
    no = PASS | {"verdict": "fail", "reasons": ["no"]}
    goal = await world.store.create("judge", criteria=[judge(no)], token_budget=105)
    ended = await world.run(goal, ScriptedAgent([CLAIM]))
    assert (ended.reason, ended.tokens_used, asked(world.workspace)) == (Reason.BUDGET, 111, 1)


class SlowJudge:
    """Answers its first question, and says when it was asked a second, which it answers when it may."""

    def __init__(self) -> None:
        self.questions = 0
        self.began, self.may_answer = asyncio.Event(), asyncio.Event()

    async def ask(self, evidence: Evidence, timeout_seconds: float) -> JudgeReply:
        self.questions += 1
        if self.questions == 2:
            self.began.set()
            await self.may_answer.wait()
        answer = JudgeAnswer(verdict=JudgeVerdict.YES, reasons=(), suggestions=())
        return JudgeReply(
            result=AttemptResult.ANSWERED, answer=answer, model="m", usage=telic.ModelUsage(output_tokens=11)
        )


@pytest.mark.parametrize("change", ["edit", "pause", "clear", "edit too late"])
async def test_judges_are_billed_also_when_the_goal_is_changed_meanwhile(world: World, change: str) -> None:
    """What they consumed is in the ledger once; what they said counts for nothing."""
    criteria = [Criterion.judge("Is it fast?"), Criterion.judge("Is it small?")]
    goal = await world.store.create("judge", criteria=criteria)
    slow, agent = SlowJudge(), ScriptedAgent([CLAIM])
    late = change == "edit too late"
    loop = world.loop(agent, policy(max_failures=1), heartbeat_seconds=5 if late else 0.05)
    loop.verifier = Verifier(workspace=world.workspace, judge=slow, policy=IMPATIENT)
    running = asyncio.create_task(loop.run(goal.id))
    await slow.began.wait()
    changes: dict[str, Any] = {"pause": world.store.pause, "clear": world.store.clear}
    if change in changes:
        await changes[change](goal.id)
    else:
        await world.store.edit(goal.id, text="something else")
    if late:
        slow.may_answer.set()
    if change.startswith("edit"):
        # A new definition is worked on anew, and checked anew.
        ended = await running
        assert (ended.reason, len(agent.requests)) == (Reason.VERIFIED, 2)
        assert slow.questions == 4
        billed = 4 if late else 3
    else:
        ended = await running
        assert ended.status is (GoalStatus.PAUSED if change == "pause" else GoalStatus.CLEARED)
        assert [event.kind for event in await world.store.events(goal.id)].count(EventKind.CHECKED) == 0
        billed = 1
    assert [line.usage.tokens for line in await judge_lines(world, goal.id)] == [11] * billed
    await world.check(goal.id)


async def test_an_approval_is_waited_for(world: World) -> None:
    """The goal sleeps until it comes; a rejection is in the next prompt, and then the person is asked anew."""
    criteria = [DONE_IS_THERE, Criterion.approval("Does it look right?"), Criterion.approval("May it go out?")]
    goal = await world.store.create("ask", criteria=criteria)
    agent = ScriptedAgent([makes("done"), makes("mended")])
    asleep = await world.run(goal, agent)
    assert (asleep.status, asleep.reason) == (GoalStatus.PAUSED, Reason.WAITING)
    assert asleep.note == "Does it look right?; May it go out?"
    await world.store.approve(goal.id, 1, decided_by="Ada", is_approved=False, note="too <green>")
    await world.store.approve(goal.id, 2, decided_by="Ada")
    asleep = await world.run(goal, agent)
    assert asleep.reason is Reason.WAITING
    assert len(agent.requests) == 2
    assert "too \\u003cgreen\\u003e" in agent.prompts[1]
    await world.store.approve(goal.id, 1, decided_by="Ada")
    ended = await world.run(goal, agent)
    assert (ended.reason, len(agent.requests)) == (Reason.VERIFIED, 2)


async def test_an_answer_that_comes_while_the_goal_falls_asleep_is_not_missed(world: World) -> None:
    """Between the look for answers and the pause, it keeps the goal awake."""
    criteria = [Criterion.judge("Is it fast?"), Criterion.approval("Does it look right?")]
    goal = await world.store.create("ask", criteria=criteria)
    slow, agent = SlowJudge(), ScriptedAgent([CLAIM])
    slow.questions = 1
    loop = world.loop(agent, heartbeat_seconds=5)
    loop.verifier = Verifier(workspace=world.workspace, judge=slow, policy=IMPATIENT)
    running = asyncio.create_task(loop.run(goal.id))
    await slow.began.wait()
    await world.store.approve(goal.id, 1, decided_by="Ada")
    slow.may_answer.set()
    ended = await running
    assert (ended.reason, len(agent.requests)) == (Reason.VERIFIED, 1)


@pytest.mark.parametrize("kind", ["approval", "outage"])
async def test_a_spent_goal_is_not_checked_for_ever(world: World, kind: str) -> None:
    """Its budget is used up, and it lacks an answer or its judge is away: checks are bounded, and it stays paused."""
    missing = Criterion.approval("Right?") if kind == "approval" else judge("", before="sys.exit(3)")
    goal = await world.store.create("spent", criteria=[DONE_IS_THERE, missing], token_budget=100)
    ended = await world.run(goal, ScriptedAgent([makes("done", report())]), policy(max_unchecked_verifications=2))
    assert (ended.status, ended.reason) == (GoalStatus.PAUSED, Reason.BUDGET)
    assert len(await world.verdicts(goal.id)) == (1 if kind == "approval" else 2)


async def test_a_claim_that_could_not_be_checked_costs_no_wind_down(world: World) -> None:
    """Near its budget's end too, the check is repeated before another turn is bought."""
    code = "import os, sys; sys.stdin.read(); open('asked', 'a').write('x'); n = os.path.getsize('asked')"
    said = f'{code}; sys.exit(3) if n < 3 else print(\'{{"verdict": "pass"}}\')'
    criteria = [Criterion.judge("Good?", argv=["python3", "-S", "-c", said])]
    goal = await world.store.create("judge", criteria=criteria, budget=Budget(tokens=105))
    agent = ScriptedAgent([CLAIM])
    assert (await world.run(goal, agent)).reason is Reason.VERIFIED
    assert len(agent.requests) == 1

"""A check at a stop is settled as the loop settles it: the verdicts first, then the bill, each judge's answer once."""

import shlex
import sys

import pytest

import telic
from telic.domain.criteria import Criterion
from telic.domain.errors import OutcomeUnknown
from telic.domain.goal import Goal
from telic.domain.loop_state import LoopState
from telic.domain.verification import Verification
from telic.integrations.hosts import checking
from telic.integrations.hosts.checking import JudgeChoice, StopCheck
from telic.integrations.hosts.payload import HookEvent, HookPayload
from telic.services.settlement import GoalCheck
from telic.store.goal_store import GoalStore
from tests.hooks.conftest import HostProgram

JUDGE = """
import json, sys
json.load(sys.stdin)
print(json.dumps({"verdict": "pass", "reasons": ["it is"], "blocking_problems": [], "suggestions": [],
    "model": "a-judge", "usage": {"input_tokens": 700, "output_tokens": 77}}))
"""


@pytest.fixture
def judge(program: HostProgram) -> str:
    file = program.folder / "judge.py"
    file.write_text(JUDGE)
    return shlex.join([sys.executable, str(file)])


def test_a_passing_verdict_stands_though_its_judges_bill_reaches_the_budget(program: HostProgram, judge: str) -> None:
    goal = program.goal(criteria=[Criterion.judge("Is it good?")], token_budget=500)
    program.options = ["--judge-command", judge]
    assert "is verified" in program.call("stop", "TELIC: complete")["systemMessage"]
    after = program.store.get(goal.id)
    assert (after.status, after.reason) == (telic.GoalStatus.COMPLETED, telic.Reason.VERIFIED)
    assert after.usage.tokens == 777


def test_a_goal_that_was_reached_with_the_last_of_its_budget_is_verified(program: HostProgram, judge: str) -> None:
    """One that was not stays paused, and the user hears how to go on."""
    program.options = ["--judge-command", judge]
    goal = program.goal(criteria=[Criterion.judge("Is it good?")], token_budget=500)
    program.call("prompt")
    program.store.record_turn(goal.id, tokens=600)
    assert "is verified" in program.call("stop", "TELIC: complete")["systemMessage"]
    assert program.store.get(goal.id).reason is telic.Reason.VERIFIED
    unreached = program.goal(criteria=[Criterion.command(["false"])], token_budget=500)
    program.call("prompt")
    program.store.record_turn(unreached.id, tokens=600)
    message = program.call("stop", "TELIC: complete")["systemMessage"]
    assert f"telic resume {unreached.id} --budget" in message
    assert program.store.get(unreached.id).reason is telic.Reason.BUDGET


def test_a_settlement_whose_answer_was_lost_is_repeated_and_counts_once(
    program: HostProgram, judge: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was acknowledged to nobody may have been written all the same."""
    goal = program.goal(criteria=[Criterion.judge("Is it good?"), Criterion.approval("May it go out?")])
    lease = program.store.claim(goal.id, worker="hook")
    calls: list[str] = []

    def lose_the_first_answer(store: GoalStore, check: GoalCheck, found: Verification) -> Goal:
        after = settle(store, check, found)
        calls.append(check.key)
        if len(calls) == 1:
            raise OutcomeUnknown(check.key)
        return after

    settle = checking.settle
    monkeypatch.setattr(checking, "settle", lose_the_first_answer)
    check = StopCheck(program.store, 60.0, JudgeChoice(command=judge), lambda: None)
    notice = HookPayload(event=HookEvent.STOP, event_name="Stop", session="s", folder=program.folder)
    state = LoopState(work="done")
    found, after = check.check(goal, lease, state, notice)
    assert len(calls) == 2
    assert len(set(calls)) == 1
    assert after.reason is telic.Reason.WAITING
    assert len(found.verdicts) == 2
    assert [turn.usage.tokens for turn in program.store.turns(goal.id)] == [777]

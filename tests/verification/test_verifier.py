"""A whole verification: commands, then judges, then humans, all at one revision."""

import asyncio
import subprocess
import sys
from pathlib import Path

import pytest

from telic.domain.criteria import Criterion
from telic.domain.verdict import Approval, CheckError, Outcome, Verdict
from telic.domain.verification import Verification
from telic.loop.agents.protocol import TurnReport
from telic.loop.verification.evidence import AgentWork
from telic.loop.verification.judge_model import ModelJudge
from telic.loop.verification.verifier import Verifier
from telic.prompt import quote
from tests.support.model_server import ModelServer, answering, failing
from tests.verification.asking import QUICK, child_of, is_running
from tests.verification.conftest import MakeGoal

PASSING = Criterion.command([sys.executable, "-c", "print('12 passed')"])
FAILING = Criterion.command([sys.executable, "-c", "print('1 failed'); raise SystemExit(1)"])
UNRUNNABLE = Criterion.command(["no-such-command-anywhere"])
QUESTION = Criterion.judge("Is it clear?")
SECOND_QUESTION = Criterion.judge("Is it short?")
APPROVAL = Criterion.approval("Ship it?")


def outcomes(verification: Verification) -> list[tuple[int, str]]:
    return [(verdict.index, verdict.outcome.value) for verdict in verification.verdicts]


def approved(is_approved: bool = True) -> Approval:
    return Approval(criterion_hash=APPROVAL.content_hash, is_approved=is_approved, decided_by="ada", note="seen")


@pytest.fixture
def verifier(workspace: Path, model_server: ModelServer) -> Verifier:
    model_server.script = [answering("pass", reasons=["so it is"])]
    return Verifier(workspace=workspace, judge=ModelJudge(model_server.model()), policy=QUICK)


async def test_all_that_passes_is_verified(verifier: Verifier, goal_with: MakeGoal) -> None:
    goal = goal_with(APPROVAL, QUESTION, PASSING)
    found = await verifier.verify(goal, AgentWork(text="Done."), approvals=[approved()])
    assert found.is_verified
    assert outcomes(found) == [(0, "passed"), (1, "passed"), (2, "passed")]
    assert (found.revision, found.verdicts[0].decided_by, found.verdicts[0].reasons) == (1, "ada", ("seen",))


async def test_judges_are_asked_when_all_commands_passed(
    verifier: Verifier, goal_with: MakeGoal, model_server: ModelServer
) -> None:
    """A judge costs money, a human patience: neither is asked for what a command has refused already."""
    for broken, outcome in ((FAILING, "failed"), (UNRUNNABLE, "error")):
        found = await verifier.verify(goal_with(QUESTION, broken, PASSING, APPROVAL), approvals=[approved()])
        assert outcomes(found) == [(1, outcome), (2, "passed")]
        assert not found.is_verified
    assert model_server.requests == []


async def test_a_judge_sees_the_checks_output(
    verifier: Verifier, goal_with: MakeGoal, model_server: ModelServer
) -> None:
    await verifier.verify(
        goal_with(PASSING, QUESTION), AgentWork.of(TurnReport(text="Trust me.", tool_output_tail="diff"))
    )
    prompt = model_server.requests[0]["messages"][1]["content"]
    assert "Check 1, passed with exit code 0: " in prompt
    assert quote("12 passed\n") in prompt
    assert prompt.index('"diff"') < prompt.index('"Trust me."')


async def test_humans_are_waited_for_when_all_else_passed(
    verifier: Verifier, goal_with: MakeGoal, model_server: ModelServer
) -> None:
    goal = goal_with(PASSING, QUESTION, APPROVAL)
    waiting = await verifier.verify(goal)
    assert (waiting.outcome, outcomes(waiting)[2]) == (Outcome.PENDING, (2, "pending"))
    assert (await verifier.verify(goal, approvals=[approved(False)])).outcome is Outcome.FAILED
    other = Approval(criterion_hash=PASSING.content_hash, is_approved=True, decided_by="ada")
    assert (await verifier.verify(goal, approvals=[other])).outcome is Outcome.PENDING
    model_server.script = [answering("fail", reasons=["it is not"])]
    refused = await verifier.verify(goal, approvals=[approved()])
    assert outcomes(refused) == [(0, "passed"), (1, "failed")]


async def test_the_first_judge_that_cannot_be_asked_is_the_last_one(
    verifier: Verifier, goal_with: MakeGoal, model_server: ModelServer
) -> None:
    model_server.script = [failing(401)]
    found = await verifier.verify(goal_with(QUESTION, SECOND_QUESTION, APPROVAL), approvals=[approved()])
    assert outcomes(found) == [(0, "error")]
    assert len(model_server.requests) == 1
    model_server.script = [answering("fail", reasons=["it is not"]), answering("pass")]
    found = await verifier.verify(goal_with(QUESTION, SECOND_QUESTION))
    assert outcomes(found) == [(0, "failed"), (1, "passed")]


async def test_an_undecided_judge_does_not_silence_the_others(
    verifier: Verifier, goal_with: MakeGoal, model_server: ModelServer
) -> None:
    model_server.script = [answering("cannot_judge", reasons=["too short"]), answering("pass")]
    found = await verifier.verify(goal_with(QUESTION, SECOND_QUESTION, APPROVAL), approvals=[approved()])
    assert outcomes(found) == [(0, "error"), (1, "passed")]


async def test_the_evidence_is_bounded(verifier: Verifier, goal_with: MakeGoal, model_server: ModelServer) -> None:
    code = "print('x' * 100_000)"
    checks = [Criterion.command([sys.executable, "-c", code, "y" * 4_000, str(number)]) for number in range(10)]
    work = AgentWork(text="z" * 1_000_000, tool_output_tail="z" * 1_000_000)
    await verifier.verify(goal_with(*checks, QUESTION), work)
    assert len(model_server.requests[0]["messages"][1]["content"]) < 40_000


async def test_without_a_judge_a_question_is_an_error(workspace: Path, goal_with: MakeGoal) -> None:
    found = await Verifier(workspace=workspace).verify(goal_with(QUESTION))
    assert found.verdicts[0].error is CheckError.NO_JUDGE


async def test_a_command_can_judge_without_any_model(workspace: Path, goal_with: MakeGoal) -> None:
    criterion = Criterion.judge("Is it clear?", argv=["echo", '{"verdict": "pass"}'])
    assert (await Verifier(workspace=workspace).verify(goal_with(criterion))).is_verified


async def test_no_criteria_verify_nothing(workspace: Path, goal_with: MakeGoal) -> None:
    assert not (await Verifier(workspace=workspace).verify(goal_with())).is_verified


async def test_verdicts_are_told_as_they_come(verifier: Verifier, goal_with: MakeGoal) -> None:
    told: list[Verdict] = []
    found = await verifier.verify(goal_with(QUESTION, PASSING), on_verdict=told.append)
    assert [verdict.index for verdict in told] == [1, 0]
    assert sorted(told, key=lambda verdict: verdict.index) == list(found.verdicts)


async def test_a_verification_can_be_cancelled(workspace: Path, goal_with: MakeGoal) -> None:
    hanging = Criterion.command(["sleep 300 & echo $! > child; wait"], shell=True)
    task = asyncio.create_task(Verifier(workspace=workspace).verify(goal_with(PASSING, hanging)))
    child = await child_of(workspace)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not is_running(child)


def test_the_model_library_is_loaded_for_a_model_judge_only() -> None:
    """Everything else of a verification works without the extra."""
    script = (
        "import sys, telic.loop.verification.verifier, telic.loop.progress, telic.loop.workspace;"
        "print([name for name in ('pydantic', 'pydantic_ai', 'openai', 'httpx2') if name in sys.modules])"
    )
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"

"""A question put to a judge, without the waiting: the delays are noted instead."""

import asyncio
from pathlib import Path
from typing import Any

import telic
from telic.domain.criteria import Criterion
from telic.domain.verdict import Verdict
from telic.loop.verification.evidence import AgentWork, Evidence, gather
from telic.loop.verification.judge import Judge, JudgePolicy, Patience, judge_criterion

QUICK = JudgePolicy(
    timeout_seconds=10,
    outage=Patience(attempts=3, first_delay_seconds=2, longest_delay_seconds=3),
    timed_out=Patience(attempts=2, first_delay_seconds=1, longest_delay_seconds=1),
    bad_output=Patience(attempts=2),
    rate_limited=Patience(attempts=3, first_delay_seconds=5, longest_delay_seconds=60),
)


def evidence_for(goal: telic.Goal, question: str = "Is the parser mended?", work: AgentWork | None = None) -> Evidence:
    return gather(goal, question, work or AgentWork(text="I mended it.", tool_output_tail="12 passed"), ())


async def put(
    judge: Judge, criterion: Criterion, evidence: Evidence, policy: JudgePolicy = QUICK
) -> tuple[Verdict, list[float]]:
    """The verdict, and the seconds that were waited before each further attempt."""
    delays: list[float] = []

    async def sleep(seconds: float) -> None:
        delays.append(seconds)

    verdict = await judge_criterion(criterion, evidence, judge, index=0, policy=policy, sleep=sleep)
    return verdict, delays


def results(verdict: Verdict) -> list[Any]:
    return [attempt.result.value for attempt in verdict.attempts]


async def child_of(workspace: Path) -> Path:
    """The file in which a running check names the process it started, once it is there."""
    file = workspace / "child"
    for _ in range(1_000):
        if file.exists() and file.read_text().strip():
            break
        await asyncio.sleep(0.01)
    assert is_running(file)
    return file


def is_running(file: Path) -> bool:
    """Whether the process whose id the file holds is there, and no mere remains of one."""
    stat = Path(f"/proc/{file.read_text().strip()}/stat")
    try:
        return stat.read_text().rsplit(")", 1)[1].split()[0] not in "ZX"
    except OSError:
        return False

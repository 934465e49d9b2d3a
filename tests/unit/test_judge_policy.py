"""What follows a judge's failure: one pure function over data."""

from dataclasses import replace

import pytest

from telic.domain.errors import InvalidNumber
from telic.domain.verdict import AttemptResult, CheckError, JudgeAttempt
from telic.loop.verification.judge import AskAgain, GiveUp, JudgePolicy, Patience, next_step

POLICY = JudgePolicy(
    max_attempts=6,
    outage=Patience(attempts=4, first_delay_seconds=2, longest_delay_seconds=5),
    timed_out=Patience(attempts=2, first_delay_seconds=1, longest_delay_seconds=1),
    bad_output=Patience(attempts=3),
    rate_limited=Patience(attempts=3, first_delay_seconds=4, longest_delay_seconds=60),
)
OUTAGE, TIMED_OUT, BAD_OUTPUT, RATE_LIMITED = (
    JudgeAttempt(result=result)
    for result in (
        AttemptResult.OUTAGE,
        AttemptResult.TIMED_OUT,
        AttemptResult.BAD_OUTPUT,
        AttemptResult.RATE_LIMITED,
    )
)


def limited(seconds: int) -> JudgeAttempt:
    return replace(RATE_LIMITED, retry_after_microseconds=seconds * 1_000_000)


@pytest.mark.parametrize(
    ("history", "step"),
    [
        ([OUTAGE], AskAgain(2)),
        ([OUTAGE] * 2, AskAgain(4)),
        ([OUTAGE] * 3, AskAgain(5)),
        ([OUTAGE] * 4, GiveUp(CheckError.JUDGE_OUTAGE)),
        ([TIMED_OUT], AskAgain(1)),
        ([TIMED_OUT] * 2, GiveUp(CheckError.JUDGE_TIMED_OUT)),
        ([BAD_OUTPUT], AskAgain(0)),
        ([BAD_OUTPUT] * 2, AskAgain(0)),
        ([BAD_OUTPUT] * 3, GiveUp(CheckError.JUDGE_BAD_OUTPUT)),
        ([RATE_LIMITED], AskAgain(4)),
        ([limited(17)], AskAgain(17)),
        ([limited(0)], AskAgain(0)),
        ([limited(60)], AskAgain(60)),
        ([limited(61)], GiveUp(CheckError.JUDGE_RATE_LIMITED)),
        ([limited(1)] * 3, GiveUp(CheckError.JUDGE_RATE_LIMITED)),
        ([OUTAGE, BAD_OUTPUT, TIMED_OUT], AskAgain(1)),
        ([OUTAGE, BAD_OUTPUT, OUTAGE], AskAgain(4)),
        ([BAD_OUTPUT, BAD_OUTPUT, OUTAGE, OUTAGE, RATE_LIMITED, TIMED_OUT], GiveUp(CheckError.JUDGE_TIMED_OUT)),
        ([JudgeAttempt(result=AttemptResult.REFUSED)], GiveUp(CheckError.JUDGE_REFUSED)),
        ([JudgeAttempt(result=AttemptResult.UNDECIDED)], GiveUp(CheckError.JUDGE_UNDECIDED)),
    ],
)
def test_each_failure_has_its_own_patience(history: list[JudgeAttempt], step: AskAgain | GiveUp) -> None:
    assert next_step(POLICY, history) == step


@pytest.mark.parametrize("result", [result for result in AttemptResult if result is not AttemptResult.ANSWERED])
def test_every_failure_comes_to_an_end(result: AttemptResult) -> None:
    """With the default policy nobody is asked for ever, whatever fails and in whatever order."""
    history = [JudgeAttempt(result=result)]
    while not isinstance(next_step(JudgePolicy(), history), GiveUp):
        history.append(JudgeAttempt(result=result))
    assert len(history) <= JudgePolicy().max_attempts


def test_a_policy_without_bounds_is_refused() -> None:
    for build in (
        lambda: Patience(attempts=0),
        lambda: Patience(attempts=True),
        lambda: Patience(attempts=101),
        lambda: Patience(attempts=1, first_delay_seconds=-1),
        lambda: Patience(attempts=1, first_delay_seconds=2, longest_delay_seconds=1),
        lambda: Patience(attempts=1, longest_delay_seconds=float("inf")),
        lambda: JudgePolicy(max_attempts=0),
        lambda: JudgePolicy(timeout_seconds=0),
        lambda: JudgePolicy(timeout_seconds=float("nan")),
    ):
        with pytest.raises(InvalidNumber):
            build()

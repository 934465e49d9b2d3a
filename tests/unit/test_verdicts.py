"""Verdicts: when a goal is verified, what the agent hears of it, and how strictly they are read back."""

import json
from dataclasses import replace
from typing import Any

import pytest

from telic.domain.budget import ModelUsage
from telic.domain.criteria import Criterion
from telic.domain.errors import InvalidInput
from telic.domain.verdict import (
    JUDGE_ERRORS,
    MAX_OUTPUT_TAIL_CHARS,
    Approval,
    AttemptResult,
    CheckError,
    JudgeAttempt,
    Outcome,
    Verdict,
)
from telic.domain.verification import FEEDBACK_CHARS, Verification, verdict_from_dict, verification_from_dict

CRITERIA = [Criterion.command(["pytest"]), Criterion.judge("Is it clear?"), Criterion.approval("Ship it?")]
HASHES = tuple(criterion.content_hash for criterion in CRITERIA)


def verdict(index: int, outcome: Outcome = Outcome.PASSED, **parts: Any) -> Verdict:
    if outcome is Outcome.ERROR:
        parts.setdefault("error", CheckError.TIMED_OUT)
    return Verdict(index=index, criterion_hash=HASHES[index], revision=4, outcome=outcome, **parts)


def verification(*verdicts: Verdict) -> Verification:
    return Verification(revision=4, criterion_hashes=HASHES, verdicts=verdicts)


FULL = verdict(
    1,
    Outcome.ERROR,
    error=CheckError.JUDGE_RATE_LIMITED,
    detail="slow down",
    output_tail="é\n",
    output_sha256="0" * 64,
    duration_microseconds=5,
    exit_code=3,
    reasons=("one",),
    suggestions=("two", "three"),
    decided_by="ada",
    attempts=(
        JudgeAttempt(result=AttemptResult.OUTAGE, detail="down"),
        JudgeAttempt(result=AttemptResult.BAD_OUTPUT, model="m", usage=ModelUsage(input_tokens=5, output_tokens=2)),
        JudgeAttempt(
            result=AttemptResult.RATE_LIMITED,
            usage=ModelUsage(input_tokens=7, cost_microunits=9),
            retry_after_microseconds=30_000_000,
        ),
    ),
)


def test_verified_is_every_criterion_passed() -> None:
    whole = verification(verdict(0), verdict(1), verdict(2))
    assert whole.is_verified
    assert whole.outcome is Outcome.PASSED
    assert whole.passed_hashes == set(HASHES)


@pytest.mark.parametrize("outcome", [Outcome.FAILED, Outcome.ERROR, Outcome.PENDING])
@pytest.mark.parametrize("index", [0, 1, 2])
def test_one_other_outcome_keeps_it_from_being_verified(index: int, outcome: Outcome) -> None:
    verdicts = [verdict(0), verdict(1), verdict(2)]
    verdicts[index] = verdict(index, outcome)
    assert not verification(*verdicts).is_verified
    assert verification(*verdicts).outcome is outcome


@pytest.mark.parametrize("missing", [0, 1, 2])
def test_a_criterion_that_was_not_reached_keeps_it_from_being_verified(missing: int) -> None:
    found = verification(*(verdict(index) for index in range(3) if index != missing))
    assert not found.is_verified
    assert found.outcome is Outcome.ERROR


def test_nothing_to_check_is_nothing_verified() -> None:
    found = Verification(revision=4, criterion_hashes=(), verdicts=())
    assert not found.is_verified
    assert found.outcome is Outcome.ERROR


def test_a_no_counts_more_than_what_could_not_be_checked() -> None:
    assert verification(verdict(0, Outcome.ERROR), verdict(1, Outcome.FAILED)).outcome is Outcome.FAILED
    assert verification(verdict(0, Outcome.PENDING), verdict(1, Outcome.ERROR)).outcome is Outcome.ERROR


@pytest.mark.parametrize(
    "verdicts",
    [
        (replace(verdict(0), revision=3),),
        (replace(verdict(0), criterion_hash=HASHES[1]),),
        (replace(verdict(0), index=3),),
        (verdict(0), verdict(0)),
        (verdict(1), verdict(0)),
    ],
    ids=["other revision", "other criterion", "no such criterion", "twice", "out of order"],
)
def test_verdicts_on_something_else_are_refused(verdicts: tuple[Verdict, ...]) -> None:
    with pytest.raises(InvalidInput):
        verification(*verdicts)


def test_an_error_says_why_and_nothing_else_does() -> None:
    with pytest.raises(InvalidInput):
        Verdict(index=0, criterion_hash=HASHES[0], revision=1, outcome=Outcome.ERROR)
    with pytest.raises(InvalidInput):
        verdict(0, Outcome.FAILED, error=CheckError.TIMED_OUT)


def test_feedback_is_what_the_agent_can_mend() -> None:
    """Failures, and commands that could not run; not the judge's outage, nor a human who has not answered."""
    failed = verdict(0, Outcome.FAILED, detail="exit code 1", output_tail="boom", suggestions=("try again",))
    told = verification(failed, FULL, verdict(2, Outcome.PENDING)).feedback
    assert [(entry.index, entry.outcome, entry.suggestions, entry.output_tail) for entry in told] == [
        (0, Outcome.FAILED, ("try again",), "boom")
    ]
    assert [entry.detail for entry in verification(verdict(0, Outcome.ERROR, detail="not found")).feedback] == [
        "not found"
    ]


def test_feedback_is_bounded_and_keeps_the_end() -> None:
    criteria = [Criterion.command(["check", str(number)]) for number in range(50)]
    hashes = tuple(criterion.content_hash for criterion in criteria)
    output = "x" * (MAX_OUTPUT_TAIL_CHARS - 3) + "end"
    failures = tuple(
        Verdict(index=index, criterion_hash=hashes[index], revision=1, outcome=Outcome.FAILED, output_tail=output)
        for index in range(50)
    )
    told = Verification(revision=1, criterion_hashes=hashes, verdicts=failures).feedback
    assert sum(len(entry.output_tail) for entry in told) <= FEEDBACK_CHARS
    assert all(entry.output_tail.endswith("xend") for entry in told)


def test_a_judges_usage_is_that_of_all_its_attempts() -> None:
    assert FULL.usage == ModelUsage(input_tokens=12, output_tokens=2, cost_microunits=9)
    assert FULL.model == "m"
    assert FULL.retry_after_microseconds == 30_000_000
    assert verdict(0).usage is None


def test_every_judges_error_is_known_as_one() -> None:
    """All but its own statement that the evidence does not decide, which the agent should hear."""
    assert {error for error in CheckError if "judge" in error.value} - {CheckError.JUDGE_UNDECIDED} == JUDGE_ERRORS
    undecided = verdict(1, Outcome.ERROR, error=CheckError.JUDGE_UNDECIDED, suggestions=("run the tests",))
    assert verification(verdict(0), undecided).feedback[0].suggestions == ("run the tests",)


def test_a_verification_survives_json() -> None:
    whole = verification(verdict(0), FULL, verdict(2, Outcome.PENDING))
    assert verification_from_dict(json.loads(json.dumps(whole.as_dict()))) == whole
    assert verdict_from_dict(json.loads(json.dumps(FULL.as_dict()))) == FULL


BROKEN: list[tuple[str, Any]] = [
    ("outcome", "PASSED"),
    ("outcome", None),
    ("error", "gremlins"),
    ("index", 50),
    ("index", True),
    ("index", "0"),
    ("revision", -1),
    ("criterion_hash", "0" * 63),
    ("criterion_hash", None),
    ("output_sha256", "G" * 64),
    ("exit_code", -9),
    ("exit_code", 1.0),
    ("output_tail", "x" * (MAX_OUTPUT_TAIL_CHARS + 1)),
    ("output_tail", "\0"),
    ("reasons", "one"),
    ("reasons", [1]),
    ("suggestions", ["x"] * 21),
    ("suggestions", None),
    ("decided_by", ""),
    ("attempts", {}),
    ("attempts", [{}]),
    ("attempts", [JudgeAttempt(result=AttemptResult.OUTAGE).as_dict() | {"usage": {"input_tokens": 1}}]),
    ("attempts", [JudgeAttempt(result=AttemptResult.OUTAGE).as_dict() | {"result": "fine"}]),
    ("duration_microseconds", None),
]


@pytest.mark.parametrize(("part", "value"), BROKEN)
def test_a_broken_verdict_is_refused(part: str, value: Any) -> None:
    with pytest.raises(InvalidInput):
        verdict_from_dict(FULL.as_dict() | {part: value})


def test_a_part_too_few_or_too_many_is_refused() -> None:
    for part in FULL.as_dict():
        with pytest.raises(InvalidInput):
            verdict_from_dict({name: value for name, value in FULL.as_dict().items() if name != part})
    with pytest.raises(InvalidInput):
        verdict_from_dict(FULL.as_dict() | {"overruled": True})
    for data in (None, [], "passed", verification(FULL).as_dict() | {"criterion_hashes": HASHES[0]}):
        with pytest.raises(InvalidInput):
            verification_from_dict(data)


def test_an_approval_is_somebodys() -> None:
    with pytest.raises(InvalidInput):
        Approval(criterion_hash=HASHES[2], is_approved=True, decided_by="")
    with pytest.raises(InvalidInput):
        Approval(criterion_hash="yes", is_approved=True, decided_by="ada")

"""The verdict on one criterion at one revision of its goal, with the evidence."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from telic.domain.budget import MODEL_COUNTERS, ModelUsage
from telic.domain.criteria import MAX_CRITERIA
from telic.domain.errors import InvalidInput
from telic.domain.ids import plain_fields
from telic.domain.limits import MAX_COUNTER, MAX_NAME_CHARS, check_counter, check_name, check_text

MAX_OUTPUT_TAIL_CHARS: Final = 4_000
MAX_STATEMENT_CHARS: Final = 1_000
MAX_STATEMENTS: Final = 20
MAX_ATTEMPTS: Final = 100

_SHA256 = re.compile(r"[0-9a-f]{64}")


class Outcome(StrEnum):
    """The outcome of one criterion. An error means that it could not be checked, which is no "no"."""

    PASSED = "passed"
    FAILED = "failed"
    ERROR = "error"
    PENDING = "pending"


class CheckError(StrEnum):
    """Why a criterion could not be checked."""

    FOLDER_MISSING = "folder_missing"
    FOLDER_OUTSIDE = "folder_outside"
    NOT_FOUND = "not_found"
    NOT_EXECUTABLE = "not_executable"
    NOT_STARTED = "not_started"
    TIMED_OUT = "timed_out"
    KILLED = "killed"
    NO_JUDGE = "no_judge"
    JUDGE_OUTAGE = "judge_outage"
    JUDGE_TIMED_OUT = "judge_timed_out"
    JUDGE_BAD_OUTPUT = "judge_bad_output"
    JUDGE_RATE_LIMITED = "judge_rate_limited"
    JUDGE_REFUSED = "judge_refused"
    JUDGE_COST_UNKNOWN = "judge_cost_unknown"
    JUDGE_UNDECIDED = "judge_undecided"


JUDGE_ERRORS: Final = frozenset(
    {
        CheckError.NO_JUDGE,
        CheckError.JUDGE_OUTAGE,
        CheckError.JUDGE_TIMED_OUT,
        CheckError.JUDGE_BAD_OUTPUT,
        CheckError.JUDGE_RATE_LIMITED,
        CheckError.JUDGE_REFUSED,
        CheckError.JUDGE_COST_UNKNOWN,
    }
)
"""The errors that a judge answered nothing: no doing of the agent's. An undecided judge has answered."""


class AttemptResult(StrEnum):
    """The result of asking a judge once.

    `refused` is for good: no such model, no access, nothing left of the quota. `undecided` is the judge's own
    answer that the evidence does not decide the question. `cost_unknown` is of a judge whose price is unknown though
    the goal has a budget of money: it was not asked, or its usage is known and its cost is not.
    """

    ANSWERED = "answered"
    UNDECIDED = "undecided"
    OUTAGE = "outage"
    TIMED_OUT = "timed_out"
    BAD_OUTPUT = "bad_output"
    RATE_LIMITED = "rate_limited"
    REFUSED = "refused"
    COST_UNKNOWN = "cost_unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgeAttempt:
    """One time that a judge was asked. `usage` is None where unknown, which is not 0.

    `cost_is_known` is False where the goal has a budget of money and nobody knows what the usage cost.
    `retry_after_microseconds` is how long the provider asked to wait.

    Raises:
        InvalidInput: a part is not what it says, or over its limit.
    """

    result: AttemptResult
    duration_microseconds: int = 0
    detail: str = ""
    model: str | None = None
    usage: ModelUsage | None = None
    cost_is_known: bool = True
    retry_after_microseconds: int | None = None

    def __post_init__(self) -> None:
        _check_kind("an attempt's result", self.result, AttemptResult)
        check_counter("duration_microseconds", self.duration_microseconds)
        check_text("an attempt's detail", self.detail, MAX_STATEMENT_CHARS)
        if self.model is not None:
            check_text("the model's name", self.model, MAX_NAME_CHARS)
        if self.retry_after_microseconds is not None:
            check_counter("retry_after_microseconds", self.retry_after_microseconds)

    def as_dict(self) -> dict[str, Any]:
        """The attempt as JSON keeps it."""
        return plain_fields(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """The outcome of one criterion, named by its place and its content's hash, at one revision of its goal.

    A command leaves its exit code, the end of its output and the SHA-256 of all of it; a judge its reasons,
    suggestions and attempts; an approval who decided (`decided_by`) and why.

    Raises:
        InvalidInput: a part is not what it says, or over its limit; an error has no cause, or another outcome one.
    """

    index: int
    criterion_hash: str
    revision: int
    outcome: Outcome
    error: CheckError | None = None
    detail: str = ""
    exit_code: int | None = None
    output_tail: str = ""
    output_sha256: str | None = None
    duration_microseconds: int = 0
    reasons: tuple[str, ...] = ()
    suggestions: tuple[str, ...] = ()
    decided_by: str | None = None
    attempts: tuple[JudgeAttempt, ...] = ()

    def __post_init__(self) -> None:
        if check_counter("index", self.index) >= MAX_CRITERIA:
            raise InvalidInput(f"a goal has at most {MAX_CRITERIA} criteria")
        check_sha256(self.criterion_hash)
        check_counter("revision", self.revision)
        _check_kind("an outcome", self.outcome, Outcome)
        if self.error is not None:
            _check_kind("an error", self.error, CheckError)
        if (self.outcome is Outcome.ERROR) != (self.error is not None):
            raise InvalidInput("an error, and nothing else, says why the criterion could not be checked")
        self._check_evidence()

    def _check_evidence(self) -> None:
        check_text("a verdict's detail", self.detail, MAX_STATEMENT_CHARS)
        check_text("a verdict's output", self.output_tail, MAX_OUTPUT_TAIL_CHARS)
        check_counter("duration_microseconds", self.duration_microseconds)
        if self.exit_code is not None:
            check_counter("exit_code", self.exit_code)
        if self.output_sha256 is not None:
            check_sha256(self.output_sha256)
        if self.decided_by is not None:
            check_name("decided_by", self.decided_by)
        for statements in (self.reasons, self.suggestions):
            check_statements(statements)
        if len(self.attempts) > MAX_ATTEMPTS:
            raise InvalidInput(f"a verdict keeps at most {MAX_ATTEMPTS} attempts")

    @property
    def usage(self) -> ModelUsage | None:
        """The usage of all attempts at asking the judge, or None where no attempt reported any."""
        known = [attempt.usage for attempt in self.attempts if attempt.usage is not None]
        return total_usage(known) if known else None

    @property
    def model(self) -> str | None:
        """The model that was asked last."""
        return next((attempt.model for attempt in reversed(self.attempts) if attempt.model), None)

    @property
    def retry_after_microseconds(self) -> int | None:
        """The wait that the judge's provider asked for, where that is why the criterion was not checked."""
        # Earlier attempts may have asked for a wait too, which is over by now.
        limited = self.error is CheckError.JUDGE_RATE_LIMITED and bool(self.attempts)
        return self.attempts[-1].retry_after_microseconds if limited else None

    def as_dict(self) -> dict[str, Any]:
        """The verdict as JSON keeps it."""
        return plain_fields(self) | {
            "reasons": list(self.reasons),
            "suggestions": list(self.suggestions),
            "attempts": [attempt.as_dict() for attempt in self.attempts],
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Approval:
    """A human's answer to the criterion with this hash; the caller vouches that it still counts.

    Raises:
        InvalidInput: the hash is none, nobody is named, or a text is over its limit.
    """

    criterion_hash: str
    is_approved: bool
    decided_by: str
    note: str = ""

    def __post_init__(self) -> None:
        check_sha256(self.criterion_hash)
        check_name("decided_by", self.decided_by)
        check_text("an approval's note", self.note, MAX_STATEMENT_CHARS)
        if type(self.is_approved) is not bool:
            raise InvalidInput("is_approved is True or False")

    def as_dict(self) -> dict[str, Any]:
        """The approval as JSON keeps it."""
        return plain_fields(self)


def check_statements(statements: Sequence[str]) -> tuple[str, ...]:
    """Return the reasons or suggestions; raise InvalidInput if there are over 20, or one has over 1,000 characters."""
    if len(statements) > MAX_STATEMENTS:
        raise InvalidInput(f"at most {MAX_STATEMENTS} reasons or suggestions are kept")
    return tuple(check_text("a reason or suggestion", text, MAX_STATEMENT_CHARS) for text in statements)


def total_usage(usages: Iterable[ModelUsage]) -> ModelUsage:
    """Return the sum of the usages; a counter stops at 2**53 - 1."""
    listed = list(usages)
    return ModelUsage(
        **{name: min(sum(getattr(usage, name) for usage in listed), MAX_COUNTER) for name in MODEL_COUNTERS}
    )


def _check_kind(name: str, value: object, kind: type[StrEnum]) -> None:
    if not isinstance(value, kind):
        raise InvalidInput(f"{name} must be a {kind.__name__}")


def check_sha256(value: object) -> None:
    """Raise InvalidInput if the value is no SHA-256 in hexadecimal."""
    if not isinstance(value, str) or not _SHA256.fullmatch(value):
        raise InvalidInput("a SHA-256 is 64 hexadecimal digits in lower case")

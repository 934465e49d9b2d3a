"""All verdicts on a goal's criteria at one revision, and what they say together."""

from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Any, Final, TypeVar

from telic.domain.budget import MODEL_COUNTERS, ModelUsage
from telic.domain.criteria import MAX_CRITERIA
from telic.domain.errors import GoalError, InvalidInput
from telic.domain.limits import check_counter
from telic.domain.verdict import (
    JUDGE_ERRORS,
    MAX_OUTPUT_TAIL_CHARS,
    Approval,
    AttemptResult,
    CheckError,
    JudgeAttempt,
    Outcome,
    Verdict,
    check_sha256,
)

FEEDBACK_CHARS: Final = 12_000
"""The characters of all checks' output that go into one prompt, shared evenly."""


@dataclass(frozen=True, slots=True)
class Feedback:
    """The news for an agent of a criterion that did not pass. Its texts are others' words: render them escaped."""

    index: int
    outcome: Outcome
    detail: str
    reasons: tuple[str, ...]
    suggestions: tuple[str, ...]
    output_tail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Verification:
    """All verdicts at one revision, in the order of the criteria, whose hashes are in `criterion_hashes`.

    A criterion without a verdict was not reached, because one before it did not pass.

    Raises:
        InvalidInput: a verdict is about another revision, or about no criterion of these, or comes twice.
    """

    revision: int
    criterion_hashes: tuple[str, ...]
    verdicts: tuple[Verdict, ...]

    def __post_init__(self) -> None:
        check_counter("revision", self.revision)
        if len(self.criterion_hashes) > MAX_CRITERIA:
            raise InvalidInput(f"a goal may have at most {MAX_CRITERIA} criteria")
        for criterion_hash in self.criterion_hashes:
            check_sha256(criterion_hash)
        places = [verdict.index for verdict in self.verdicts]
        if places != sorted(set(places)):
            raise InvalidInput("verdicts come in the order of their criteria, at most one for each")
        for verdict in self.verdicts:
            about = self.criterion_hashes[verdict.index : verdict.index + 1]
            if verdict.revision != self.revision or about != (verdict.criterion_hash,):
                raise InvalidInput(f"the verdict on criterion {verdict.index} is about another goal or revision")

    @property
    def is_verified(self) -> bool:
        """Whether there are criteria and every one of them passed, all at this revision."""
        return self.outcome is Outcome.PASSED

    @property
    def outcome(self) -> Outcome:
        """The outcome of all: failed before error before pending; passed only where nothing is missing."""
        found = {verdict.outcome for verdict in self.verdicts}
        for outcome in (Outcome.FAILED, Outcome.ERROR, Outcome.PENDING):
            if outcome in found:
                return outcome
        is_whole = 0 < len(self.criterion_hashes) == len(self.verdicts)
        return Outcome.PASSED if is_whole else Outcome.ERROR

    @property
    def passed_hashes(self) -> frozenset[str]:
        """The hashes of the criteria that passed."""
        return frozenset(verdict.criterion_hash for verdict in self.verdicts if verdict.outcome is Outcome.PASSED)

    @property
    def feedback(self) -> tuple[Feedback, ...]:
        """The criteria for the next prompt: those that failed, could not be run to an end, or lack evidence.

        That a judge gave no answer is left out: the agent cannot mend it.
        """
        told = [verdict for verdict in self.verdicts if _concerns_agent(verdict)]
        share = min(MAX_OUTPUT_TAIL_CHARS, FEEDBACK_CHARS // max(len(told), 1))
        return tuple(
            Feedback(
                verdict.index,
                verdict.outcome,
                verdict.detail,
                verdict.reasons,
                verdict.suggestions,
                verdict.output_tail[-share:],
            )
            for verdict in told
        )

    def as_dict(self) -> dict[str, Any]:
        """The verification as JSON keeps it."""
        return {
            "revision": self.revision,
            "criterion_hashes": list(self.criterion_hashes),
            "verdicts": [verdict.as_dict() for verdict in self.verdicts],
        }


def _concerns_agent(verdict: Verdict) -> bool:
    is_broken = verdict.error is not None and verdict.error not in JUDGE_ERRORS
    return verdict.outcome is Outcome.FAILED or is_broken


_Value = TypeVar("_Value")


def verification_from_dict(data: Any) -> Verification:
    """Return the verification that `Verification.as_dict` gave; raise InvalidInput for anything else."""
    return _read("verification", data, Verification, _verification)


def verdict_from_dict(data: Any) -> Verdict:
    """Return the verdict that `Verdict.as_dict` gave; raise InvalidInput for anything else."""
    return _read("verdict", data, Verdict, _verdict)


def approval_from_dict(data: Any) -> Approval:
    """Return the approval that `Approval.as_dict` gave; raise InvalidInput for anything else."""
    return _read("approval", data, Approval, lambda parts: Approval(**parts))


def usage_from_dict(data: Any) -> ModelUsage:
    """Return the usage that `ModelUsage.as_dict` gave; raise InvalidInput for anything else."""
    if not isinstance(data, dict) or set(data) != set(MODEL_COUNTERS):
        raise InvalidInput(f"a model's usage has exactly these counts: {', '.join(MODEL_COUNTERS)}")
    return ModelUsage(**data)


def _read(name: str, data: Any, kind: type[Any], build: Callable[[dict[str, Any]], _Value]) -> _Value:
    expected = {field.name for field in fields(kind)}
    if not isinstance(data, dict) or set(data) != expected:
        raise InvalidInput(f"a {name} has exactly these parts: {', '.join(sorted(expected))}")
    try:
        return build(data)
    except GoalError:
        raise
    except (TypeError, ValueError, AttributeError) as error:
        raise InvalidInput(f"unreadable {name}: {error!s:.200}") from error


def _list(value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise InvalidInput("reasons, suggestions, attempts, hashes and verdicts are lists")
    return value


def _verification(data: dict[str, Any]) -> Verification:
    verdicts = tuple(verdict_from_dict(verdict) for verdict in _list(data["verdicts"]))
    hashes = tuple(_list(data["criterion_hashes"]))
    return Verification(revision=data["revision"], criterion_hashes=hashes, verdicts=verdicts)


def _verdict(data: dict[str, Any]) -> Verdict:
    read: dict[str, Any] = {
        "outcome": Outcome(data["outcome"]),
        "error": None if data["error"] is None else CheckError(data["error"]),
        "reasons": tuple(_list(data["reasons"])),
        "suggestions": tuple(_list(data["suggestions"])),
        "attempts": tuple(_read("attempt", attempt, JudgeAttempt, _attempt) for attempt in _list(data["attempts"])),
    }
    return Verdict(**data | read)


def _attempt(data: dict[str, Any]) -> JudgeAttempt:
    usage = None if data["usage"] is None else usage_from_dict(data["usage"])
    read: dict[str, Any] = {"result": AttemptResult(data["result"]), "usage": usage}
    return JudgeAttempt(**data | read)

"""Verdicts read back from JSON: strictly, for what is not understood must not count as passed."""

from collections.abc import Callable
from dataclasses import fields
from typing import Any, TypeVar

from telic.domain.budget import MODEL_COUNTERS, ModelUsage
from telic.domain.errors import GoalError, InvalidInput
from telic.domain.verdict import Approval, AttemptResult, CheckError, JudgeAttempt, Outcome, Verdict
from telic.domain.verification import Verification

_Value = TypeVar("_Value")


def verification_from_dict(data: Any) -> Verification:
    """The verification that `Verification.as_dict` gave.

    Raises:
        InvalidInput: the data is anything else.
    """
    return _read("verification", data, Verification, _verification)


def verdict_from_dict(data: Any) -> Verdict:
    """The verdict that `Verdict.as_dict` gave.

    Raises:
        InvalidInput: the data is anything else.
    """
    return _read("verdict", data, Verdict, _verdict)


def approval_from_dict(data: Any) -> Approval:
    """The approval that `Approval.as_dict` gave.

    Raises:
        InvalidInput: the data is anything else.
    """
    return _read("approval", data, Approval, lambda parts: Approval(**parts))


def usage_from_dict(data: Any) -> ModelUsage:
    """The usage that `usage_as_dict` gave.

    Raises:
        InvalidInput: the data is anything else.
    """
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

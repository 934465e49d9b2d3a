"""Answers: content, goals with their tags, and errors as problem details (RFC 9457)."""

import hashlib
import json
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final

from starlette.responses import Response

from telic.domain.errors import (
    BudgetExceeded,
    GoalError,
    GoalNotActive,
    LeaseHeld,
    OutcomeUnknown,
    StaleUpdate,
    WouldReplace,
)
from telic.domain.goal import Goal
from telic.services.next_steps import next_on_screen
from telic.services.outcomes import OUTCOMES, http_status

HEADERS: Final = {"X-Content-Type-Options": "nosniff", "Cache-Control": "no-store"}
_JSON: Final = "application/json"


def json_answer(content: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """Return the content as ASCII: every character of it comes back exactly, and no proxy can misread it."""
    body = json.dumps(content, separators=(",", ":"), allow_nan=False).encode()
    return Response(body, status, {**HEADERS, **(headers or {})}, _JSON)


def goal_answer(goal: Goal, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """Return the goal with its tag."""
    return json_answer(goal.to_json(), status, {"ETag": goal_tag(goal), **(headers or {})})


def goal_tag(goal: Goal) -> str:
    """Return the goal's revision, which guards writes, and a digest, which also changes with every recorded turn."""
    digest = hashlib.sha256(json.dumps(goal.to_json()).encode()).hexdigest()[:16]
    return f'"{goal.revision}.{digest}"'


PROBLEM_MEDIA_TYPE: Final = "application/problem+json"
RETRY_AFTER_SECONDS: Final = 1
_PASSING: Final = frozenset({408, 429, 503})


class ApiRefusal(Exception):
    """The request cannot be carried out as it is. Nothing was written."""

    def __init__(self, code: str, detail: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail
        self.headers = dict(headers or {})


def problem(code: str, detail: str, *, is_retryable: bool = False, hint: str = "", **more: Any) -> dict[str, Any]:
    """Return the problem as JSON: `code` is stable, `detail` and `hint`, which says what to do, are for people."""
    status = http_status(code)
    return {
        "type": f"urn:telic:error:{code}",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
        "code": code,
        "retryable": is_retryable,
        "hint": hint or None,
        **more,
    }


def problem_of(error: Exception) -> dict[str, Any]:
    """Return the error as a problem; an unknown error says nothing of itself."""
    if isinstance(error, ApiRefusal):
        return problem(error.code, error.detail, is_retryable=http_status(error.code) in _PASSING)
    if isinstance(error, GoalError) and error.code in OUTCOMES:
        hint, more = next_on_screen(error), _particulars(error)
        return problem(error.code, str(error), is_retryable=error.retryable, hint=hint, **more)
    return problem("internal_error", "the server failed; its log says why")


# What a program needs to go on. A refusal whose goal is not known has no goal.
_PARTICULARS: Final[Mapping[type[GoalError], tuple[str, ...]]] = {
    StaleUpdate: ("goal",),
    GoalNotActive: ("goal",),
    WouldReplace: ("goal", "worker"),
    BudgetExceeded: ("limit", "used", "budget", "held", "asked"),
    LeaseHeld: ("worker", "expires_in_microseconds"),
    OutcomeUnknown: ("key",),
}


def _particulars(error: GoalError) -> dict[str, Any]:
    names = next((names for kind, names in _PARTICULARS.items() if isinstance(error, kind)), ())
    found = {name: getattr(error, name) for name in names}
    if isinstance(found.get("goal"), Goal):
        return {**found, "goal": found["goal"].to_json()}
    return {name: value for name, value in found.items() if name != "goal"}


def problem_answer(error: Exception) -> Response:
    """Return the error as a response; a stale update carries the present goal's tag, what may be repeated when."""
    content = problem_of(error)
    headers = dict(HEADERS) | (error.headers if isinstance(error, ApiRefusal) else {})
    if content["retryable"]:
        headers["Retry-After"] = str(RETRY_AFTER_SECONDS)
    if isinstance(error, StaleUpdate):
        headers["ETag"] = goal_tag(error.goal)
    return Response(json.dumps(content).encode(), content["status"], headers, PROBLEM_MEDIA_TYPE)

"""Errors as problem details (RFC 9457)."""

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
from telic.domain.jsonable import goal_to_json
from telic.interfaces.api.answers import HEADERS, goal_tag
from telic.services.outcomes import OUTCOMES

MEDIA_TYPE: Final = "application/problem+json"
RETRY_AFTER_SECONDS: Final = 1

REFUSALS: Final[Mapping[str, int]] = {
    "invalid_request": 400,
    "token_required": 401,
    "foreign_origin": 403,
    "read_only": 403,
    "not_found": 404,
    "method_not_allowed": 405,
    "body_too_large": 413,
    "unsupported_media_type": 415,
    "wrong_host": 421,
    "precondition_required": 428,
    "internal_error": 500,
    "too_many_streams": 503,
}
"""What the API itself refuses, before the store is asked."""

STATUSES: Final[Mapping[str, int]] = {
    **REFUSALS,
    **{code: outcome.http_status for code, outcome in OUTCOMES.items()},
}


class Refusal(Exception):
    """The request cannot be carried out as it is. Nothing was written."""

    def __init__(self, code: str, detail: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail
        self.headers = dict(headers or {})


def problem(code: str, detail: str, *, is_retryable: bool = False, **more: Any) -> dict[str, Any]:
    """The problem as JSON: `code` is stable, `detail` is for people."""
    status = STATUSES.get(code, 500)
    return {
        "type": f"urn:telic:error:{code}",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
        "code": code,
        "retryable": is_retryable,
        **more,
    }


def problem_of(error: Exception) -> dict[str, Any]:
    """What may be told about the error; of an unknown one, nothing."""
    if isinstance(error, Refusal):
        return problem(error.code, error.detail, is_retryable=STATUSES[error.code] == 503)
    if isinstance(error, GoalError) and error.code in STATUSES:
        return problem(error.code, str(error), is_retryable=error.retryable, **_particulars(error))
    return problem("internal_error", "the server failed; its log says why")


def _particulars(error: GoalError) -> dict[str, Any]:
    """What a program needs to go on."""
    if isinstance(error, StaleUpdate) or (isinstance(error, GoalNotActive) and error.goal is not None):
        return {"goal": error.goal and goal_to_json(error.goal)}
    if isinstance(error, WouldReplace):
        return {"goal": goal_to_json(error.goal), "holder": error.holder}
    if isinstance(error, BudgetExceeded):
        names = ("limit", "used", "budget", "held", "asked")
        return {name: getattr(error, name) for name in names}
    if isinstance(error, LeaseHeld):
        return {"holder": error.holder, "expires_in_microseconds": error.expires_in_microseconds}
    return {"key": error.key} if isinstance(error, OutcomeUnknown) else {}


def problem_answer(error: Exception) -> Response:
    """The error as a response; a stale update carries the present goal's tag, what may be repeated when."""
    told = problem_of(error)
    headers = dict(HEADERS) | (error.headers if isinstance(error, Refusal) else {})
    if told["retryable"]:
        headers["Retry-After"] = str(RETRY_AFTER_SECONDS)
    if isinstance(error, StaleUpdate):
        headers["ETag"] = goal_tag(error.goal)
    return Response(json.dumps(told).encode(), told["status"], headers, MEDIA_TYPE)

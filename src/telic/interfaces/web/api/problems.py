"""Errors as problem details (RFC 9457): one table from code to HTTP status."""

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
from telic.interfaces.web.api.answers import HEADERS, goal_tag

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
    "goal_not_found": 404,
    "ambiguous_id": 409,
    "invalid_transition": 409,
    "would_replace": 409,
    "stale_update": 412,
    "budget_exceeded": 409,
    "price_unknown": 409,
    "key_conflict": 409,
    "turn_conflict": 409,
    "goal_not_active": 409,
    "lease_held": 409,
    "lease_lost": 409,
    "hold_lost": 409,
    "not_allowed": 403,
    "invalid_input": 422,
    "invalid_text": 422,
    "empty_text": 422,
    "text_too_long": 422,
    "invalid_number": 422,
    "invalid_cursor": 422,
    "invalid_command": 422,
    "store_error": 500,
    "store_busy": 503,
    "store_unavailable": 503,
    "outcome_unknown": 503,
    "store_full": 507,
    "store_moved": 503,
    "store_closed": 503,
    "store_corrupt": 500,
    "store_misconfigured": 500,
    "schema_mismatch": 500,
    "agent_failure": 500,
    "agent_not_runnable": 500,
    "agent_prompt_too_large": 500,
    "agent_conversation_lost": 500,
    "agent_exited": 500,
    "agent_timed_out": 500,
    "agent_said_nothing": 500,
    "agent_output_broken": 500,
    "agent_turn_failed": 500,
    "workspace_missing": 500,
    "missing_extra": 500,
}
"""Every code there is. Agents never run in the API: their errors would be its own fault."""


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

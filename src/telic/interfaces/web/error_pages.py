"""Pages for failures: with the status that the API answers too, and a title that says what happened."""

from typing import Final

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from telic.domain.errors import GoalError, StoreError
from telic.http.guard import HttpRefusal
from telic.interfaces.web.pages import state_of
from telic.services.outcomes import http_status, outcome_of

_TITLES_BY_STATUS: Final = {
    401: "Enter first",
    403: "That is not allowed",
    404: "There is no such page",
    405: "That cannot be asked for",
    413: "That is too large",
}
_ELSEWHERE: Final = "The goal may be in another store, or of a scope that this dashboard does not show."


async def show_goal_error(request: Request, error: Exception) -> Response:
    """Return the page that says what was refused, or what went wrong, and leads back."""
    assert isinstance(error, GoalError)
    is_change = request.method == "POST"
    # The very same form may be sent again: its mark makes it happen once.
    fields = list((await request.form()).items()) if error.retryable and is_change else []
    reason = _sentence(str(error)) + (f" {_ELSEWHERE}" if error.code == "goal_not_found" else "")
    return state_of(request).pages.respond(
        request,
        "refusal.html",
        status=http_status(error.code),
        title=_title(error, is_change=is_change),
        reason=reason,
        retry=[(name, value) for name, value in fields if isinstance(value, str) and name != "token"],
        back=_back(request) if error.code not in ("goal_not_found", "ambiguous_id") else None,
    )


def _title(error: GoalError, *, is_change: bool) -> str:
    if error.retryable:
        return "Try again"
    if isinstance(error, StoreError):
        return "The store failed"
    return outcome_of(error).title or ("Nothing was changed" if is_change else "The address cannot be understood")


def _back(request: Request) -> str | None:
    """Return the page that a form was sent from."""
    goal_id = request.path_params.get("goal_id")
    return f"/goals/{goal_id}" if goal_id and request.method == "POST" else None


async def show_refusal(request: Request, error: Exception) -> Response:
    """Return the page for a request that is refused."""
    assert isinstance(error, HttpRefusal)
    return _show(request, http_status(error.code), error.reason)


async def show_http_error(request: Request, error: Exception) -> Response:
    """Return the page for a request that leads nowhere."""
    assert isinstance(error, HTTPException)
    return _show(request, error.status_code, error.detail)


def _show(request: Request, status: int, reason: str) -> Response:
    title = _TITLES_BY_STATUS.get(status, "Refused")
    return state_of(request).pages.respond(
        request, "refusal.html", status=status, title=title, reason=reason, retry=[], back=_back(request)
    )


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:] + ("" if text.endswith(".") else ".")

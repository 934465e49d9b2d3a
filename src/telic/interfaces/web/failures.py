"""What a failure means to a browser: one table from error code to status."""

from http import HTTPStatus
from typing import Final

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from telic.domain.errors import GoalError, InvalidInput, StoreError
from telic.interfaces.web.desk import desk_of

_STATUSES: Final = {
    "goal_not_found": HTTPStatus.NOT_FOUND,
    "ambiguous_id": HTTPStatus.NOT_FOUND,
    "not_allowed": HTTPStatus.FORBIDDEN,
}


def status_of(error: GoalError) -> HTTPStatus:
    """The status that tells of the error: what is refused conflicts with the goal as it stands."""
    if isinstance(error, InvalidInput):
        return HTTPStatus.BAD_REQUEST
    if isinstance(error, StoreError):
        return HTTPStatus.SERVICE_UNAVAILABLE if error.retryable else HTTPStatus.INTERNAL_SERVER_ERROR
    return _STATUSES.get(error.code, HTTPStatus.CONFLICT)


async def show_goal_error(request: Request, error: Exception) -> Response:
    """The page that says what was refused, or what went wrong."""
    assert isinstance(error, GoalError)
    status = status_of(error)
    # The very same form may be sent again: its mark makes it happen once.
    fields = list((await request.form()).items()) if error.retryable and request.method == "POST" else []
    return desk_of(request).pages.respond(
        request,
        "refusal.html",
        status=status,
        title="Try again" if error.retryable else "Nothing was changed",
        reason=_sentence(str(error)),
        retry=[(name, value) for name, value in fields if isinstance(value, str) and name != "token"],
    )


async def show_refusal(request: Request, error: Exception) -> Response:
    """The page for a request that leads nowhere."""
    assert isinstance(error, HTTPException)
    return desk_of(request).pages.respond(
        request, "refusal.html", status=error.status_code, title="Refused", reason=error.detail, retry=[]
    )


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:] + ("" if text.endswith(".") else ".")

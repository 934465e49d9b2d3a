"""What a failed call of a model tells of its cost."""

import errno
from collections.abc import Iterator
from socket import gaierror
from typing import Final

_NEVER_CONNECTED: Final = frozenset(
    {
        errno.ECONNREFUSED,
        errno.EHOSTUNREACH,
        errno.ENETUNREACH,
        errno.ENETDOWN,
        errno.EHOSTDOWN,
        errno.EADDRNOTAVAIL,
    }
)
_CONNECTION_ERRORS: Final = frozenset(
    {"ConnectError", "ConnectTimeout", "PoolTimeout", "ClientConnectorError", "NewConnectionError"}
)
"""What HTTP libraries (httpx, httpcore, aiohttp, urllib3) raise before a request is sent."""

_LOST_ON_THE_WAY: Final = frozenset({"APIConnectionError", "Timeout"})
"""Errors of clients that carry a status though no response came."""


def was_free(error: BaseException) -> bool:
    """Return whether the call surely cost nothing: it was refused with an HTTP status, or its request was never sent.

    Of several errors, as of a fallback from model to model, all must have been free.
    """
    if isinstance(error, BaseExceptionGroup):
        return all(was_free(each) for each in error.exceptions)
    return _was_refused(error) or any(_was_never_sent(each) for each in _causes(error))


def _was_refused(error: BaseException) -> bool:
    return 400 <= _status(error) <= 599 and not _names(error) & _LOST_ON_THE_WAY


def _status(error: BaseException) -> int:
    """Return the HTTP status that the provider answered with; 0 where none is told.

    The response itself is believed first: an error that comes within a stream belongs to a response of status 200. The
    `code` of an error that has a `body` is no status but a part of what the provider wrote.
    """
    response = getattr(error, "response", None)
    told = [getattr(response, "status_code", None), getattr(response, "status", None)]
    told.append(getattr(error, "status_code", None))
    if not hasattr(error, "body"):
        told.append(getattr(error, "code", None))
    return next((int(status) for status in told if isinstance(status, int) and not isinstance(status, bool)), 0)


def _was_never_sent(error: BaseException) -> bool:
    is_unreachable = isinstance(error, OSError) and error.errno in _NEVER_CONNECTED
    return is_unreachable or isinstance(error, gaierror) or bool(_names(error) & _CONNECTION_ERRORS)


def _names(error: BaseException) -> set[str]:
    return {kind.__name__ for kind in type(error).__mro__}


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """Give the error and what caused it; not what was merely being handled when it came, as a former attempt is."""
    found: list[BaseException] = []
    while error is not None and error not in found:
        yield error
        found.append(error)
        error = error.__cause__


_RETRIED_STATUSES: Final = frozenset({408, 409, 429})
_FIRST_DELAY_SECONDS: Final = 0.5
_LONGEST_DELAY_SECONDS: Final = 8.0
_LONGEST_ASKED_SECONDS: Final = 60.0


def is_worth_a_retry(error: BaseException) -> bool:
    """Return whether a provider's own client would ask again: it was overloaded or broken, or the answer was lost."""
    if not isinstance(error, Exception):
        return False
    status = _status(error)
    is_lost = any(_names(each) & {"APIConnectionError"} for each in _causes(error))
    return status in _RETRIED_STATUSES or 500 <= status <= 599 or (not status and is_lost)


def retry_delay_seconds(error: BaseException, attempt: int) -> float:
    """Return how long to wait after this attempt, counted from 0: as the provider asked, else ever longer."""
    headers = getattr(getattr(error, "response", None), "headers", None) or {}
    try:
        asked = float(headers.get("retry-after", ""))
    except ValueError:
        asked = -1.0
    if 0 <= asked <= _LONGEST_ASKED_SECONDS:
        return asked
    return min(_FIRST_DELAY_SECONDS * 2.0**attempt, _LONGEST_DELAY_SECONDS)

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

"""A call of a model: what its provider says that it used, what it may have cost where nobody says, how it failed."""

import errno
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from hashlib import sha256
from socket import gaierror
from typing import Final

from telic.domain.budget import ModelUsage
from telic.domain.goal import Goal
from telic.domain.lease import Reservation
from telic.domain.limits import MAX_NAME_CHARS
from telic.loop.agents.protocol import storable_tail


def model_name(name: object) -> str | None:
    """The model's name as the ledger keeps it; None where there is none."""
    return storable_tail(name, MAX_NAME_CHARS) or None if isinstance(name, str) else None


def turn_key(*parts: object) -> str:
    """One key of these parts; those that no key can hold are replaced by a hash of them."""
    key = "/".join(str(part) for part in parts if part)
    is_plain = key.isascii() and key.isprintable() and len(key) <= MAX_NAME_CHARS
    return key if is_plain else sha256(key.encode("utf-8", "surrogatepass")).hexdigest()


_BYTES_PER_TOKEN: Final = 4
_NOTHING: Final = Reservation(turns=0)


@dataclass(frozen=True, slots=True)
class ModelCall:
    """A call of the model that has begun: the goal that it is billed to, and what the model reads of it.

    `prompt` goes to the end of the request, and nowhere else. Both are None where the scope has no goal yet. `hold` is
    the key of the hold that keeps `held` for it, if anything is held. `model`, `provider` and `request_bytes` are what
    is known of the request when it begins.
    """

    goal: Goal | None
    prompt: str | None
    key: str
    hold: str | None
    started_nanoseconds: int = field(default_factory=time.monotonic_ns)
    held: Reservation = _NOTHING
    model: str | None = None
    provider: str | None = None
    request_bytes: int = 0

    @property
    def elapsed_microseconds(self) -> int:
        """The time since it began."""
        return (time.monotonic_ns() - self.started_nanoseconds) // 1000


def estimate(call: ModelCall, former: ModelUsage | None, seen_bytes: int, told: ModelUsage | None = None) -> ModelUsage:
    """Return what the call may have used, as far as anybody can tell, at most what was held for it.

    The request's size tells the input, else the conversation's former call does; what was seen of the response tells
    the output, else the former call does. Where nothing is known it is what was held. What the response itself had told
    before it broke off was surely used.
    """
    if told is None:
        return _guess(call, former or ModelUsage(), seen_bytes)
    return replace(told, output_tokens=max(told.output_tokens, seen_bytes // _BYTES_PER_TOKEN))


def _guess(call: ModelCall, before: ModelUsage, seen_bytes: int) -> ModelUsage:
    asked = call.request_bytes // _BYTES_PER_TOKEN or before.input_tokens
    answered = seen_bytes // _BYTES_PER_TOKEN or before.output_tokens
    bound = call.held.tokens
    if not asked + answered:
        return ModelUsage(input_tokens=bound)
    if not bound:
        return ModelUsage(input_tokens=asked, output_tokens=answered)
    asked = min(asked, bound)
    return ModelUsage(input_tokens=asked, output_tokens=min(answered, bound - asked))


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
    """Return whether the call certainly cost nothing: the provider refused it, or its request was never sent.

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
    # What was merely being handled when the error came (`__context__`) may be a former attempt, and is no cause.
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

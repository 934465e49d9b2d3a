"""How calls and runs end: a call that failed for free or at a cost, work that was stopped, and what came of a run."""

import asyncio
import errno
from collections.abc import Coroutine, Iterator
from contextlib import suppress
from dataclasses import dataclass
from socket import gaierror
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar

from telic.domain.errors import GoalNotActive
from telic.domain.goal import Goal, GoalStatus, Reason
from telic.domain.loop_state import (
    Claim,
)

if TYPE_CHECKING:
    from telic.integrations.session import GoalSession


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


T = TypeVar("T")

_OWN_REASONS: Final = (Reason.ASSERTED, Reason.VERIFIED, Reason.BLOCKED, Reason.WAITING)
"""Why a goal stops by its model's report."""

SPENT: Final = (Reason.BUDGET, Reason.FAILED)
"""Why a goal is paused by what its own calls consumed."""


async def guarded(session: "GoalSession", work: Coroutine[Any, Any, T]) -> T:
    """Return what the work gave; cancel it, and wait for its end, when somebody stops the goal.

    Raises:
        GoalNotActive: somebody paused, cleared or replaced the goal; the error has it.
    """
    task = asyncio.ensure_future(work)
    try:
        while not task.done():
            await asyncio.wait({task}, timeout=session.settings.heartbeat_seconds)
            goal = None if task.done() else await _stopped_by_somebody(session)
            if goal is not None:
                raise GoalNotActive(f"goal {goal.id} is {goal.status}: its run was cancelled", goal)
    finally:
        if not task.done():
            task.cancel()
            with suppress(asyncio.CancelledError, Exception):
                await task
        await session.settled()
    return task.result()


async def _stopped_by_somebody(session: "GoalSession") -> Goal | None:
    seen = session.seen
    if seen is None or seen.status is not GoalStatus.ACTIVE:
        return None
    goal = await session.patiently(lambda: session.store.get(seen.id))
    is_spent = goal.reason in SPENT
    # The model's own report may be in the store before whoever made it has heard so.
    is_own = session.conversation.tools_at_work > 0 and goal.reason in _OWN_REASONS
    is_still_shown = session.seen is seen
    return None if goal.status is GoalStatus.ACTIVE or is_spent or is_own or not is_still_shown else goal


CONTINUE: Final = "Continue."
"""What is kept in the conversation where it goes on by itself; what it goes on with is told with each request."""


@dataclass(frozen=True, slots=True)
class RunOutcome(Generic[T]):
    """The goal as it stands, and what the agent's last whole run gave, if there was one.

    An active goal with the claim `complete` waits for the host to check its criteria. An active goal without a claim
    was left since the agent needs the host, or after as many runs as the settings allow.
    """

    goal: Goal | None
    result: T | None
    claim: Claim


async def outcome_of(session: "GoalSession", result: T | None) -> RunOutcome[T]:
    """The outcome of the session's runs, of which the last whole one gave this result."""
    return RunOutcome(await session.latest(), result, session.claim)

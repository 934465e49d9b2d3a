"""Translates PostgreSQL's SQLSTATEs to Telic's errors, and says for how long a lost race is retried."""

import random
import time
from typing import Final

import psycopg

from telic.domain.errors import (
    SchemaMismatch,
    StoreBusy,
    StoreCorrupt,
    StoreError,
    StoreFull,
    StoreMisconfigured,
    StoreUnavailable,
)
from telic.storage.transaction import ConstraintRefused, LimitViolated, Raced, never_accepted

_LONGEST_PAUSE_SECONDS: Final = 0.05
_MOST_REFUSALS: Final = 50
"""Of so many attempts in a row, with pauses between them, a real race would have let one through."""


class PreparedStatementLost(Raced):
    """A pooler moved the connection to a server that never saw the prepared statement."""


class LockHeld(Raced):
    """Another transaction kept a row locked for longer than this session waits at a time."""


_BY_STATE: Final[dict[str, tuple[type[StoreError], str]]] = {
    "40001": (Raced, "serialization failure"),
    "40P01": (Raced, "deadlock"),
    "23505": (ConstraintRefused, "a unique index refused the change"),
    "26000": (PreparedStatementLost, "the prepared statement is on another server connection"),
    "42P05": (PreparedStatementLost, "the prepared statement is already there"),
    "23514": (LimitViolated, "a constraint refused the change"),
    "22003": (LimitViolated, "a number is out of its range"),
    "55P03": (LockHeld, "others kept the goal locked"),
    "57014": (StoreBusy, "the statement took longer than the time-out"),
    "53100": (StoreFull, "the server's disk is full"),
    "25006": (StoreUnavailable, "the server accepts no writes: it is a replica, or read-only"),
    "42501": (StoreMisconfigured, "the user may not use Telic's tables"),
    "42P01": (SchemaMismatch, "Telic's tables are not there, or another release has changed the schema"),
    "42703": (SchemaMismatch, "Telic's tables have other columns"),
    "42883": (SchemaMismatch, "Telic's function is not there"),
}
_BY_CLASS: Final[dict[str, tuple[type[StoreError], str]]] = {
    "08": (StoreUnavailable, "the connection failed"),
    "53": (StoreUnavailable, "the server has no resources left"),
    "57": (StoreUnavailable, "the server is shutting down or starting"),
    "XX": (StoreCorrupt, "the server reports damaged data"),
}


def translate(error: psycopg.Error) -> StoreError:
    """Return the error's meaning, by its SQLSTATE; one without a SQLSTATE is a lost connection."""
    state = error.sqlstate or "08000"
    kind, message = _BY_STATE.get(state) or _BY_CLASS.get(state[:2]) or (StoreError, "PostgreSQL refused the statement")
    return kind(f"{message} (SQLSTATE {state})" if error.sqlstate else message)


class Replays:
    """The pauses before an operation that raced is run again, until the deadline."""

    def __init__(self, timeout_seconds: float) -> None:
        self._deadline = time.monotonic() + timeout_seconds
        self._pause_seconds = 0.001
        self._refusals = 0

    def pause_after(self, error: Raced) -> float:
        """Return the seconds to wait, of random length so that rivals part, or raise StoreBusy after the deadline.

        Raise StoreCorrupt if an index refused every one of many attempts: then there is no rival.
        """
        # One race of another kind means that there are rivals, so that refusals are counted no more.
        self._refusals = self._refusals + 1 if isinstance(error, ConstraintRefused) else -_MOST_REFUSALS
        if self._refusals >= _MOST_REFUSALS:
            raise never_accepted() from error
        if time.monotonic() > self._deadline:
            raise StoreBusy(f"others were in the way for longer than the time-out: {error}") from error
        self._pause_seconds = min(self._pause_seconds * 2, _LONGEST_PAUSE_SECONDS)
        return random.uniform(0, self._pause_seconds)

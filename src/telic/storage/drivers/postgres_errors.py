"""PostgreSQL's SQLSTATEs as Telic's errors."""

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
from telic.storage.transaction import ConstraintRefused, LimitViolated, Raced


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
    """The error's meaning, by its SQLSTATE; one without a SQLSTATE is a lost connection."""
    state = error.sqlstate or "08000"
    kind, message = _BY_STATE.get(state) or _BY_CLASS.get(state[:2]) or (StoreError, "PostgreSQL refused the statement")
    return kind(f"{message} (SQLSTATE {state})" if error.sqlstate else message)

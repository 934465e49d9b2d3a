"""Instants: microseconds since the epoch in UTC, as integers that every database and JSON reader keeps exactly."""

import time
from datetime import UTC, datetime, timedelta
from typing import Final, NewType, Protocol

Instant = NewType("Instant", int)
"""Microseconds since 1970-01-01T00:00:00Z."""

MICRO: Final = 1_000_000
"""A second in microseconds; also a unit of money in microunits."""

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Clock(Protocol):
    """Anything that tells the time. Telic orders nothing by it: a wrong clock only writes wrong times."""

    def now(self) -> Instant:
        """The present instant."""
        ...


class SystemClock:
    """The machine's wall clock."""

    def now(self) -> Instant:
        """The present instant."""
        return Instant(time.time_ns() // 1000)


class SteadyClock:
    """Goes on from a given instant by the monotonic clock, so that setting the machine's own clock changes nothing."""

    def __init__(self, start: Instant) -> None:
        self._start = start
        self._started_at = time.monotonic_ns()

    def now(self) -> Instant:
        """The present instant."""
        return Instant(self._start + (time.monotonic_ns() - self._started_at) // 1000)


def to_datetime(instant: Instant) -> datetime:
    """Return the instant as an aware datetime in UTC."""
    return EPOCH + timedelta(microseconds=instant)


def from_datetime(moment: datetime) -> Instant:
    """Return the aware datetime as an instant."""
    return Instant((moment - EPOCH) // timedelta(microseconds=1))


def time_to_json(instant: Instant | None) -> str | None:
    """Return the instant as RFC 3339 in UTC, with all six digits of its microseconds."""
    return None if instant is None else to_datetime(instant).strftime("%Y-%m-%dT%H:%M:%S.%fZ")

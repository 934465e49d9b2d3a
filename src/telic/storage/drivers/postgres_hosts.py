"""The hosts of one PostgreSQL URL: each has a share of the time that a call has, and the one that worked is first.

libpq's `connect_timeout` is for each host, in whole seconds, and at least two: three hosts that do not answer would
take three times as long as the call may.
"""

import asyncio
import os
import threading
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, Final, TypeVar

import psycopg

C = TypeVar("C", bound=psycopg.BaseConnection[Any])

_LEAST_SECONDS: Final = 2
_WHERE: Final = {"host": "PGHOST", "hostaddr": "PGHOSTADDR", "port": "PGPORT"}


@dataclass(frozen=True, slots=True)
class Attempt:
    """One host to be tried, for so many seconds at most."""

    number: int
    place: Mapping[str, str]
    seconds: float

    @property
    def arguments(self) -> dict[str, Any]:
        """What a connection to this host alone is opened with besides."""
        return {**self.place, "connect_timeout": max(_LEAST_SECONDS, int(self.seconds))}


class Hosts:
    """Where a URL, or the environment in its place, says that the server may be."""

    def __init__(self, base: Mapping[str, Any], clock: Callable[[], float] = time.monotonic) -> None:
        named = {name: str(base.get(name) or os.environ.get(variable) or "") for name, variable in _WHERE.items()}
        self._places = _split({name: text.split(",") for name, text in named.items() if text})
        self._first = 0
        self._clock = clock

    def attempts(self, deadline: float) -> Iterator[Attempt]:
        """Each host once, the one that worked last before the others; together they last until the deadline.

        What a host leaves of its share, as it refuses at once, is shared by those after it.
        """
        count = len(self._places)
        order = [self._first, *(number for number in range(count) if number != self._first)]
        for tried, number in enumerate(order):
            left = deadline - self._clock()
            if left > 0:
                yield Attempt(number, self._places[number], left / (count - tried))

    def worked(self, attempt: Attempt) -> None:
        """This host answered, and may be written to: it is tried first from now on."""
        self._first = attempt.number


def _split(lists: Mapping[str, list[str]]) -> list[dict[str, str]]:
    """One place for each host; what libpq would refuse is left to it as it is."""
    count = max(len(lists.get("host", [])), len(lists.get("hostaddr", [])), 1)
    if any(len(each) not in (1, count) or (len(each) != count and name != "port") for name, each in lists.items()):
        return [{}]
    if count == 1:
        return [{}]
    return [{name: each[number % len(each)] for name, each in lists.items()} for number in range(count)]


def connect_blocking(hosts: Hosts, deadline: float, connect: Callable[..., C]) -> C:
    """A connection to the first host that gives one before the deadline, a moment of the monotonic clock.

    Raises:
        psycopg.Error: none did; the last one's error.
    """
    error: psycopg.Error = _too_late()
    for attempt in hosts.attempts(deadline):
        try:
            connection = _within(attempt, connect)
        except psycopg.Error as refusal:
            error = refusal
        else:
            hosts.worked(attempt)
            return connection
    raise error


def _within(attempt: Attempt, connect: Callable[..., C]) -> C:
    """What the attempt gives within its time: also looking a name up, which nothing else can end."""
    connecting: Future[C] = Future()

    def work() -> None:
        try:
            connecting.set_result(connect(**attempt.arguments))
        except BaseException as error:
            connecting.set_exception(error)

    threading.Thread(target=work, name="telic-connect", daemon=True).start()
    try:
        return connecting.result(attempt.seconds)
    except TimeoutError:
        connecting.add_done_callback(_close_late)
        raise _too_late() from None


def _close_late(connecting: "Future[C]") -> None:
    if connecting.exception() is None:
        connecting.result().pgconn.finish()


async def connect_async(hosts: Hosts, deadline: float, connect: Callable[..., Awaitable[C]]) -> C:
    """`connect_blocking`, awaited."""
    error: psycopg.Error = _too_late()
    for attempt in hosts.attempts(deadline):
        try:
            async with asyncio.timeout(attempt.seconds):
                connection = await connect(**attempt.arguments)
        except TimeoutError:
            error = _too_late()
        except psycopg.Error as refusal:
            error = refusal
        else:
            hosts.worked(attempt)
            return connection
    raise error


def _too_late() -> psycopg.Error:
    return psycopg.errors.ConnectionTimeout("the host did not answer in time")

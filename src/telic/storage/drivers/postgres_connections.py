"""Connections to PostgreSQL: the hosts that they are opened to, and the pool of idle ones.

Each host of a URL has a share of the time that a call has, and the one that worked is first. libpq's own
`connect_timeout` is for each host, in whole seconds, and at least two: three hosts that do not answer would take three
times as long as the call may.
"""

import asyncio
import os
import random
import select
import threading
import time
from collections import deque
from collections.abc import Awaitable, Callable, Iterator, Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, Final, Generic, TypeVar

import psycopg
from psycopg.pq import PipelineStatus, TransactionStatus

from telic.domain.errors import StoreUnavailable

C = TypeVar("C", bound=psycopg.BaseConnection[Any])

_LONGEST_IDLE_SECONDS: Final = 600.0
_REST_SECONDS: Final = 3.0
"""The time for which an idle connection is kept: a worker that has nothing to do needs none but its listener's."""
_LONGEST_LIFE_SECONDS: Final = 3600.0
_LONGEST_PAUSE_SECONDS: Final = 0.25
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
        """The further arguments of a connection to this host alone."""
        return {**self.place, "connect_timeout": max(_LEAST_SECONDS, int(self.seconds))}


class Hosts:
    """The hosts that a URL, or the environment in its place, names."""

    def __init__(self, base: Mapping[str, Any], clock: Callable[[], float] = time.monotonic) -> None:
        named = {name: str(base.get(name) or os.environ.get(variable) or "") for name, variable in _WHERE.items()}
        self._places = _split({name: text.split(",") for name, text in named.items() if text})
        self._first = 0
        self._clock = clock

    def attempts(self, deadline: float) -> Iterator[Attempt]:
        """Yield each host once, the one that worked last before the others; together they last until the deadline.

        A host that refuses at once leaves the rest of its share to those after it.
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
    """Return one place for each host; a list that libpq would refuse is left to it as it is."""
    count = max(len(lists.get("host", [])), len(lists.get("hostaddr", [])), 1)
    if any(len(each) not in (1, count) or (len(each) != count and name != "port") for name, each in lists.items()):
        return [{}]
    if count == 1:
        return [{}]
    return [{name: each[number % len(each)] for name, each in lists.items()} for number in range(count)]


def connect(hosts: Hosts, deadline: float, opens: Callable[..., C]) -> C:
    """Return a connection to the first host that gives one before the deadline, a moment of the monotonic clock.

    Raise the last host's psycopg.Error if none did.
    """
    error: psycopg.Error = _too_late()
    for attempt in hosts.attempts(deadline):
        try:
            connection = _within(attempt, opens)
        except psycopg.Error as refusal:
            error = refusal
        else:
            hosts.worked(attempt)
            return connection
    raise error


def _within(attempt: Attempt, opens: Callable[..., C]) -> C:
    # In a thread of its own, which can be left behind: nothing else ends the look-up of a name.
    connecting: Future[C] = Future()

    def work() -> None:
        try:
            connecting.set_result(opens(**attempt.arguments))
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


async def connect_async(hosts: Hosts, deadline: float, opens: Callable[..., Awaitable[C]]) -> C:
    """`connect`, awaited."""
    error: psycopg.Error = _too_late()
    for attempt in hosts.attempts(deadline):
        try:
            async with asyncio.timeout(attempt.seconds):
                connection = await opens(**attempt.arguments)
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


class IdleConnections(Generic[C]):
    """Idle connections, of which the last used is taken first."""

    def __init__(self) -> None:
        self._idle: deque[tuple[float, C]] = deque()
        self._opened_at: dict[C, float] = {}
        self._is_closed = False

    def take(self) -> C | None:
        """Return a connection that was idle and on which the server has not hung up, or None."""
        while self._idle:
            try:
                _, connection = self._idle.pop()
            except IndexError:  # another thread was faster
                break
            # What a server says to an idle connection is good-bye. To look whether it has costs no round trip.
            if not connection.closed and not readable(connection.pgconn.socket, 0):
                return connection
            self._drop(connection)
        return None

    def add(self, connection: C) -> C:
        """Return the connection, whose life begins now."""
        self._opened_at[connection] = time.monotonic()
        return connection

    def put(self, connection: C) -> None:
        """Keep the connection for its next use, or close it if it must not be used again."""
        now, state = time.monotonic(), connection.pgconn
        is_old = now > self._opened_at[connection] + _LONGEST_LIFE_SECONDS
        is_idle = state.transaction_status == TransactionStatus.IDLE and state.pipeline_status == PipelineStatus.OFF
        if is_old or self._is_closed or not is_idle:
            self._drop(connection)
            return
        self._idle.append((now, connection))
        if self._idle[0][0] < now - _LONGEST_IDLE_SECONDS:
            self._drop(self._idle.popleft()[1])

    def close(self) -> None:
        """Every idle connection is closed, and every other one when it is put back."""
        self._is_closed = True
        while self._idle:
            self._drop(self._idle.pop()[1])

    def _drop(self, connection: C) -> None:
        del self._opened_at[connection]
        connection.pgconn.finish()


class AsyncIdleConnections(IdleConnections[C]):
    """Idle connections of one event loop, which are closed when they were not used for a while."""

    _closing: asyncio.TimerHandle | None = None

    def put(self, connection: C) -> None:
        super().put(connection)
        self._close_later()

    def _close_later(self) -> None:
        if self._closing is None and not self._is_closed:
            self._closing = asyncio.get_running_loop().call_later(_REST_SECONDS, self._close_rested)

    def _close_rested(self) -> None:
        self._closing = None
        before = time.monotonic() - _REST_SECONDS
        while self._idle and self._idle[0][0] <= before:
            self._drop(self._idle.popleft()[1])
        if self._idle:
            self._close_later()

    def close(self) -> None:
        super().close()
        if self._closing is not None:
            self._closing.cancel()


class ConnectionSlots(threading.Semaphore):
    """Limits how many connections are lent at a time."""

    def take(self, seconds: float) -> bool:
        """Return whether one could be had within so many seconds."""
        return self.acquire(timeout=seconds)


class AsyncConnectionSlots(asyncio.Semaphore):
    """`ConnectionSlots`, awaited."""

    async def take(self, seconds: float) -> bool:
        """See `ConnectionSlots.take`."""
        if not self.locked():
            # It is there at once, and a time-out costs more than the rest of lending a connection.
            return await self.acquire()
        try:
            async with asyncio.timeout(seconds):
                return await self.acquire()
        except TimeoutError:
            return False


def is_in_transaction(connection: psycopg.BaseConnection[Any]) -> bool:
    """Return whether the connection has a transaction that was neither committed nor rolled back."""
    return connection.pgconn.transaction_status in (TransactionStatus.INTRANS, TransactionStatus.INERROR)


class Attempts:
    """The pauses after a connection was refused: short ones, so that a server that comes back is found soon."""

    def __init__(self, deadline: float) -> None:
        self._deadline = deadline
        self._pause_seconds = 0.01

    def pause_after(self, refusal: StoreUnavailable) -> float:
        """Return the seconds to wait before the next attempt, or raise the refusal if the time is up."""
        self._pause_seconds = min(self._pause_seconds * 2, _LONGEST_PAUSE_SECONDS)
        pause = random.uniform(self._pause_seconds / 2, self._pause_seconds)
        if time.monotonic() + pause > self._deadline:
            raise refusal
        return pause


def readable(descriptor: int, seconds: float) -> bool:
    """Return whether the descriptor could be read within so many seconds."""
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    return bool(poll.poll(seconds * 1000))


async def readable_async(descriptor: int, seconds: float) -> bool:
    """`readable`, awaited."""
    loop = asyncio.get_running_loop()
    is_readable = asyncio.Event()
    loop.add_reader(descriptor, is_readable.set)
    try:
        async with asyncio.timeout(seconds):
            return await is_readable.wait()
    except TimeoutError:
        return False
    finally:
        loop.remove_reader(descriptor)

"""Noticing a change in PostgreSQL: by notification on a connection of its own, else by looking again.

A pooler in transaction mode passes no notifications on: then, and while the connection is lost, every look counts
as a change. Notifications tell of events; that other processes recorded turns is seen within a second.
"""

import contextlib
import os
import threading
import time
from collections.abc import Hashable, Iterator
from typing import Any, Final

import psycopg

from telic.storage.drivers.postgres_server import PostgresServer

LOOK_SECONDS: Final = 0.5
_LOOK_ANYWAY_SECONDS: Final = 5.0
"""A connection that died without a word is found out by keepalives only; meanwhile this bounds the delay."""
_RECONNECT_SECONDS: Final = 1.0


class NotificationListener:
    """The listening connection, opened when first needed and again after it was lost."""

    def __init__(self, server: PostgresServer) -> None:
        self._server = server
        self._connection: psycopg.Connection[Any] | None = None
        self._owner = os.getpid()
        self._count = 0
        self._next_attempt = 0.0
        self._is_closed = False
        self._lock = threading.Lock()

    def token(self) -> Hashable:
        with self._lock:
            self._drain()
            return self._count, time.monotonic() // (1.0 if self._connection else LOOK_SECONDS)

    def _drain(self) -> None:
        connection = self._connection
        if connection is None:
            return
        if self._owner != os.getpid():
            # In a forked child: the connection is the parent's, and closing it would end the parent's session.
            self._connection = None
            return
        try:
            connection.pgconn.consume_input()
            while connection.pgconn.notifies() is not None:
                self._count += 1
        except psycopg.Error:
            # What was committed since the connection was lost went unnoticed.
            self._count += 1
            self._connection = None
            connection.close()

    @property
    def wants_connection(self) -> bool:
        """Whether the connection should be opened now."""
        is_possible = self._server.notifies and not self._is_closed and self._connection is None
        return is_possible and time.monotonic() >= self._next_attempt

    def connect(self) -> None:
        """The connection listens, if the server lets it; blocks until that is known."""
        self._next_attempt = time.monotonic() + _RECONNECT_SECONDS
        with contextlib.suppress(psycopg.Error):
            connection = self._server.connect_for_notifications()
            connection.execute(b"LISTEN telic")
            with self._lock:
                self._owner = os.getpid()
                self._connection = connection
                # Whatever was committed before this moment went unnoticed.
                self._count += 1
            if self._is_closed:
                # A task that was cancelled does not wait for the thread in which this runs.
                self.close()

    def pauses(self, seconds: float) -> Iterator[float]:
        """Yield short waits that fill the seconds, as the store may be closed meanwhile."""
        deadline = time.monotonic() + min(seconds, _LOOK_ANYWAY_SECONDS)
        while not self._server.is_closed and (left := deadline - time.monotonic()) > 0:
            yield min(left, LOOK_SECONDS)

    def socket(self) -> int | None:
        """Return the socket that can be read when the server has something to say; None while nothing listens."""
        with self._lock:
            return None if self._connection is None else self._connection.pgconn.socket

    def close(self) -> None:
        with self._lock:
            self._is_closed = True
            if self._connection is not None and self._owner == os.getpid():
                self._connection.close()
            self._connection = None

"""Listening and serving: connections bounded in number and in time, so that none of them keeps others out."""

import asyncio
import contextlib
import signal
import socket
import threading
from collections.abc import Callable, Generator
from typing import Any, ClassVar, Final, cast

import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol

from telic.domain.errors import InvalidInput

IDLE_SECONDS: Final = 10.0
SLOW_SECONDS: Final = 60.0


class BoundedConnection(H11Protocol):
    """A connection that ends when it has carried no request for `IDLE_SECONDS`, however slowly it sends one.

    It also ends when its client has taken too little of an answer for `SLOW_SECONDS`.
    One too many ends the one that has waited longest; where all are at work, it is itself refused.
    """

    max_connections: ClassVar[int] = 256

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._idle_since = self.loop.time()
        self._watch: asyncio.TimerHandle | None = None
        self._slow: asyncio.TimerHandle | None = None

    @property
    def is_idle(self) -> bool:
        """Return whether no request is being served."""
        cycle: Any = self.cycle
        return cycle is None or bool(cycle.response_complete)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See asyncio."""
        super().connection_made(cast("asyncio.Transport", transport))
        self._watch = self.loop.call_later(IDLE_SECONDS, self._end_if_idle)
        if len(self.connections) > self.max_connections:
            self._make_room()

    def connection_lost(self, exc: Exception | None) -> None:
        """See asyncio."""
        for timer in (self._watch, self._slow):
            if timer is not None:
                timer.cancel()
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        """See asyncio: more waits to be taken than is kept for a client."""
        super().pause_writing()
        # Not a time-out of each `send`: closing would still wait for what the client does not take.
        self._slow = self.loop.call_later(SLOW_SECONDS, self.transport.abort)

    def resume_writing(self) -> None:
        """See asyncio."""
        if self._slow is not None:
            self._slow.cancel()
        super().resume_writing()

    def on_response_complete(self) -> None:
        """See uvicorn."""
        self._idle_since = self.loop.time()
        super().on_response_complete()

    def _make_room(self) -> None:
        others = [each for each in self.connections if isinstance(each, BoundedConnection) and each is not self]
        idle = [each for each in others if each.is_idle]
        victim = min(idle, key=lambda each: each._idle_since, default=self)
        # It leaves the set now: what the event loop does later would let more in meanwhile.
        self.connections.discard(victim)
        victim.transport.abort()

    def _end_if_idle(self) -> None:
        left = self._idle_since + IDLE_SECONDS - self.loop.time()
        if self.is_idle and left <= 0:
            self.transport.abort()
        else:
            self._watch = self.loop.call_later(max(left, 1.0), self._end_if_idle)


def bounded_to(max_connections: int) -> type[BoundedConnection]:
    """Return the class of a server's connections, of which there are at most so many."""
    return type("BoundedConnection", (BoundedConnection,), {"max_connections": max_connections})


ENDING_SIGNALS: Final = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
DEFAULT_CONNECTIONS: Final = 256
_BACKLOG: Final = 1_024
_MAX_HEAD_BYTES: Final = 16 * 1024
_KEEP_ALIVE_SECONDS: Final = 5
_GRACE_SECONDS: Final = 3


def listen(host: str, port: int) -> socket.socket:
    """Return a socket on which clients can connect from now on; port 0 is any that is free.

    Raises:
        InvalidInput: nothing can be served there.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listening = socket.create_server((host, port), family=family, backlog=_BACKLOG)
    except OSError as error:
        raise InvalidInput(f"nothing can be served on {host!r}, port {port}: {error.strerror}") from error
    # Handed on to each connection: else an answer's second part waits 40 ms for the first to be acknowledged.
    listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listening


class HttpServer(uvicorn.Server):
    """Serves on a socket until a signal ends it: requests under way come to their end.

    `on_end` is called before that, and lets go of what would otherwise last.
    """

    def __init__(
        self, app: ASGIApp, *, max_connections: int = DEFAULT_CONNECTIONS, on_end: Callable[[], None] = lambda: None
    ) -> None:
        config = uvicorn.Config(
            app,
            http=bounded_to(max_connections),
            ws="none",
            lifespan="on",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            timeout_keep_alive=_KEEP_ALIVE_SECONDS,
            timeout_graceful_shutdown=_GRACE_SECONDS,
            h11_max_incomplete_event_size=_MAX_HEAD_BYTES,
        )
        super().__init__(config)
        self._on_end = on_end

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """The server has ended, after `on_end`."""
        self._on_end()
        await super().shutdown(sockets)

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None]:
        """Inside, a signal ends the server, and does nothing else; only a main thread can handle signals."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        for number in ENDING_SIGNALS:
            asyncio.get_running_loop().add_signal_handler(number, self._end)
        yield

    def _end(self) -> None:
        self.should_exit = True

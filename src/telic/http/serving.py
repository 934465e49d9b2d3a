"""Listening, and serving an application until it is told to stop."""

import asyncio
import contextlib
import signal
import socket
import threading
from collections.abc import Callable, Generator
from typing import Final

import uvicorn
from starlette.types import ASGIApp

from telic.domain.errors import InvalidInput
from telic.http.connections import bounded_to

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
        """Inside, a signal ends the server, and does nothing else; only a main thread can be told of signals."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        for number in ENDING_SIGNALS:
            asyncio.get_running_loop().add_signal_handler(number, self._end)
        yield

    def _end(self) -> None:
        self.should_exit = True

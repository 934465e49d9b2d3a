"""Connections over HTTP that wait for nothing: bounded in number and in time, so that they keep nobody out."""

import asyncio
from typing import Any, Final, cast

from uvicorn.protocols.http.h11_impl import H11Protocol

MAX_CONNECTIONS: Final = 256
IDLE_SECONDS: Final = 10.0


class BoundedConnection(H11Protocol):
    """A connection that ends when it has carried no request for `IDLE_SECONDS`, however slowly it sends one.

    One too many ends the one that has waited longest; where all are at work, it is itself refused.
    """

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._idle_since = self.loop.time()
        self._watch: asyncio.TimerHandle | None = None

    @property
    def is_idle(self) -> bool:
        """Whether no request is being served."""
        cycle: Any = self.cycle
        return cycle is None or bool(cycle.response_complete)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See asyncio."""
        super().connection_made(cast("asyncio.Transport", transport))
        self._watch = self.loop.call_later(IDLE_SECONDS, self._end_if_idle)
        if len(self.connections) > MAX_CONNECTIONS:
            self._make_room()

    def connection_lost(self, exc: Exception | None) -> None:
        """See asyncio."""
        if self._watch is not None:
            self._watch.cancel()
        super().connection_lost(exc)

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

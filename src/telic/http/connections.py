"""Connections over HTTP that wait for nothing: bounded in number and in time, so that they keep nobody out."""

import asyncio
from typing import Any, ClassVar, Final, cast

from uvicorn.protocols.http.h11_impl import H11Protocol

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

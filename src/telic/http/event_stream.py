"""Server-sent events: their format, and the response that carries them as long as its client listens."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncGenerator, Awaitable
from typing import Any, Final

from starlette.types import Receive, Scope, Send

KEEP_ALIVE_SECONDS: Final = 15.0
_HEADERS: Final = {
    "Content-Type": "text/event-stream",
    "Cache-Control": "no-store",
    "X-Accel-Buffering": "no",
    "X-Content-Type-Options": "nosniff",
}
_log = logging.getLogger(__name__)


def write_event(data: str, *, event: str | None = None, id: str | None = None) -> str:
    """Return an event with this data, which has no line breaks, as it goes over the wire."""
    fields = {"event": event, "id": id, "data": data}
    return "".join(f"{name}: {value}\n" for name, value in fields.items() if value is not None) + "\n"


def write_beginning(retry_milliseconds: int, id: str | None = None) -> str:
    """Return what a stream begins with: when its client reconnects, and from which event it then goes on."""
    return f"retry: {retry_milliseconds}\n" + ("" if id is None else f"id: {id}\n") + "\n"


class EventStreamResponse:
    """A response of events, already written, until they end, the client goes, or it takes nothing for a minute.

    A slow client is waited for: nothing is kept for it but the event that it takes.
    """

    def __init__(self, events: AsyncGenerator[str, None]) -> None:
        self._events = events

    async def __call__(self, _scope: Scope, receive: Receive, send: Send) -> None:
        """All events were sent as they came."""
        sender = asyncio.create_task(self._send_all(send))
        listener = asyncio.create_task(_until_gone(receive))
        try:
            await asyncio.wait({sender, listener}, return_when=asyncio.FIRST_COMPLETED)
        except asyncio.CancelledError:
            # The server ends, and the stream with it: that is no failure.
            _log.debug("a stream ends with the server")
        finally:
            listener.cancel()
            await _end(sender)

    async def _send_all(self, send: Send) -> None:
        headers = [(name.lower().encode(), value.encode()) for name, value in _HEADERS.items()]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        try:
            while await self._send_next(send):
                pass
        except asyncio.CancelledError:
            _log.debug("a stream was ended")
        finally:
            await self._events.aclose()
        await send({"type": "http.response.body", "body": b""})

    async def _send_next(self, send: Send) -> bool:
        waiting = asyncio.ensure_future(anext(self._events, None))
        try:
            while not (await asyncio.wait({waiting}, timeout=KEEP_ALIVE_SECONDS))[0]:
                await _send(send, ": nothing new\n\n")
            event = waiting.result()
        finally:
            await _end(waiting)
        if event is not None:
            await _send(send, event)
        return event is not None


def _send(send: Send, text: str) -> Awaitable[None]:
    return send({"type": "http.response.body", "body": text.encode(), "more_body": True})


async def _end(waiting: "asyncio.Future[Any]") -> None:
    # When this returns, it has let go of what it used, whatever it did last.
    waiting.cancel()
    with contextlib.suppress(asyncio.CancelledError, Exception):
        await waiting


async def _until_gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass

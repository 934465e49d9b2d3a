"""Events as server-sent events: each with its cursor as id, so that a client that reconnects misses none."""

import asyncio
import contextlib
import json
import logging
from collections.abc import AsyncGenerator, AsyncIterator
from typing import Any, Final

from starlette.types import Receive, Scope, Send

from telic.domain.errors import GoalError
from telic.domain.events import FeedEvent
from telic.domain.jsonable import feed_event_to_json
from telic.interfaces.api.answers import HEADERS
from telic.interfaces.api.operation import Streams
from telic.interfaces.api.problems import problem_of

KEEP_ALIVE_SECONDS: Final = 15.0
SEND_SECONDS: Final = 60.0
_RETRY_MILLISECONDS: Final = 1_000
_log = logging.getLogger(__name__)


class EventStream:
    """A response that lasts until the client goes, the store is closed, or the client takes nothing for a minute.

    A slow client is waited for: at most one page of the feed is kept for it, in whatever time it reads.
    """

    def __init__(self, events: AsyncIterator[FeedEvent], cursor: str, streams: Streams) -> None:
        self._events = events
        self._cursor = cursor
        self._streams = streams

    async def __call__(self, _scope: Scope, receive: Receive, send: Send) -> None:
        """All events are sent as they come."""
        self._streams.open += 1
        teller = asyncio.create_task(self._tell(send))
        listener = asyncio.create_task(_until_gone(receive))
        try:
            await asyncio.wait({teller, listener}, return_when=asyncio.FIRST_COMPLETED)
        except asyncio.CancelledError:
            # The server ends, and the stream with it: that is no failure.
            _log.debug("a stream ends with the server")
        finally:
            self._streams.open -= 1
            listener.cancel()
            await _end(teller)

    async def _tell(self, send: Send) -> None:
        fields = HEADERS | {"Content-Type": "text/event-stream", "X-Accel-Buffering": "no"}
        headers = [(name.lower().encode(), value.encode()) for name, value in fields.items()]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        try:
            await _send(send, f"retry: {_RETRY_MILLISECONDS}\nid: {self._cursor}\n\n")
            await self._tell_events(send)
        except GoalError as error:
            await _send(send, f"event: problem\ndata: {json.dumps(problem_of(error))}\n\n")
        except (OSError, TimeoutError):
            _log.debug("a client has left, or takes nothing")
            return
        except Exception:
            _log.exception("a stream of events failed")
        except asyncio.CancelledError:
            _log.debug("a stream was ended")
        await send({"type": "http.response.body", "body": b""})

    async def _tell_events(self, send: Send) -> None:
        try:
            while await self._tell_next(send):
                pass
        finally:
            if isinstance(self._events, AsyncGenerator):
                await self._events.aclose()

    async def _tell_next(self, send: Send) -> bool:
        """Whether there was another event before the store was closed; it is sent."""
        waiting = asyncio.ensure_future(anext(self._events, None))
        try:
            while not (await asyncio.wait({waiting}, timeout=KEEP_ALIVE_SECONDS))[0]:
                await _send(send, ": nothing new\n\n")
            event = waiting.result()
        finally:
            await _end(waiting)
        if event is not None:
            await _send(send, f"id: {event.cursor}\ndata: {json.dumps(feed_event_to_json(event))}\n\n")
        return event is not None


async def _send(send: Send, text: str) -> None:
    """The text is sent.

    Raises:
        TimeoutError: the client has taken nothing for a minute.
    """
    async with asyncio.timeout(SEND_SECONDS):
        await send({"type": "http.response.body", "body": text.encode(), "more_body": True})


async def _end(waiting: "asyncio.Future[Any]") -> None:
    """It waits no longer, and has let go of what it used."""
    waiting.cancel()
    with contextlib.suppress(asyncio.CancelledError, Exception):
        await waiting


async def _until_gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass

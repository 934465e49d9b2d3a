"""A server's life over standard input and output, from its first message to its end."""

import asyncio
import signal
from collections.abc import Coroutine
from contextlib import AbstractAsyncContextManager, suppress
from typing import Any, Final

from telic.interfaces.mcp.server import GoalServer
from telic.interfaces.mcp.settings import ServerSettings
from telic.interfaces.mcp.stdio import open_stdio
from telic.observability.observer import Observer
from telic.store.async_store import AsyncGoalStore
from telic.store.connect import connect_async

ENDING: Final = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


def run_until_stopped(work: Coroutine[Any, Any, None]) -> None:
    """The work has ended by itself, or a signal has ended it."""
    with suppress(asyncio.CancelledError):
        asyncio.run(_until_stopped(work))


async def _until_stopped(work: Coroutine[Any, Any, None]) -> None:
    task, loop = asyncio.ensure_future(work), asyncio.get_running_loop()
    for number in ENDING:
        loop.add_signal_handler(number, task.cancel)
    await task


def open_store(
    location: str, settings: ServerSettings, observer: Observer | None
) -> AbstractAsyncContextManager[AsyncGoalStore]:
    """Return the store, which is there already: a mistyped place is an error, and not made into an empty store."""
    return connect_async(location, create=False, model_may_create=settings.agent_may_create, observer=observer)


async def serve_stdio(location: str, settings: ServerSettings, observer: Observer | None = None) -> None:
    """The client has closed its end, and the store is closed.

    Raises:
        StoreError: the store is not there, or cannot be opened.
    """
    async with open_store(location, settings, observer) as store:
        await _serve(store, settings)


async def _serve(store: AsyncGoalStore, settings: ServerSettings) -> None:
    server = GoalServer(store, settings)
    async with open_stdio() as (incoming, outgoing):
        await server.lowlevel.run(incoming, outgoing, server.options())

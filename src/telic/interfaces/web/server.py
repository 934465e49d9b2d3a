"""Serving the dashboard until it is told to stop."""

import asyncio
import socket
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from typing import Final

import uvicorn

from telic.domain.errors import InvalidInput
from telic.interfaces.api import api_routes
from telic.interfaces.web.app import create_app
from telic.interfaces.web.app_state import Desk
from telic.interfaces.web.settings import DashboardSettings
from telic.observability.observer import Observer
from telic.store.async_store import AsyncGoalStore
from telic.store.connect import connect_async

_BACKLOG: Final = 1_024


class _Server(uvicorn.Server):
    """Lets open pages go before it waits for their connections to end."""

    def __init__(self, config: uvicorn.Config, desk: Desk) -> None:
        super().__init__(config)
        self._desk = desk

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Nobody is served any more."""
        self._desk.hub.close()
        await super().shutdown(sockets)


def serve(
    location: str,
    settings: DashboardSettings,
    announce: Callable[[DashboardSettings, str], None],
    observer: Observer | None = None,
) -> None:
    """The dashboard was served until SIGINT or SIGTERM.

    `announce` is called once it listens, with the settings as they turned out (port 0 means any that is free) and an
    address that lets one browser in.

    Raises:
        InvalidInput: it cannot listen there.
        StoreError: the store cannot be opened.
    """
    listening = _listen(settings)
    settings = replace(settings, port=listening.getsockname()[1])
    with listening:
        asyncio.run(_serve(connect_async(location, create=False, observer=observer), settings, listening, announce))


def _listen(settings: DashboardSettings) -> socket.socket:
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    try:
        listening = socket.create_server((settings.host, settings.port), family=family, backlog=_BACKLOG)
    except OSError as error:
        raise InvalidInput(
            f"nothing can be served on {settings.host}, port {settings.port}: {error.strerror}"
        ) from None
    # Handed on to each connection: else an answer's second part waits 40 ms for the first to be acknowledged.
    listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listening


async def _serve(
    opening: AbstractAsyncContextManager[AsyncGoalStore],
    settings: DashboardSettings,
    listening: socket.socket,
    announce: Callable[[DashboardSettings, str], None],
) -> None:
    async with opening as store:
        # The API knows all scopes: a dashboard of one scope does without it.
        api = [] if settings.scope is not None else api_routes(store, allow_write=settings.allow_write)
        app = create_app(store, settings, api)
        desk: Desk = app.state.desk
        config = uvicorn.Config(
            app,
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            ws="none",
            timeout_graceful_shutdown=2,
        )
        announce(settings, f"{settings.address}/enter?code={desk.keeper.new_code()}")
        await _Server(config, desk).serve([listening])

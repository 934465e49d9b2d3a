"""Serving the dashboard and the API until they are told to stop."""

import asyncio
import socket
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from typing import Final

from telic.http.serving import DEFAULT_CONNECTIONS, HttpServer, listen
from telic.interfaces.api import api_routes
from telic.interfaces.api.feed import MOST_STREAMS
from telic.interfaces.web.app import create_app, guarded
from telic.interfaces.web.pages import AppState
from telic.interfaces.web.settings import DashboardSettings
from telic.observability.observer import Observer
from telic.store.async_store import AsyncGoalStore
from telic.store.connect import connect_async

_STREAMS: Final = MOST_STREAMS + DEFAULT_CONNECTIONS


def serve(
    location: str,
    settings: DashboardSettings,
    announce: Callable[[DashboardSettings, str], None],
    observer: Observer | None = None,
) -> None:
    """The dashboard was served until a signal ended it.

    `announce` is called once it listens, with the settings as they turned out (port 0 means any that is free) and an
    address that lets one browser in.

    Raises:
        InvalidInput: it cannot listen there.
        StoreError: the store cannot be opened.
    """
    with listen(settings.host, settings.port) as listening:
        settings = replace(settings, port=listening.getsockname()[1])
        asyncio.run(_serve(connect_async(location, create=False, observer=observer), settings, listening, announce))


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
        state: AppState = app.state.app_state
        announce(settings, f"{settings.address}/enter?code={state.signer.new_code()}")
        # Open pages are let go first: else their connections would be waited for.
        server = HttpServer(
            guarded(app), max_connections=settings.max_live_pages + _STREAMS, on_end=state.broadcaster.close
        )
        await server.serve([listening])

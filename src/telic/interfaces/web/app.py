"""The dashboard as an ASGI application, and serving it until it is told to stop."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncGenerator, Callable, Hashable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from typing import Final

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp

from telic.domain.errors import GoalError
from telic.http.event_stream import EventStreamResponse, write_beginning, write_event
from telic.http.guard import HttpGuard, HttpRefusal, RequestRates
from telic.http.serving import DEFAULT_CONNECTIONS, HttpServer, listen
from telic.interfaces.api.feed import MOST_STREAMS
from telic.interfaces.api.routes import api_routes
from telic.interfaces.web.actions import act
from telic.interfaces.web.goal_page import GoalView, find_goal, show_goal
from telic.interfaces.web.guard import DashboardSite, SecurityHeaders, choose_theme, enter, enter_by_token, leave
from telic.interfaces.web.listing import ListView, parse_query, show_list
from telic.interfaces.web.live import Broadcaster, LiveView
from telic.interfaces.web.pages import FOLDER, AppState, Pages, show_goal_error, show_refusal, state_of
from telic.interfaces.web.settings import DashboardSettings, SessionSigner
from telic.observability.observer import Observer
from telic.store.async_store import AsyncGoalStore
from telic.store.connect import connect_async

_RETRY_MILLISECONDS: Final = 2_000


async def follow_list(request: Request) -> ASGIApp:
    """Return a stream of what changes in the list."""
    state = state_of(request)
    query = parse_query(request.query_params, state.settings.scope)
    return _stream(request, query, lambda: ListView(state, query))


async def follow_goal(request: Request) -> ASGIApp:
    """Return a stream of what changes in the goal."""
    state = state_of(request)
    goal = await find_goal(state, request.path_params["goal_id"])
    return _stream(request, goal.id, lambda: GoalView(state, goal.id))


def _stream(request: Request, key: Hashable, make: Callable[[], LiveView]) -> ASGIApp:
    state = state_of(request)
    if state.broadcaster.is_full:
        raise HttpRefusal("too_many_streams", "Too many pages are open.")
    return EventStreamResponse(_events(request, state, key, make))


async def _events(
    request: Request, state: AppState, key: Hashable, make: Callable[[], LiveView]
) -> AsyncGenerator[str, None]:
    yield write_beginning(_RETRY_MILLISECONDS)
    async with state.broadcaster.joined(key, make) as queue:
        while not queue.is_closed:
            fragments = await queue.take()
            data = write_event(f"[{','.join(fragments)}]", event="fragments")
            yield state.pages.for_session(request, data)


_ROUTES: tuple[BaseRoute, ...] = (
    Route("/", show_list),
    Route("/goals/{goal_id}", show_goal),
    Route("/goals/{goal_id}/{action}", act, methods=["POST"]),
    Route("/live/", follow_list),
    Route("/live/goals/{goal_id}", follow_goal),
    Route("/enter", enter),
    Route("/enter", enter_by_token, methods=["POST"]),
    Route("/leave", leave, methods=["POST"]),
    Route("/theme", choose_theme, methods=["POST"]),
    Mount("/static", StaticFiles(directory=FOLDER / "static")),
)


def create_app(store: AsyncGoalStore, settings: DashboardSettings, api: Sequence[BaseRoute] = ()) -> Starlette:
    """Return the dashboard over the open store; `api` is served below `/api/v1`, behind the same guard.

    `state.app_state` of the application has its parts: the signer makes the codes that let browsers in.
    """
    signer = SessionSigner(settings.token)
    pages = Pages(settings, signer)
    state = AppState(store, settings, signer, pages, Broadcaster(store, settings.max_live_pages))
    app = Starlette(
        routes=[*_ROUTES, *([Mount("/api/v1", routes=api)] if api else [])],
        exception_handlers={GoalError: show_goal_error, HttpRefusal: show_refusal, HTTPException: show_refusal},
        lifespan=_watching,
    )
    app.state.app_state = state
    return app


def guarded(app: Starlette, rates: RequestRates | None = None) -> ASGIApp:
    """Return the dashboard behind all that keeps others out: what is listened for."""
    state: AppState = app.state.app_state
    site = DashboardSite(state.signer, state.pages, state.settings)
    rates = rates or RequestRates(requests_per_second=state.settings.requests_per_second)
    return SecurityHeaders(HttpGuard(app, site, rates))


@contextlib.asynccontextmanager
async def _watching(app: Starlette) -> AsyncGenerator[None, None]:
    watcher = asyncio.create_task(app.state.app_state.broadcaster.run())
    try:
        yield
    finally:
        watcher.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await watcher


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
            guarded(app),
            max_connections=settings.max_live_pages + MOST_STREAMS + DEFAULT_CONNECTIONS,
            on_end=state.broadcaster.close,
        )
        await server.serve([listening])

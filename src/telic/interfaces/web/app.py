"""The dashboard as an ASGI application."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Callable, Hashable, Sequence
from typing import Final

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp

from telic.domain.errors import GoalError
from telic.http.event_stream import EventStreamResponse, write_beginning, write_event
from telic.http.guard import HttpGuard, HttpRefusal
from telic.http.rates import RequestRates
from telic.interfaces.web import goal_page, listing
from telic.interfaces.web.actions import act
from telic.interfaces.web.auth_routes import choose_theme, enter, enter_by_token, leave
from telic.interfaces.web.error_pages import show_goal_error, show_http_error, show_refusal
from telic.interfaces.web.goal_page import show_goal
from telic.interfaces.web.guard import DashboardSite, SecurityHeaders
from telic.interfaces.web.listing import show_list
from telic.interfaces.web.live import Broadcaster, LiveView
from telic.interfaces.web.pages import FOLDER, AppState, Pages, state_of
from telic.interfaces.web.sessions import SessionSigner
from telic.interfaces.web.settings import DashboardSettings
from telic.store.async_store import AsyncGoalStore

_RETRY_MILLISECONDS: Final = 2_000


async def follow_list(request: Request) -> ASGIApp:
    """Return a stream of what changes in the list."""
    state = state_of(request)
    query = listing.parse_query(request.query_params, state.settings.scope)
    return _stream(request, query, lambda: listing.view_of(state, query))


async def follow_goal(request: Request) -> ASGIApp:
    """Return a stream of what changes in the goal."""
    state = state_of(request)
    goal = await goal_page.find_goal(state, request.path_params["goal_id"])
    return _stream(request, goal.id, lambda: goal_page.view_of(state, goal.id))


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
        exception_handlers={GoalError: show_goal_error, HttpRefusal: show_refusal, HTTPException: show_http_error},
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
    """Open pages are kept live as long as the dashboard is served."""
    watcher = asyncio.create_task(app.state.app_state.broadcaster.run())
    try:
        yield
    finally:
        watcher.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await watcher

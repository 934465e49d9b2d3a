"""The dashboard as an ASGI application."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Sequence

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles

from telic.domain.errors import GoalError
from telic.interfaces.web.actions import act
from telic.interfaces.web.app_state import Desk
from telic.interfaces.web.auth_routes import choose_theme, enter, enter_by_token, leave
from telic.interfaces.web.error_pages import show_goal_error, show_refusal
from telic.interfaces.web.goal_page import show_goal
from telic.interfaces.web.guard import Guard
from telic.interfaces.web.listing import show_list
from telic.interfaces.web.live import Broadcaster
from telic.interfaces.web.pages import FOLDER, Pages
from telic.interfaces.web.sessions import Keeper
from telic.interfaces.web.settings import DashboardSettings
from telic.interfaces.web.streams import follow_goal, follow_list
from telic.store.async_store import AsyncGoalStore

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
    """The dashboard over the open store; `api` is served below `/api/v1`, behind the same guard.

    `state.desk` of the application has its parts: the keeper makes the codes that let browsers in.
    """
    keeper = Keeper(settings.token)
    pages = Pages(settings, keeper)
    desk = Desk(store, settings, keeper, pages, Broadcaster(store, settings.max_live_pages))
    app = Starlette(
        routes=[*_ROUTES, *([Mount("/api/v1", routes=api)] if api else [])],
        middleware=[Middleware(Guard, keeper=keeper, pages=pages, settings=settings)],
        exception_handlers={GoalError: show_goal_error, HTTPException: show_refusal},
        lifespan=_watching,
    )
    app.state.desk = desk
    return app


@contextlib.asynccontextmanager
async def _watching(app: Starlette) -> AsyncGenerator[None, None]:
    """Open pages are kept live as long as the dashboard is served."""
    watcher = asyncio.create_task(app.state.desk.hub.run())
    try:
        yield
    finally:
        watcher.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await watcher

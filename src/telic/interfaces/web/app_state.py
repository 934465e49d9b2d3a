"""The parts of a dashboard, which every page's function works with."""

from dataclasses import dataclass
from typing import cast

from starlette.requests import HTTPConnection

from telic.interfaces.web.live import Broadcaster
from telic.interfaces.web.pages import Pages
from telic.interfaces.web.sessions import SessionSigner
from telic.interfaces.web.settings import DashboardSettings
from telic.store.async_store import AsyncGoalStore


@dataclass(frozen=True, slots=True)
class AppState:
    """One dashboard at work."""

    store: AsyncGoalStore
    settings: DashboardSettings
    signer: SessionSigner
    pages: Pages
    broadcaster: Broadcaster


def state_of(request: HTTPConnection) -> AppState:
    """Return the dashboard that serves the request."""
    return cast("AppState", request.app.state.app_state)

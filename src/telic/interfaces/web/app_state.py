"""What every page's function works with."""

from dataclasses import dataclass
from typing import cast

from starlette.requests import HTTPConnection

from telic.interfaces.web.live import Broadcaster
from telic.interfaces.web.pages import Pages
from telic.interfaces.web.sessions import Keeper
from telic.interfaces.web.settings import DashboardSettings
from telic.store.async_store import AsyncGoalStore


@dataclass(frozen=True, slots=True)
class Desk:
    """One dashboard at work."""

    store: AsyncGoalStore
    settings: DashboardSettings
    keeper: Keeper
    pages: Pages
    hub: Broadcaster


def desk_of(request: HTTPConnection) -> Desk:
    """The dashboard that was asked."""
    return cast("Desk", request.app.state.desk)

"""The streams of events that keep open pages live."""

from collections.abc import AsyncIterator, Callable, Hashable
from typing import Final

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from telic.interfaces.web import goal_page, listing
from telic.interfaces.web.app_state import Desk, desk_of
from telic.interfaces.web.live import LiveView, message

_SIGN_OF_LIFE_SECONDS: Final = 15.0
_BEGINNING: Final = "retry: 2000\n\n"


async def follow_list(request: Request) -> Response:
    """What changes in the list."""
    desk = desk_of(request)
    query = listing.parse_query(request.query_params, desk.settings.scope)
    return _stream(request, query, lambda: listing.view_of(desk, query))


async def follow_goal(request: Request) -> Response:
    """What changes in the goal."""
    desk = desk_of(request)
    goal = await goal_page.find_goal(desk, request.path_params["goal_id"])
    return _stream(request, goal.id, lambda: goal_page.view_of(desk, goal.id))


def _stream(request: Request, key: Hashable, make: Callable[[], LiveView]) -> Response:
    desk = desk_of(request)
    if desk.hub.is_full:
        raise HTTPException(503, "Too many pages are open.")
    return StreamingResponse(_told(request, desk, key, make), media_type="text/event-stream")


async def _told(request: Request, desk: Desk, key: Hashable, make: Callable[[], LiveView]) -> AsyncIterator[str]:
    yield _BEGINNING
    async with desk.hub.joined(key, make) as mailbox:
        while not mailbox.is_closed:
            fragments = await mailbox.take(_SIGN_OF_LIFE_SECONDS)
            yield desk.pages.for_session(request, message(fragments))

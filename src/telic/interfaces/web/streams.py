"""The streams of events that keep open pages live."""

from collections.abc import AsyncGenerator, Callable, Hashable
from typing import Final

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.types import ASGIApp

from telic.http.event_stream import EventStreamResponse, write_beginning, write_event
from telic.interfaces.web import goal_page, listing
from telic.interfaces.web.app_state import AppState, state_of
from telic.interfaces.web.live import View

_RETRY_MILLISECONDS: Final = 2_000


async def follow_list(request: Request) -> ASGIApp:
    """What changes in the list."""
    state = state_of(request)
    query = listing.parse_query(request.query_params, state.settings.scope)
    return _stream(request, query, lambda: listing.view_of(state, query))


async def follow_goal(request: Request) -> ASGIApp:
    """What changes in the goal."""
    state = state_of(request)
    goal = await goal_page.find_goal(state, request.path_params["goal_id"])
    return _stream(request, goal.id, lambda: goal_page.view_of(state, goal.id))


def _stream(request: Request, key: Hashable, make: Callable[[], View]) -> ASGIApp:
    state = state_of(request)
    if state.broadcaster.is_full:
        raise HTTPException(503, "Too many pages are open.")
    return EventStreamResponse(_events(request, state, key, make))


async def _events(
    request: Request, state: AppState, key: Hashable, make: Callable[[], View]
) -> AsyncGenerator[str, None]:
    yield write_beginning(_RETRY_MILLISECONDS)
    async with state.broadcaster.joined(key, make) as queue:
        while not queue.is_closed:
            fragments = await queue.take()
            data = write_event(f"[{','.join(fragments)}]", event="fragments")
            yield state.pages.for_session(request, data)

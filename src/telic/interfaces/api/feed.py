"""The history: one goal's, and every goal's as it is written."""

import json
import logging
from collections.abc import AsyncGenerator, AsyncIterator
from typing import Final

from starlette.responses import Response
from starlette.types import ASGIApp

from telic.domain.errors import GoalError
from telic.domain.events import FeedEvent
from telic.domain.jsonable import event_to_json, feed_event_to_json
from telic.domain.limits import MAX_PAGE
from telic.http.event_stream import EventStreamResponse, write_beginning, write_event
from telic.interfaces.api import schema
from telic.interfaces.api.answers import ApiRefusal, json_answer, problem_of
from telic.interfaces.api.operation import ApiCall, ApiOperation, OpenStreams, operation

MOST_STREAMS: Final = 1_000
_RETRY_MILLISECONDS: Final = 1_000
_log = logging.getLogger(__name__)


@operation(
    "GET /goals/{goal_id}/events",
    "The goal's history, in order.",
    schema.list_of(schema.shape("event")),
    query={"after": schema.AFTER_NUMBER, "limit": schema.LIMIT},
)
async def _list_events(call: ApiCall) -> Response:
    goal = await call.goal()
    return json_answer([event_to_json(event) for event in await call.store.events(goal.id, **call.query)])


@operation(
    "GET /events",
    "Every committed event exactly once, from the first one or after a cursor.",
    schema.open_object({"events": schema.list_of(schema.shape("feed_event")), "cursor": {"type": "string"}}),
    query={"scope": schema.SCOPE, "after": schema.CURSOR, "limit": schema.LIMIT},
)
async def _list_feed(call: ApiCall) -> Response:
    get = call.query.get
    page = await call.store.events(scope=get("scope"), after=get("after"), limit=get("limit", MAX_PAGE))
    return json_answer({"events": [feed_event_to_json(event) for event in page], "cursor": page.cursor})


async def _written(events: AsyncIterator[FeedEvent], cursor: str, streams: OpenStreams) -> AsyncGenerator[str, None]:
    """Yield the events as they go over the wire, each with its cursor as id; an error comes as the last one."""
    streams.open += 1
    try:
        yield write_beginning(_RETRY_MILLISECONDS, cursor)
        async for event in events:
            yield write_event(json.dumps(feed_event_to_json(event)), id=event.cursor)
    except GoalError as error:
        yield write_event(json.dumps(problem_of(error)), event="problem")
    except Exception:
        _log.exception("a stream of events failed")
    finally:
        streams.open -= 1
        if isinstance(events, AsyncGenerator):
            await events.aclose()


@operation(
    "GET /events/stream",
    "Every event as it is committed, from now on or after a cursor, as server-sent events.",
    {"type": "string"},
    answer_type="text/event-stream",
    query={"scope": schema.SCOPE, "goal_id": schema.GOAL_ID, "after": schema.CURSOR},
)
async def _stream_events(call: ApiCall) -> ASGIApp:
    if call.streams.open >= MOST_STREAMS:
        raise ApiRefusal("too_many_streams", f"{MOST_STREAMS} streams are open already")
    wanted = await call.named_goal(call.query)
    given = call.last_event_id or wanted.get("after")
    cursor = await call.store.cursor() if given is None else given
    # Refuses a cursor that this feed never gave, while a status can still be told.
    await call.store.events(after=cursor, scope=wanted.get("scope"), limit=1)
    events = call.store.watch(scope=wanted.get("scope"), goal_id=wanted.get("goal_id"), after=cursor)
    return EventStreamResponse(_written(events, cursor, call.streams))


OPERATIONS: Final[tuple[ApiOperation, ...]] = (_list_events, _list_feed, _stream_events)

"""The history: one goal's, and every goal's as it is written."""

from typing import Any, Final

from starlette.responses import Response
from starlette.types import ASGIApp

from telic.domain.jsonable import event_to_json, feed_event_to_json
from telic.domain.limits import MAX_PAGE
from telic.interfaces.api.answers import json_answer
from telic.interfaces.api.operation import Call, Operation
from telic.interfaces.api.parameters import AFTER_NUMBER, CURSOR, GOAL_ID, LIMIT, SCOPE
from telic.interfaces.api.problems import Refusal
from telic.interfaces.api.shapes import list_of, open_object, shape
from telic.interfaces.api.stream import EventStream

MOST_STREAMS: Final = 1_000


async def _events(call: Call) -> Response:
    goal = await call.goal()
    return json_answer([event_to_json(event) for event in await call.store.events(goal.id, **call.query)])


async def _feed(call: Call) -> Response:
    page = await call.store.events(
        scope=call.query.get("scope"), after=call.query.get("after"), limit=call.query.get("limit", MAX_PAGE)
    )
    return json_answer({"events": [feed_event_to_json(event) for event in page], "cursor": page.cursor})


async def _stream(call: Call) -> ASGIApp:
    """Every event after the cursor as it is committed; whatever is wrong with the request is told at once."""
    if call.streams.open >= MOST_STREAMS:
        raise Refusal("too_many_streams", f"{MOST_STREAMS} streams are open already")
    wanted: dict[str, Any] = dict(call.query)
    if "goal_id" in wanted:
        wanted["goal_id"] = (await call.goal_of(wanted["goal_id"])).id
    given = call.last_event_id or wanted.get("after")
    cursor = await call.store.cursor() if given is None else given
    # Refuses a cursor that this feed never gave, while a status can still be told.
    await call.store.events(after=cursor, scope=wanted.get("scope"), limit=1)
    events = call.store.watch(scope=wanted.get("scope"), goal_id=wanted.get("goal_id"), after=cursor)
    return EventStream(events, cursor, call.streams)


OPERATIONS: Final[tuple[Operation, ...]] = (
    Operation(
        name="list_events",
        method="GET",
        path="/goals/{goal_id}/events",
        summary="The goal's history, in order.",
        handle=_events,
        answer=list_of(shape("event")),
        query={"after": AFTER_NUMBER, "limit": LIMIT},
    ),
    Operation(
        name="list_feed",
        method="GET",
        path="/events",
        summary="Every committed event exactly once, from the first one or after a cursor.",
        handle=_feed,
        answer=open_object({"events": list_of(shape("feed_event")), "cursor": {"type": "string"}}),
        query={"scope": SCOPE, "after": CURSOR, "limit": LIMIT},
    ),
    Operation(
        name="stream_events",
        method="GET",
        path="/events/stream",
        summary="Every event as it is committed, from now on or after a cursor, as server-sent events.",
        handle=_stream,
        answer={"type": "string"},
        answer_type="text/event-stream",
        query={"scope": SCOPE, "goal_id": GOAL_ID, "after": CURSOR},
        is_stream=True,
    ),
)

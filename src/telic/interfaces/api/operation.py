"""One operation of the API, declared once: its requests are read, checked, routed and documented from this."""

import json
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from email.message import Message
from enum import Enum
from typing import Any, Final
from urllib.parse import parse_qsl

from starlette.requests import Request
from starlette.types import ASGIApp

from telic.domain.goal import Actor, Goal
from telic.domain.ids import check_id_prefix
from telic.domain.lease import Lease
from telic.domain.lifecycle import NamedActor
from telic.domain.limits import MAX_COUNTER
from telic.interfaces.api.answers import ApiRefusal
from telic.interfaces.api.schema import GOAL, GOAL_ID, IDEMPOTENCY_KEY, IF_MATCH
from telic.services.json_schema import Schema, mismatch
from telic.store.async_store import AsyncGoalStore

_ID_CHARS: Final = 36
_MAX_QUERY_FIELDS: Final = 50
_INTEGER: Final = re.compile(r"-?[0-9]{1,17}")


class RevisionGuard(Enum):
    """Whether a write names the revision that its caller has seen."""

    NONE = "none"
    OPTIONAL = "optional"
    REQUIRED = "required"


@dataclass(slots=True)
class OpenStreams:
    """Counts the open streams."""

    open: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiCall:
    """A request that matches its operation."""

    store: AsyncGoalStore
    document: Mapping[str, Any]
    streams: OpenStreams
    actor_name: str
    root: str
    path: Mapping[str, str]
    query: Mapping[str, Any]
    body: Mapping[str, Any]
    key: str | None
    expected_revision: int | None
    known_tags: tuple[str, ...]
    last_event_id: str | None

    async def goal(self) -> Goal:
        """Return the goal that the path names by its id or the beginning of it."""
        return await self.goal_of(self.path["goal_id"])

    async def goal_of(self, prefix: str) -> Goal:
        """Return the goal with the id that begins like this."""
        typed = check_id_prefix(prefix)
        return await (self.store.get(typed) if len(typed) == _ID_CHARS else self.store.find(typed))

    async def named_goal(self, fields: Mapping[str, Any]) -> dict[str, Any]:
        """Return the fields as a store's arguments: a goal that they name is named in full."""
        if "goal_id" not in fields:
            return dict(fields)
        return {**fields, "goal_id": (await self.goal_of(fields["goal_id"])).id}

    def lease(self, goal: Goal) -> Lease | None:
        """Return the lease that the body shows, if any."""
        shown = self.body.get("lease")
        return None if shown is None else Lease(goal, shown["worker"], shown["token"])

    @property
    def actor(self) -> NamedActor:
        """Return the operator that was let in."""
        return NamedActor(Actor.OPERATOR, self.actor_name, "api")


Handler = Callable[[ApiCall], Awaitable[ASGIApp]]


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiOperation:
    """One method of a path.

    `body` is the schema of what it takes, `answer` of what it gives with `status`. `is_keyed` says that it takes an
    idempotency key.
    """

    name: str
    method: str
    path: str
    summary: str
    handle: Handler
    answer: Schema
    answer_type: str = "application/json"
    status: int = 200
    query: Mapping[str, Schema] = field(default_factory=dict[str, Schema])
    body: Schema | None = None
    guard: RevisionGuard = RevisionGuard.NONE
    is_keyed: bool = False

    @property
    def is_write(self) -> bool:
        """Return whether it changes anything."""
        return self.method != "GET"

    @property
    def is_tagged(self) -> bool:
        """Return whether its answer is a goal with a tag."""
        return self.answer == GOAL

    @property
    def is_stream(self) -> bool:
        """Return whether its answer lasts as long as its client listens."""
        return self.answer_type == "text/event-stream"


def operation(
    route: str, summary: str, answer: Schema, *, name: str | None = None, **options: Any
) -> Callable[[Handler], ApiOperation]:
    """Return what makes an operation of a function, for a route such as "GET /goals".

    Its name is the function's, without what makes that private.
    """
    method, _, path = route.partition(" ")

    def declared(handle: Handler) -> ApiOperation:
        named = name or getattr(handle, "__name__", "").lstrip("_")
        return ApiOperation(
            name=named, method=method, path=path, summary=summary, handle=handle, answer=answer, **options
        )

    return declared


def _check(schema: Schema, value: Any, place: str) -> None:
    problem = mismatch(schema, value, place)
    if problem is not None:
        raise ApiRefusal("invalid_request", problem)


async def read_call(operation: ApiOperation, request: Request, **shared: Any) -> ApiCall:
    """Return the call that a request makes; `shared` are those of its fields that no request says.

    Raises:
        ApiRefusal: a part of the request does not match what the operation declares, or is declared by none.
    """
    path: dict[str, str] = request.path_params
    for value in path.values():
        _check(GOAL_ID, value, "the path's goal_id")
    return ApiCall(
        actor_name=str(getattr(request.state, "actor_name", None) or "operator"),
        root=request.scope.get("root_path", ""),
        path=path,
        query=_read_query(operation, request),
        key=_read_key(operation, request),
        expected_revision=_read_revision(operation, request),
        known_tags=_read_known_tags(request),
        last_event_id=request.headers.get("Last-Event-ID") if operation.is_stream else None,
        body=await _read_body(operation, request),
        **shared,
    )


def _read_query(operation: ApiOperation, request: Request) -> dict[str, Any]:
    raw = request.scope["query_string"]
    try:
        pairs = parse_qsl(
            raw.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=_MAX_QUERY_FIELDS
        )
    except ValueError as error:
        raise ApiRefusal("invalid_request", "the query is no percent-encoded UTF-8, or has too many fields") from error
    query = _without_repetitions(pairs, "the query")
    # A query has nothing but texts. One that reads as a number is one where the schema wants it.
    query |= {
        name: int(query[name])
        for name, schema in operation.query.items()
        if name in query and schema["type"] == "integer" and _INTEGER.fullmatch(query[name])
    }
    _check({"type": "object", "properties": operation.query, "required": []}, query, "the query")
    return query


def _without_repetitions(pairs: list[tuple[str, Any]], place: str) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ApiRefusal("invalid_request", f"{place} has a field twice")
    return found


def _read_key(operation: ApiOperation, request: Request) -> str | None:
    key = _header(request, "Idempotency-Key") if operation.is_keyed else None
    if key is not None:
        _check(IDEMPOTENCY_KEY, key, "the header Idempotency-Key")
    return key


def _read_revision(operation: ApiOperation, request: Request) -> int | None:
    if operation.guard is RevisionGuard.NONE:
        return None
    tag = _header(request, "If-Match")
    if tag is None:
        if operation.guard is RevisionGuard.OPTIONAL:
            return None
        raise ApiRefusal("precondition_required", "give the goal's ETag as If-Match, or If-Match: * for any revision")
    _check(IF_MATCH, tag, "the header If-Match")
    # Only the revision counts: recorded turns change the digest behind it, and no write is about them.
    return None if tag == "*" else int(tag.strip('"').partition(".")[0])


def _read_known_tags(request: Request) -> tuple[str, ...]:
    # If-None-Match is compared weakly (RFC 9110, section 13.1.2): a proxy may have made a tag weak.
    given = request.headers.getlist("If-None-Match")
    return tuple(tag.strip().removeprefix("W/") for line in given for tag in line.split(","))


def _header(request: Request, name: str) -> str | None:
    given = request.headers.getlist(name)
    if len(given) > 1:
        raise ApiRefusal("invalid_request", f"the header {name} is given twice")
    return given[0] if given else None


async def _read_body(operation: ApiOperation, request: Request) -> Mapping[str, Any]:
    if operation.body is None:
        return {}
    raw = await request.body()
    if raw or "content-type" in request.headers:
        _check_type(request.headers.get("content-type"))
    # An empty body is an object without fields: most actions need none.
    body = parse_json(raw) if raw else {}
    _check(operation.body, body, "the body")
    return dict(body)


def _check_type(content_type: str | None) -> None:
    message = Message()
    message["content-type"] = content_type or ""
    # Only UTF-8 is JSON (RFC 8259, section 8.1), whatever a client calls it.
    if message.get_content_type() != "application/json" or (message.get_content_charset() or "utf-8") != "utf-8":
        raise ApiRefusal(
            "unsupported_media_type", "a body is application/json in UTF-8", {"Accept": "application/json"}
        )


def parse_json(raw: bytes) -> Any:
    """Return the JSON text in these bytes; a whole number is one however it is written, as JSON Schema has it.

    Raises:
        ApiRefusal: they are none, or an object has a field twice.
    """
    try:
        return json.loads(raw.decode(), parse_float=_number, parse_constant=_refuse_constant, object_pairs_hook=_object)
    except UnicodeDecodeError as error:
        raise ApiRefusal("invalid_request", "the body is not UTF-8") from error
    except (ValueError, RecursionError) as error:
        raise ApiRefusal("invalid_request", "the body is no JSON, or nested too deeply") from error


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    return _without_repetitions(pairs, "an object of the body")


def _number(text: str) -> int | float:
    value = float(text)
    return int(value) if value.is_integer() and abs(value) <= MAX_COUNTER else value


def _refuse_constant(name: str) -> None:
    # Python reads NaN and Infinity, which are no JSON.
    raise ValueError(name)

"""The API's paths, from the bytes of a request to those of its answer, and the OpenAPI document about them."""

import logging
from collections.abc import Iterable, Mapping, Sequence
from http import HTTPStatus
from itertools import groupby
from operator import attrgetter
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp, Receive, Scope, Send

from telic.domain.errors import GoalError
from telic.interfaces.api import feed, goals, schema, work
from telic.interfaces.api.answers import PROBLEM_MEDIA_TYPE, ApiRefusal, json_answer, problem_answer
from telic.interfaces.api.operation import ApiCall, ApiOperation, OpenStreams, RevisionGuard, operation, read_call
from telic.services.json_schema import Schema
from telic.store.async_store import AsyncGoalStore

VERSION: Final = "1.0.0"
_ALWAYS: Final[tuple[int, ...]] = (400, 401, 408, 413, 422, 429, 500, 503)
_TAG: Final = {"ETag": {"description": "Revision and digest of the goal.", "schema": {"type": "string"}}}
_ABOUT: Final = (
    "Durable goals for AI agents. Goals that many programs change: send the ETag that was read as If-Match, and an "
    "Idempotency-Key with what must happen once. Errors are problem details; their `code` is stable."
)


def document(operations: Iterable[ApiOperation]) -> dict[str, Any]:
    """Return all operations with what they take and give."""
    paths: dict[str, dict[str, Any]] = {}
    for each in operations:
        paths.setdefault(each.path, {})[each.method.lower()] = _described(each)
    return {
        "openapi": "3.1.0",
        "info": {"title": "Telic", "version": VERSION, "description": _ABOUT, "license": {"name": "MIT"}},
        "paths": paths,
        "components": {
            "schemas": dict(schema.SHAPES),
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
        "security": [{"token": []}],
    }


def _described(operation: ApiOperation) -> dict[str, Any]:
    described = {
        "operationId": operation.name,
        "summary": operation.summary,
        "parameters": list(_parameters(operation)),
        "responses": _responses(operation),
    }
    if operation.body is not None:
        needed = bool(operation.body["required"] or operation.body.get("minProperties"))
        content = {"application/json": {"schema": operation.body}}
        described["requestBody"] = {"required": needed, "content": content}
    return described


def _parameters(operation: ApiOperation) -> Iterable[Mapping[str, Any]]:
    if "{goal_id}" in operation.path:
        yield _parameter("path", "goal_id", schema.GOAL_ID, is_required=True)
    for name, values in operation.query.items():
        yield _parameter("query", name, values)
    if operation.is_keyed:
        yield _parameter("header", "Idempotency-Key", schema.IDEMPOTENCY_KEY)
    if operation.guard is not RevisionGuard.NONE:
        yield _parameter("header", "If-Match", schema.IF_MATCH, is_required=operation.guard is RevisionGuard.REQUIRED)
    if operation.is_tagged and operation.method == "GET":
        yield _parameter("header", "If-None-Match", {"type": "string", "description": "Tags that the client has."})
    if operation.is_stream:
        about = "Go on after this event; counts more than `after`."
        yield _parameter("header", "Last-Event-ID", {"type": "string", "description": about})


def _parameter(place: str, name: str, values: Schema, *, is_required: bool = False) -> Mapping[str, Any]:
    return {"name": name, "in": place, "required": is_required, "schema": dict(values)}


def _responses(operation: ApiOperation) -> dict[str, Any]:
    answer: dict[str, Any] = {
        "description": HTTPStatus(operation.status).phrase,
        "content": {operation.answer_type: {"schema": operation.answer}},
    }
    if operation.is_tagged:
        answer["headers"] = _TAG
    responses = {str(operation.status): answer}
    if operation.is_tagged and operation.method == "GET":
        responses["304"] = {"description": "The client has the goal as it stands.", "headers": _TAG}
    content = {PROBLEM_MEDIA_TYPE: {"schema": schema.shape("problem")}}
    for status in sorted(_problems(operation)):
        responses[str(status)] = {"description": HTTPStatus(status).phrase, "content": content}
    return responses


def _problems(operation: ApiOperation) -> set[int]:
    statuses: set[int] = {*_ALWAYS}
    if operation.is_write:
        statuses |= {403, 404, 409, 415, 507}
    if "{goal_id}" in operation.path or "goal_id" in operation.query:
        statuses |= {404, 409}
    if operation.guard is not RevisionGuard.NONE:
        statuses |= {412}
    if operation.guard is RevisionGuard.REQUIRED:
        statuses |= {428}
    return statuses


_log = logging.getLogger(__name__)


class ApiResource:
    """Answers the methods of one path; every refusal and failure is a problem document."""

    def __init__(self, operations: Sequence[ApiOperation], *, allow_write: bool, **shared: Any) -> None:
        self._allow_write = allow_write
        self._shared = shared
        self._operations = {operation.method: operation for operation in operations}
        get = self._operations.get("GET")
        if get is not None and not get.is_stream:
            self._operations["HEAD"] = get
        self.methods = frozenset(self._operations)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The request is answered."""
        answer = await self._answer(Request(scope, receive))
        await answer(scope, receive, send)

    async def _answer(self, request: Request) -> ASGIApp:
        try:
            operation = self._operation(request.method)
            call = await read_call(operation, request, **self._shared)
        except ApiRefusal as refusal:
            return problem_answer(refusal)
        try:
            return await operation.handle(call)
        except (ApiRefusal, GoalError) as error:
            return problem_answer(error)
        except Exception as error:
            _log.exception("%s failed", operation.name)
            return problem_answer(error)

    def _operation(self, method: str) -> ApiOperation:
        operation = self._operations.get(method)
        if operation is None:
            allowed = ", ".join(sorted(self.methods))
            raise ApiRefusal("method_not_allowed", f"this path takes {allowed}", {"Allow": allowed})
        if operation.is_write and not self._allow_write:
            raise ApiRefusal("read_only", "this server only reads; start it with --allow-write")
        return operation


@operation("GET /health", "Whether the store answers.", schema.open_object({"healthy": {"type": "boolean"}}))
async def _get_health(call: ApiCall) -> Response:
    await call.store.cursor()
    return json_answer({"healthy": True})


@operation(
    "GET /openapi.json",
    "This document.",
    schema.open_object({"openapi": {"type": "string"}, "paths": {"type": "object"}}),
)
async def _get_document(call: ApiCall) -> Response:
    return json_answer({**call.document, "servers": [{"url": call.root or "/"}]})


OPERATIONS: Final[tuple[ApiOperation, ...]] = (
    _get_health,
    _get_document,
    *goals.OPERATIONS,
    *work.OPERATIONS,
    *feed.OPERATIONS,
)


def api_routes(store: AsyncGoalStore, *, allow_write: bool) -> list[BaseRoute]:
    """Return the API over the open store, to be mounted wherever a guard lets in whom it serves.

    Whoever is let in acts with the authority of an operator; `actor_name` in the request's state says who it is.
    """
    # One count of open streams: what is bounded is all of the server's.
    shared = {"store": store, "document": document(OPERATIONS), "streams": OpenStreams()}
    by_path = attrgetter("path")
    routes: list[BaseRoute] = [
        Route(path, ApiResource(list(operations), allow_write=allow_write, **shared))
        for path, operations in groupby(sorted(OPERATIONS, key=by_path), key=by_path)
    ]
    unknown = ApiRefusal("not_found", "there is no such path; openapi.json has them all")
    return [*routes, Route("/{anything:path}", problem_answer(unknown))]

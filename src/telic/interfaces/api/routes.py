"""The API's paths: from the bytes of a request to those of its answer."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from operator import attrgetter
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp, Receive, Scope, Send

from telic.domain.errors import GoalError
from telic.interfaces.api import feed, goals, leases, ledger, reading
from telic.interfaces.api.answers import ApiRefusal, json_answer, problem_answer
from telic.interfaces.api.openapi import document
from telic.interfaces.api.operation import ApiCall, ApiOperation, OpenStreams
from telic.interfaces.api.shapes import open_object
from telic.store.async_store import AsyncGoalStore

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ApiContext:
    """The store and the settings that all paths share."""

    store: AsyncGoalStore
    allow_write: bool
    document: Mapping[str, Any]
    streams: OpenStreams


class ApiResource:
    """Answers the methods of one path; every refusal and failure is a problem document."""

    def __init__(self, api: ApiContext, operations: Sequence[ApiOperation]) -> None:
        self._api = api
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
            call = await self._call(operation, request)
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
        if operation.is_write and not self._api.allow_write:
            raise ApiRefusal("read_only", "this server only reads; start it with --allow-write")
        return operation

    async def _call(self, operation: ApiOperation, request: Request) -> ApiCall:
        return ApiCall(
            store=self._api.store,
            document=self._api.document,
            streams=self._api.streams,
            actor_name=str(getattr(request.state, "actor_name", None) or "operator"),
            root=request.scope.get("root_path", ""),
            path=reading.read_path(request),
            query=reading.read_query(operation, request),
            key=reading.read_key(operation, request),
            expected_revision=reading.read_revision(operation, request),
            known_tags=reading.read_known_tags(request),
            last_event_id=request.headers.get("Last-Event-ID") if operation.is_stream else None,
            body=await reading.read_body(operation, request),
        )


class UnknownPath:
    """Answers what has no path."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The request is refused."""
        answer = problem_answer(ApiRefusal("not_found", "there is no such path; openapi.json has them all"))
        await answer(scope, receive, send)


async def _health(call: ApiCall) -> Response:
    await call.store.cursor()
    return json_answer({"healthy": True})


async def _document(call: ApiCall) -> Response:
    return json_answer({**call.document, "servers": [{"url": call.root or "/"}]})


OPERATIONS: Final[tuple[ApiOperation, ...]] = (
    ApiOperation(
        name="get_health",
        method="GET",
        path="/health",
        summary="Whether the store answers.",
        handle=_health,
        answer=open_object({"healthy": {"type": "boolean"}}),
    ),
    ApiOperation(
        name="get_document",
        method="GET",
        path="/openapi.json",
        summary="This document.",
        handle=_document,
        answer=open_object({"openapi": {"type": "string"}, "paths": {"type": "object"}}),
    ),
    *goals.OPERATIONS,
    *ledger.OPERATIONS,
    *leases.OPERATIONS,
    *feed.OPERATIONS,
)


def api_routes(store: AsyncGoalStore, *, allow_write: bool) -> list[BaseRoute]:
    """Return the API over the open store, to be mounted wherever a guard lets in whom it serves.

    Whoever is let in acts with the authority of an operator; `actor_name` in the request's state says who it is.
    """
    api = ApiContext(store, allow_write, document(OPERATIONS), OpenStreams())
    by_path = attrgetter("path")
    routes: list[BaseRoute] = [
        Route(path, ApiResource(api, list(operations)))
        for path, operations in groupby(sorted(OPERATIONS, key=by_path), key=by_path)
    ]
    return [*routes, Route("/{anything:path}", UnknownPath())]

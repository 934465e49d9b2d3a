"""All operations of the API, as routes."""

from itertools import groupby
from operator import attrgetter
from typing import Final

from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from telic.interfaces.api import feed, goals, leases, ledger, moves
from telic.interfaces.api.answers import json_answer
from telic.interfaces.api.openapi import document
from telic.interfaces.api.operation import Call, Operation, Streams
from telic.interfaces.api.resource import Api, Nowhere, Resource
from telic.interfaces.api.shapes import open_object
from telic.store.async_store import AsyncGoalStore


async def _health(call: Call) -> Response:
    await call.store.cursor()
    return json_answer({"healthy": True})


async def _document(call: Call) -> Response:
    return json_answer({**call.document, "servers": [{"url": call.root or "/"}]})


OPERATIONS: Final[tuple[Operation, ...]] = (
    Operation(
        name="get_health",
        method="GET",
        path="/health",
        summary="Whether the store answers.",
        handle=_health,
        answer=open_object({"healthy": {"type": "boolean"}}),
    ),
    Operation(
        name="get_document",
        method="GET",
        path="/openapi.json",
        summary="This document.",
        handle=_document,
        answer=open_object({"openapi": {"type": "string"}, "paths": {"type": "object"}}),
    ),
    *goals.OPERATIONS,
    *moves.OPERATIONS,
    *ledger.OPERATIONS,
    *leases.OPERATIONS,
    *feed.OPERATIONS,
)


def api_routes(store: AsyncGoalStore, *, allow_write: bool) -> list[BaseRoute]:
    """The API over the open store, to be mounted wherever a guard lets in whom it serves.

    Whoever is let in acts with the authority of an operator; `actor_name` in the request's state says who it is.
    """
    api = Api(store, allow_write, document(OPERATIONS), Streams())
    by_path = attrgetter("path")
    routes: list[BaseRoute] = [
        Route(path, Resource(api, list(operations)))
        for path, operations in groupby(sorted(OPERATIONS, key=by_path), key=by_path)
    ]
    return [*routes, Route("/{anything:path}", Nowhere())]

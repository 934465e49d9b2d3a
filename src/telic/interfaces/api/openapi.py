"""The OpenAPI document, built from the operations themselves."""

from collections.abc import Iterable, Mapping
from http import HTTPStatus
from typing import Any, Final

from telic.interfaces.api.answers import PROBLEM_MEDIA_TYPE
from telic.interfaces.api.operation import ApiOperation, RevisionGuard
from telic.interfaces.api.schema import GOAL_ID, IDEMPOTENCY_KEY, IF_MATCH, Schema
from telic.interfaces.api.shapes import components, shape

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
    for operation in operations:
        paths.setdefault(operation.path, {})[operation.method.lower()] = _described(operation)
    return {
        "openapi": "3.1.0",
        "info": {"title": "Telic", "version": VERSION, "description": _ABOUT, "license": {"name": "MIT"}},
        "paths": paths,
        "components": components() | {"securitySchemes": {"token": {"type": "http", "scheme": "bearer"}}},
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
        yield _parameter("path", "goal_id", GOAL_ID, is_required=True)
    for name, schema in operation.query.items():
        yield _parameter("query", name, schema)
    if operation.is_keyed:
        yield _parameter("header", "Idempotency-Key", IDEMPOTENCY_KEY)
    if operation.guard is not RevisionGuard.NONE:
        yield _parameter("header", "If-Match", IF_MATCH, is_required=operation.guard is RevisionGuard.REQUIRED)
    if operation.is_tagged and operation.method == "GET":
        yield _parameter("header", "If-None-Match", {"type": "string", "description": "Tags that the client has."})
    if operation.is_stream:
        about = "Go on after this event; counts more than `after`."
        yield _parameter("header", "Last-Event-ID", {"type": "string", "description": about})


def _parameter(place: str, name: str, schema: Schema, *, is_required: bool = False) -> Mapping[str, Any]:
    return {"name": name, "in": place, "required": is_required, "schema": dict(schema)}


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
    content = {PROBLEM_MEDIA_TYPE: {"schema": shape("problem")}}
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

"""From a request to a call: everything that its operation declares is checked, and nothing else is let in."""

import json
import re
from collections.abc import Mapping
from email.message import Message
from typing import Any, Final
from urllib.parse import parse_qsl

from starlette.requests import Request

from telic.domain.limits import MAX_COUNTER
from telic.interfaces.api.answers import ApiRefusal
from telic.interfaces.api.operation import ApiOperation, RevisionGuard
from telic.interfaces.api.schema import GOAL_ID, IDEMPOTENCY_KEY, IF_MATCH, Schema, check

_MAX_QUERY_FIELDS: Final = 50
_INTEGER: Final = re.compile(r"-?[0-9]{1,17}")


def read_path(request: Request) -> Mapping[str, str]:
    """Return the path's parameters."""
    path: dict[str, str] = request.path_params
    for value in path.values():
        check(GOAL_ID, value, "the path's goal_id")
    return {name: str(value) for name, value in path.items()}


def read_query(operation: ApiOperation, request: Request) -> dict[str, Any]:
    """Return the query's fields by name, each once, numbers as numbers.

    Raises:
        ApiRefusal: it is not UTF-8, names another field, or a value does not match.
    """
    raw = request.scope["query_string"]
    try:
        pairs = parse_qsl(
            raw.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=_MAX_QUERY_FIELDS
        )
    except ValueError as error:
        raise ApiRefusal("invalid_request", "the query is no percent-encoded UTF-8, or has too many fields") from error
    query = _without_repetitions(pairs, "the query")
    for name, value in query.items():
        if name in operation.query:
            query[name] = _typed(operation.query[name], value)
    schema = {"type": "object", "properties": operation.query, "required": []}
    check(schema, query, "the query")
    return query


def _typed(schema: Schema, value: str) -> str | int:
    return int(value) if schema["type"] == "integer" and _INTEGER.fullmatch(value) else value


def _without_repetitions(pairs: list[tuple[str, Any]], place: str) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ApiRefusal("invalid_request", f"{place} has a field twice")
    return found


def read_key(operation: ApiOperation, request: Request) -> str | None:
    """Return the idempotency key, where the operation takes one."""
    key = _header(request, "Idempotency-Key") if operation.is_keyed else None
    if key is not None:
        check(IDEMPOTENCY_KEY, key, "the header Idempotency-Key")
    return key


def read_revision(operation: ApiOperation, request: Request) -> int | None:
    """Return the revision that the caller has seen, of the tag in `If-Match`; None for `*`, which means any.

    Raises:
        ApiRefusal: the operation needs one.
    """
    if operation.guard is RevisionGuard.NONE:
        return None
    tag = _header(request, "If-Match")
    if tag is None:
        if operation.guard is RevisionGuard.OPTIONAL:
            return None
        raise ApiRefusal("precondition_required", "give the goal's ETag as If-Match, or If-Match: * for any revision")
    check(IF_MATCH, tag, "the header If-Match")
    return None if tag == "*" else int(tag.strip('"').partition(".")[0])


def read_known_tags(request: Request) -> tuple[str, ...]:
    """Return the tags in `If-None-Match`."""
    given = request.headers.getlist("If-None-Match")
    return tuple(tag.strip().removeprefix("W/") for line in given for tag in line.split(","))


def _header(request: Request, name: str) -> str | None:
    given = request.headers.getlist(name)
    if len(given) > 1:
        raise ApiRefusal("invalid_request", f"the header {name} is given twice")
    return given[0] if given else None


async def read_body(operation: ApiOperation, request: Request) -> Mapping[str, Any]:
    """Return the body's object; an empty body is one without fields.

    Raises:
        ApiRefusal: it is no JSON in UTF-8, or does not match.
    """
    if operation.body is None:
        return {}
    raw = await request.body()
    if raw or "content-type" in request.headers:
        _check_type(request.headers.get("content-type"))
    body = parse_json(raw) if raw else {}
    check(operation.body, body, "the body")
    return dict(body)


def _check_type(content_type: str | None) -> None:
    told = Message()
    told["content-type"] = content_type or ""
    if told.get_content_type() != "application/json" or (told.get_content_charset() or "utf-8") != "utf-8":
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
    raise ValueError(name)

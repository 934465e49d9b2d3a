"""JSON Schemas of what requests may say: the same ones are documented and checked.

A request that does not match is answered with 400. What matches and is unusable all the same is the store's to refuse.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from telic.domain.budget import LIMITS, MODEL_COUNTERS, TURN_COUNTERS
from telic.domain.criteria import MAX_CRITERIA, MAX_TIMEOUT_SECONDS, CriterionKind
from telic.domain.limits import MAX_COUNTER, MAX_NAME_CHARS, MAX_NOTE_CHARS, MAX_PAGE, MAX_TTL_SECONDS
from telic.interfaces.api.answers import ApiRefusal

Schema = Mapping[str, Any]

_IS_OF_TYPE: Final[Mapping[str, Callable[[object], bool]]] = {
    "array": lambda value: isinstance(value, list),
    "boolean": lambda value: isinstance(value, bool),
    "integer": lambda value: type(value) is int,
    "null": lambda value: value is None,
    "number": lambda value: type(value) in (int, float),
    "object": lambda value: isinstance(value, dict),
    "string": lambda value: isinstance(value, str),
}
_SHOWN_CHARS: Final = 100


def integer(minimum: int = 0, maximum: int = MAX_COUNTER, **more: Any) -> Schema:
    """Return a whole number from `minimum` to `maximum`."""
    return {"type": "integer", "minimum": minimum, "maximum": maximum, **more}


def text(max_chars: int, min_chars: int = 0, **more: Any) -> Schema:
    """Return a text of so many characters."""
    return {"type": "string", "minLength": min_chars, "maxLength": max_chars, **more}


def name(description: str) -> Schema:
    """Return a scope, a key, or somebody's name."""
    return text(MAX_NAME_CHARS, 1, description=description)


def one_of(values: Sequence[str], **more: Any) -> Schema:
    """Return one of these words."""
    return {"type": "string", "enum": [str(value) for value in values], **more}


def array(items: Schema, max_items: int, min_items: int = 0) -> Schema:
    """Return a list of so many of these."""
    return {"type": "array", "items": items, "minItems": min_items, "maxItems": max_items}


def strict_object(properties: Mapping[str, Schema], required: Sequence[str] = (), **more: Any) -> Schema:
    """Return an object with these fields and no others."""
    fields = {"properties": dict(properties), "required": list(required), "additionalProperties": False}
    return {"type": "object", **fields, **more}


def or_null(schema: Schema) -> Schema:
    """Return the same, or null."""
    return {**schema, "type": [schema["type"], "null"]}


def check(schema: Schema, value: Any, place: str) -> None:
    """The value matches the schema.

    Raises:
        ApiRefusal: it does not; `place` says which value is meant.
    """
    kinds = [schema["type"]] if isinstance(schema["type"], str) else schema["type"]
    kind = next((kind for kind in kinds if _IS_OF_TYPE[kind](value)), None)
    if kind is None:
        raise _mismatch(f"{place} must be of type {' or '.join(kinds)}")
    if "enum" in schema and value not in schema["enum"]:
        raise _mismatch(f"{place} must be one of {', '.join(schema['enum'])}")
    if kind == "string":
        _check_string(schema, value, place)
    elif kind in ("integer", "number"):
        _check_number(schema, value, place)
    elif kind == "array":
        _check_array(schema, value, place)
    elif kind == "object":
        _check_object(schema, value, place)


def _check_string(schema: Schema, value: str, place: str) -> None:
    if not schema.get("minLength", 0) <= len(value) <= schema.get("maxLength", len(value)):
        raise _mismatch(f"{place} must have from {schema['minLength']} to {schema['maxLength']} characters")
    if "pattern" in schema and re.search(schema["pattern"].replace("$", r"\Z"), value) is None:
        raise _mismatch(f"{place} must match {schema['pattern']}")


def _check_number(schema: Schema, value: float, place: str) -> None:
    if not schema["minimum"] <= value <= schema["maximum"]:
        raise _mismatch(f"{place} must be from {schema['minimum']} to {schema['maximum']}")


def _check_array(schema: Schema, value: list[Any], place: str) -> None:
    if not schema["minItems"] <= len(value) <= schema["maxItems"]:
        raise _mismatch(f"{place} must have from {schema['minItems']} to {schema['maxItems']} items")
    for number, item in enumerate(value):
        check(schema["items"], item, f"{place}[{number}]")


def _check_object(schema: Schema, value: dict[str, Any], place: str) -> None:
    missing = [name for name in schema["required"] if name not in value]
    if missing:
        raise _mismatch(f"{place} lacks {', '.join(missing)}")
    if len(value) < schema.get("minProperties", 0):
        raise _mismatch(f"{place} must have one of the fields {', '.join(schema['properties'])}")
    for name, part in value.items():
        if name not in schema["properties"]:
            known = ", ".join(schema["properties"]) or "none"
            raise _mismatch(f"{place} has an unknown field {name[:_SHOWN_CHARS]!r}; the fields are: {known}")
        check(schema["properties"][name], part, f"{place}.{name}")


def _mismatch(detail: str) -> ApiRefusal:
    return ApiRefusal("invalid_request", detail)


GOAL_ID: Final = {
    "type": "string",
    "pattern": "^[0-9a-fA-F-]{8,36}$",
    "description": "A goal's id, or its first or last 8 or more characters where they are no other's.",
}
IDEMPOTENCY_KEY: Final = {
    "type": "string",
    "pattern": f"^[!-~]{{1,{MAX_NAME_CHARS}}}$",
    "description": "Makes the call happen once, however often it is repeated.",
}
IF_MATCH: Final = {
    "type": "string",
    "pattern": '^([*]|"[0-9]{1,15}([.][0-9a-f]{1,64})?")$',
    "description": "The goal's ETag, of which the revision counts, or `*` for any revision.",
    "examples": ["*", '"7"'],
}
TIME: Final = {
    "type": "string",
    "pattern": (
        "^(19[7-9][0-9]|2[01][0-9]{2})-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]"
        r"(\.[0-9]{1,6})?(Z|[+-]([01][0-9]|2[0-3]):[0-5][0-9])$"
    ),
    "description": "A time as RFC 3339: 2026-12-31T18:00:00Z.",
}
SCOPE: Final = name("The owner of goals: a thread, a project, a user.")
HOLDER: Final = name("The worker: a name of its own, as host/process.")
NOTE: Final = text(MAX_NOTE_CHARS, description="A free remark, kept in the history.")
REPLACE: Final = {
    "type": "boolean",
    "description": "Pause the scope's active goal for this one, also where a worker drives it; else `would_replace`.",
}
LIMIT: Final = integer(1, MAX_PAGE, description="The longest page.")
CURSOR: Final = text(16_000, 1, description="Go on after the page that gave this cursor, unchanged.")
AFTER_NUMBER: Final = integer(description="Only those with a higher number.")
TTL: Final = {
    "type": "number",
    "minimum": 0.001,
    "maximum": MAX_TTL_SECONDS,
    "description": "It lasts so many seconds unless it is renewed or used.",
}
COUNTS: Final[Mapping[str, Schema]] = {each: integer() for each in LIMITS}
BUDGET: Final = strict_object(
    {each: or_null(integer(1)) for each in LIMITS},
    description="Limits on usage; what is null or left out has none. Microseconds, and millionths of the currency.",
)
TURN_USAGE: Final = strict_object(
    {each: integer() for each in TURN_COUNTERS}, description="What a turn consumed; the budget counts `tokens`."
)
MODEL_USAGE: Final = strict_object(
    {each: integer() for each in MODEL_COUNTERS},
    description="What a model's responses consumed; the goal's billing says how much of it counts.",
)
LEASE: Final = strict_object(
    {"holder": HOLDER, "token": integer(description="The token that the claim gave.")},
    ["holder", "token"],
    description="Refuse unless this lease is kept.",
)
CRITERION: Final = strict_object(
    {
        "kind": one_of(list(CriterionKind)),
        "argv": array(text(MAX_NOTE_CHARS), 1_000),
        "question": text(MAX_NOTE_CHARS),
        "folder": or_null(text(MAX_NOTE_CHARS)),
        "timeout_seconds": or_null(integer(1, MAX_TIMEOUT_SECONDS)),
        "shell": {"type": "boolean"},
    },
    ["kind"],
    description="A command that must exit with 0, a question that a judge must affirm, or what a person must approve.",
)
CRITERIA: Final = array(CRITERION, MAX_CRITERIA)

"""JSON Schemas of what requests may say: the same ones are documented and checked.

A request that does not match is answered with 400. What matches and is unusable all the same is the store's to refuse.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from telic.domain.limits import MAX_COUNTER, MAX_NAME_CHARS
from telic.interfaces.api.problems import Refusal

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
    """A whole number from `minimum` to `maximum`."""
    return {"type": "integer", "minimum": minimum, "maximum": maximum, **more}


def text(max_chars: int, min_chars: int = 0, **more: Any) -> Schema:
    """A text of so many characters."""
    return {"type": "string", "minLength": min_chars, "maxLength": max_chars, **more}


def name(description: str) -> Schema:
    """A scope, a key, or somebody's name."""
    return text(MAX_NAME_CHARS, 1, description=description)


def one_of(values: Sequence[str], **more: Any) -> Schema:
    """One of these words."""
    return {"type": "string", "enum": [str(value) for value in values], **more}


def array(items: Schema, max_items: int, min_items: int = 0) -> Schema:
    """A list of so many of these."""
    return {"type": "array", "items": items, "minItems": min_items, "maxItems": max_items}


def strict_object(properties: Mapping[str, Schema], required: Sequence[str] = (), **more: Any) -> Schema:
    """An object with these fields and no others."""
    fields = {"properties": dict(properties), "required": list(required), "additionalProperties": False}
    return {"type": "object", **fields, **more}


def or_null(schema: Schema) -> Schema:
    """The same, or null."""
    return {**schema, "type": [schema["type"], "null"]}


def check(schema: Schema, value: Any, place: str) -> None:
    """The value matches the schema.

    Raises:
        Refusal: it does not; `place` says which value is meant.
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


def _mismatch(detail: str) -> Refusal:
    return Refusal("invalid_request", detail)

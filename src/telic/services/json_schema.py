"""Checks values against the JSON Schemas that the HTTP API and the models' tools publish.

It knows the keywords that those schemas use, in the sense of JSON Schema.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

Schema = Mapping[str, Any]

_IS_OF_TYPE: Final[Mapping[str, Callable[[object], bool]]] = {
    "array": lambda value: isinstance(value, list),
    "boolean": lambda value: isinstance(value, bool),
    # For Python, True is a number. For JSON it is none.
    "integer": lambda value: type(value) is int,
    "null": lambda value: value is None,
    "number": lambda value: type(value) in (int, float),
    "object": lambda value: isinstance(value, dict),
    "string": lambda value: isinstance(value, str),
}
_SHOWN_CHARS: Final = 100


def mismatch(schema: Schema, value: Any, place: str) -> str | None:
    """Return the first mismatch of the value at this place, in words; None if it matches."""
    return next(_mismatches(schema, value, place), None)


def _mismatches(schema: Schema, value: Any, place: str) -> Iterator[str]:
    kinds = [schema["type"]] if isinstance(schema["type"], str) else schema["type"]
    kind = next((kind for kind in kinds if _IS_OF_TYPE[kind](value)), None)
    if kind is None:
        yield f"{place} must be of type {' or '.join(kinds)}"
    elif "enum" in schema and value not in schema["enum"]:
        yield f"{place} must be one of {', '.join(schema['enum'])}"
    elif kind in _CHECKS:
        yield from _CHECKS[kind](schema, value, place)


def _in_string(schema: Schema, value: str, place: str) -> Iterator[str]:
    if not schema.get("minLength", 0) <= len(value) <= schema.get("maxLength", len(value)):
        yield f"{place} must have from {schema['minLength']} to {schema['maxLength']} characters"
    # Python's $ also matches before a line break at the end. That of JSON Schema does not.
    if "pattern" in schema and re.search(schema["pattern"].replace("$", r"\Z"), value) is None:
        yield f"{place} must match {schema['pattern']}"


def _in_number(schema: Schema, value: float, place: str) -> Iterator[str]:
    if not schema["minimum"] <= value <= schema["maximum"]:
        yield f"{place} must be from {schema['minimum']} to {schema['maximum']}"


def _in_array(schema: Schema, value: list[Any], place: str) -> Iterator[str]:
    fewest = schema.get("minItems", 0)
    if not fewest <= len(value) <= schema["maxItems"]:
        yield f"{place} must have from {fewest} to {schema['maxItems']} items"
    for number, item in enumerate(value):
        yield from _mismatches(schema["items"], item, f"{place}[{number}]")


def _in_object(schema: Schema, value: dict[str, Any], place: str) -> Iterator[str]:
    properties = schema["properties"]
    missing = [name for name in schema["required"] if name not in value]
    if missing:
        yield f"{place} lacks {', '.join(missing)}"
    if len(value) < schema.get("minProperties", 0):
        yield f"{place} must have one of the fields {', '.join(properties)}"
    for name, part in value.items():
        if name in properties:
            yield from _mismatches(properties[name], part, f"{place}.{name}")
        else:
            known = ", ".join(properties) or "none"
            yield f"{place} has an unknown field {name[:_SHOWN_CHARS]!r}; the fields are: {known}"


_CHECKS: Final[Mapping[str, Callable[[Schema, Any, str], Iterator[str]]]] = {
    "string": _in_string,
    "integer": _in_number,
    "number": _in_number,
    "array": _in_array,
    "object": _in_object,
}

"""Changes a JSON text at one place, and leaves every other character of it as it is."""

import json
import re
from dataclasses import dataclass
from typing import Any, Final

from telic.domain.errors import InvalidInput

_BLANK: Final = re.compile(r"[ \t\r\n]*")
_INDENT: Final = re.compile(r"\n([ \t]*)\Z")
_DECODER: Final = json.JSONDecoder()


@dataclass(frozen=True, slots=True)
class JsonPart:
    """A member of an object, or an item of a list: its place in the text, from its key on, and its value's."""

    key: str | None
    start: int
    value_start: int
    end: int


def parse(text: str) -> Any:
    """The value of the text.

    Raises:
        InvalidInput: the text is no JSON.
    """
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InvalidInput(f"it is no JSON: {error}") from None


def root(text: str) -> int:
    """Where the text's value begins."""
    return _skip(text, 0)


def parts(text: str, start: int) -> list[JsonPart]:
    """What the object or list that begins there holds, in order. The text must be JSON."""
    found: list[JsonPart] = []
    place = _skip(text, start + 1)
    while text[place] not in "}]":
        key, value_start = None, place
        if text[start] == "{":
            key, after = _DECODER.raw_decode(text, place)
            value_start = _skip(text, _skip(text, after) + 1)
        end = _DECODER.raw_decode(text, value_start)[1]
        found.append(JsonPart(key, place, value_start, end))
        place = _skip(text, end)
        if text[place] == ",":
            place = _skip(text, place + 1)
    return found


def member(text: str, start: int, key: str) -> JsonPart | None:
    """The object's member of this key; the last, as every reader takes it, where there are several."""
    found = [part for part in parts(text, start) if part.key == key]
    return found[-1] if found else None


def _skip(text: str, place: int) -> int:
    match = _BLANK.match(text, place)
    assert match is not None
    return match.end()


def add(text: str, start: int, value: Any, key: str | None = None) -> str:
    """The text with one more part at the end of the object or list that begins there, laid out like its neighbours."""
    held = parts(text, start)
    newline = "\r\n" if "\r\n" in text else "\n"
    unit = _unit(text)
    before = _indent_at(text, held[-1].start) if held else None
    if held and before is None:
        return _insert(text, held[-1].end, held[-1].end, ", " + _dump(value, key, None, ""))
    indent = _indent_of_line(text, start) + unit if before is None else before
    written = _dump(value, key, unit, indent).replace("\n", newline)
    if held:
        return _insert(text, held[-1].end, held[-1].end, f",{newline}{indent}{written}")
    end = _skip(text, start + 1)
    return _insert(text, start + 1, end, f"{newline}{indent}{written}{newline}{_indent_of_line(text, start)}")


def remove(text: str, start: int, number: int) -> str:
    """The text without that part of the object or list that begins there, and without its comma."""
    held = parts(text, start)
    if len(held) == 1:
        return _insert(text, start + 1, _skip(text, held[0].end), "")
    if number > 0:
        return _insert(text, held[number - 1].end, held[number].end, "")
    return _insert(text, held[0].start, held[1].start, "")


def _insert(text: str, start: int, end: int, new: str) -> str:
    return text[:start] + new + text[end:]


def _dump(value: Any, key: str | None, unit: str | None, indent: str) -> str:
    written = json.dumps(value, indent=unit).replace("\n", "\n" + indent)
    return written if key is None else f"{json.dumps(key)}: {written}"


def _indent_at(text: str, place: int) -> str | None:
    """The white space before the place, where nothing else stands on its line."""
    match = _INDENT.search(text[:place])
    return None if match is None else match[1]


def _indent_of_line(text: str, place: int) -> str:
    line = text[text.rfind("\n", 0, place) + 1 : place]
    return line[: len(line) - len(line.lstrip(" \t"))]


def _unit(text: str) -> str:
    """One step of the text's indentation."""
    held = parts(text, root(text))
    return (_indent_at(text, held[0].start) if held else None) or "  "

"""Hooks in a host's settings: `{"hooks": {event: [{"hooks": [{"type": "command", "command": …}]}]}}`.

The text is changed at one place, and every other character of it stays as it is.
"""

import json
import re
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any, Final

from telic.domain.errors import InvalidInput
from telic.loop.agents.json_reader import as_fields

_MODULE: Final = "telic.interfaces.cli"
_MARK: Final = "\ufeff"
_BLANK: Final = re.compile(r"[ \t\r\n]*")
_INDENT: Final = re.compile(r"\n([ \t]*)\Z")
_DECODER: Final = json.JSONDecoder()

Hooks = Mapping[str, int]
"""The seconds that each event's hook may take."""


def with_hooks(text: str, host: str, command: str, hooks: Hooks) -> str:
    """Return the settings with exactly these hooks of Telic's, and all else as it was.

    Raises:
        InvalidInput: the settings are no JSON, or not of this form.
    """
    wanted = {event: [_handler(command, seconds)] for event, seconds in hooks.items()}
    held = telic_handlers(text, host)
    if held == wanted:
        return text
    return with_handlers(without_hooks(text, host) if held else text, wanted)


def with_handlers(text: str, handlers: Mapping[str, list[Any]]) -> str:
    """Return the settings with these handlers besides, each in a group of its own.

    Raises:
        InvalidInput: as `with_hooks`.
    """
    mark, text = _without_mark(text if text.strip(f"{_MARK} \t\r\n") else f"{text}{{}}\n")
    _check(text)
    for event, listed in handlers.items():
        for handler in listed:
            text = _add_group(text, event, {"hooks": [handler]})
    return mark + text


def without_hooks(text: str, host: str) -> str:
    """Return the settings without Telic's hooks for this host, and without what that leaves empty.

    Raises:
        InvalidInput: the settings are no JSON, or not of this form.
    """
    mark, text = _without_mark(text)
    _check(text)
    while True:
        shorter = _without_one(text, host)
        if shorter is None:
            return mark + text
        text = shorter


def _without_mark(text: str) -> tuple[str, str]:
    # Some editors write a mark of byte order before everything, which no JSON reader takes.
    return (_MARK, text.removeprefix(_MARK)) if text.startswith(_MARK) else ("", text)


def _handler(command: str, seconds: int) -> dict[str, Any]:
    return {"type": "command", "command": command, "timeout": seconds}


def _check(text: str) -> None:
    """The settings have the form that the editing relies on."""
    settings = as_fields(_parse(text))
    if settings is None:
        raise InvalidInput("it is no JSON object")
    hooks = settings.get("hooks", {})
    if not isinstance(hooks, dict) or not all(isinstance(groups, list) for groups in hooks.values()):
        raise InvalidInput("its hooks are not lists by event")


def _add_group(text: str, event: str, group: dict[str, Any]) -> str:
    hooks = _member(text, _root(text), "hooks")
    if hooks is None:
        return _add(text, _root(text), {event: [group]}, "hooks")
    groups = _member(text, hooks.value_start, event)
    if groups is None:
        return _add(text, hooks.value_start, [group], event)
    return _add(text, groups.value_start, group)


def telic_handlers(text: str, host: str) -> dict[str, list[Any]]:
    """Telic's handlers by event.

    Raises:
        InvalidInput: as `with_hooks`.
    """
    text = _without_mark(text)[1]
    if not text.strip():
        return {}
    _check(text)
    found: dict[str, list[Any]] = {}
    for event, groups in _parse(text).get("hooks", {}).items():
        for group in groups:
            fields = as_fields(group) or {}
            handlers = fields.get("hooks")
            mine = [each for each in handlers if _is_ours(each, host)] if isinstance(handlers, list) else []
            if mine:
                found.setdefault(event, []).extend(mine)
    return found


def _is_ours(handler: object, host: str) -> bool:
    """Return whether the handler runs `telic hook HOST`, wherever `telic` is and whatever options follow."""
    fields = as_fields(handler)
    command = None if fields is None else fields.get("command")
    try:
        words = shlex.split(command) if isinstance(command, str) else []
    except ValueError:
        return False
    return any(
        words[place : place + 2] == ["hook", host]
        and (PurePath(words[place - 1]).name == "telic" or words[place - 1] == _MODULE)
        for place in range(1, len(words))
    )


def _without_one(text: str, host: str) -> str | None:
    """Return the text without the first handler of ours, or None where there is none."""
    path = next(_paths_to_handlers(text, host), None)
    if path is None:
        return None
    # What held nothing else goes with it, up to the settings themselves.
    for list_start, number in path:
        if len(_parts(text, list_start)) > 1 or (list_start, number) == path[-1]:
            return _remove(text, list_start, number)
    return None


def _paths_to_handlers(text: str, host: str) -> Iterator[list[tuple[int, int]]]:
    """Yield the path to each of Telic's handlers, innermost list first: where a list begins, and the index in it."""
    top = _root(text)
    for key, hooks in enumerate(_parts(text, top)):
        for event, groups in enumerate(_parts(text, hooks.value_start) if hooks.key == "hooks" else ()):
            for number, group in enumerate(_parts(text, groups.value_start)):
                handlers = _member(text, group.value_start, "hooks") if text[group.value_start] == "{" else None
                if handlers is None or text[handlers.value_start] != "[":
                    continue
                for index, handler in enumerate(_parts(text, handlers.value_start)):
                    if _is_ours(_parse(text[handler.value_start : handler.end]), host):
                        steps = (handlers.value_start, index), (groups.value_start, number), (hooks.value_start, event)
                        yield [*steps, (top, key)]


@dataclass(frozen=True, slots=True)
class _JsonPart:
    """A member of an object, or an item of a list: its place in the text, from its key on, and its value's."""

    key: str | None
    start: int
    value_start: int
    end: int


def _parse(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InvalidInput(f"it is no JSON: {error}") from None


def _root(text: str) -> int:
    return _skip(text, 0)


def _parts(text: str, start: int) -> list[_JsonPart]:
    """Return the parts of the object or list that begins there, in order. The text must be JSON."""
    found: list[_JsonPart] = []
    place = _skip(text, start + 1)
    while text[place] not in "}]":
        key, value_start = None, place
        if text[start] == "{":
            key, after = _DECODER.raw_decode(text, place)
            value_start = _skip(text, _skip(text, after) + 1)
        end = _DECODER.raw_decode(text, value_start)[1]
        found.append(_JsonPart(key, place, value_start, end))
        place = _skip(text, end)
        if text[place] == ",":
            place = _skip(text, place + 1)
    return found


def _member(text: str, start: int, key: str) -> _JsonPart | None:
    """The object's member of this key; the last, as every reader takes it, where there are several."""
    found = [part for part in _parts(text, start) if part.key == key]
    return found[-1] if found else None


def _skip(text: str, place: int) -> int:
    match = _BLANK.match(text, place)
    assert match is not None
    return match.end()


def _add(text: str, start: int, value: Any, key: str | None = None) -> str:
    """The text with one more part at the end of the object or list that begins there, laid out like its neighbours."""
    held = _parts(text, start)
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


def _remove(text: str, start: int, number: int) -> str:
    held = _parts(text, start)
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
    held = _parts(text, _root(text))
    return (_indent_at(text, held[0].start) if held else None) or "  "

"""Hooks in a host's settings: `{"hooks": {event: [{"hooks": [{"type": "command", "command": …}]}]}}`."""

import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any, Final

from telic.domain.errors import InvalidInput
from telic.integrations.hosts.json_text import add, member, parse, parts, remove, root
from telic.loop.agents.json_reader import as_fields

_MODULE: Final = "telic.interfaces.cli"
_MARK: Final = "\ufeff"

Hooks = Mapping[str, int]
"""How many seconds each event's hook may take."""


def with_hooks(text: str, host: str, command: str, hooks: Hooks) -> str:
    """The settings with exactly these hooks of Telic's, and all else as it was.

    Raises:
        InvalidInput: the settings are no JSON, or not of this form.
    """
    wanted = {event: [_handler(command, seconds)] for event, seconds in hooks.items()}
    held = ours(text, host)
    if held == wanted:
        return text
    return with_handlers(without_hooks(text, host) if held else text, wanted)


def with_handlers(text: str, handlers: Mapping[str, list[Any]]) -> str:
    """The settings with these handlers besides, each in a group of its own.

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
    """The settings without Telic's hooks for this host, and without what that leaves empty.

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
    """The mark of byte order that some editors write before everything, if it is there, and the rest."""
    return (_MARK, text.removeprefix(_MARK)) if text.startswith(_MARK) else ("", text)


def _handler(command: str, seconds: int) -> dict[str, Any]:
    return {"type": "command", "command": command, "timeout": seconds}


def _check(text: str) -> None:
    """The settings have the form that the editing relies on."""
    settings = as_fields(parse(text))
    if settings is None:
        raise InvalidInput("it is no JSON object")
    hooks = settings.get("hooks", {})
    if not isinstance(hooks, dict) or not all(isinstance(groups, list) for groups in hooks.values()):
        raise InvalidInput("its hooks are not lists by event")


def _add_group(text: str, event: str, group: dict[str, Any]) -> str:
    hooks = member(text, root(text), "hooks")
    if hooks is None:
        return add(text, root(text), {event: [group]}, "hooks")
    groups = member(text, hooks.value_start, event)
    if groups is None:
        return add(text, hooks.value_start, [group], event)
    return add(text, groups.value_start, group)


def ours(text: str, host: str) -> dict[str, list[Any]]:
    """Telic's handlers by event.

    Raises:
        InvalidInput: as `with_hooks`.
    """
    text = _without_mark(text)[1]
    if not text.strip():
        return {}
    _check(text)
    found: dict[str, list[Any]] = {}
    for event, groups in parse(text).get("hooks", {}).items():
        for group in groups:
            fields = as_fields(group) or {}
            handlers = fields.get("hooks")
            mine = [each for each in handlers if is_ours(each, host)] if isinstance(handlers, list) else []
            if mine:
                found.setdefault(event, []).extend(mine)
    return found


def is_ours(handler: object, host: str) -> bool:
    """Whether the handler runs `telic hook HOST`, wherever `telic` is and whatever options follow."""
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


@dataclass(frozen=True, slots=True)
class _JsonStep:
    """A part on the way to a handler: what holds it, and which one it is."""

    holder: int
    number: int


def _without_one(text: str, host: str) -> str | None:
    """The text without the first handler of ours, or None where there is none."""
    path = _first_of_ours(text, host)
    if path is None:
        return None
    # What held nothing else goes with it, up to the settings themselves.
    for step in path:
        is_alone = len(parts(text, step.holder)) == 1
        if not is_alone or step is path[-1]:
            return remove(text, step.holder, step.number)
    return None


def _first_of_ours(text: str, host: str) -> list[_JsonStep] | None:
    """The way to the first handler of ours, from the handler's list up to the settings."""
    for number, part in enumerate(parts(text, root(text))):
        if part.key != "hooks":
            continue
        found = _in_events(text, part.value_start, host)
        if found is not None:
            return [*found, _JsonStep(root(text), number)]
    return None


def _in_events(text: str, hooks: int, host: str) -> list[_JsonStep] | None:
    for event_number, event in enumerate(parts(text, hooks)):
        for group_number, group in enumerate(parts(text, event.value_start)):
            found = _in_group(text, group.value_start, host)
            if found is not None:
                return [found, _JsonStep(event.value_start, group_number), _JsonStep(hooks, event_number)]
    return None


def _in_group(text: str, group: int, host: str) -> _JsonStep | None:
    handlers = member(text, group, "hooks") if text[group] == "{" else None
    if handlers is None or text[handlers.value_start] != "[":
        return None
    for number, handler in enumerate(parts(text, handlers.value_start)):
        if is_ours(parse(text[handler.value_start : handler.end]), host):
            return _JsonStep(handlers.value_start, number)
    return None

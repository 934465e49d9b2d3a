"""The reference of the Python API, drawn from signatures and docstrings."""

import enum
import inspect
import re
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import import_module

from telic.store.async_store import AsyncGoalStore


@dataclass(frozen=True)
class Chapter:
    """A public module, and what it is for."""

    module: str
    about: str


CHAPTERS = (
    Chapter("telic", "What most programs need."),
    Chapter("telic.types", "The values that calls take and return."),
    Chapter("telic.prompt", "What a model reads of a goal."),
    Chapter("telic.loop.agents", "Agents that a loop drives."),
    Chapter("telic.observe", "Watching stores and loops: log lines, OpenTelemetry, observers of your own."),
    Chapter("telic.testing", "For your tests, and for authors of backends."),
)
_PACKAGE = re.compile(r"\b(?:telic|datetime|decimal|pathlib|collections\.abc|typing)(?:\.[a-z_]+)*\.(?=_?[A-Z])")
_ENTRY = re.compile(r"^    (\S[^:]*): (.*(?:\n {6,}.*)*)", re.MULTILINE)


def api_reference() -> str:
    """Return the page: every public name once, under the first module that has it."""
    lines = ["# The Python API", "", "Drawn from the code. Errors have [a page of their own](errors.md).", ""]
    shown: set[int] = set()
    for chapter in CHAPTERS:
        lines += [f"## {chapter.module}", "", chapter.about, ""]
        module = import_module(chapter.module)
        for name in sorted(module.__all__, key=str.lower):
            value = getattr(module, name)
            if id(value) not in shown and not _is_error(value):
                lines += _entry(name, value)
            shown.add(id(value))
    return "\n".join(lines)


def _is_error(value: object) -> bool:
    return inspect.isclass(value) and issubclass(value, Exception)


def _entry(name: str, value: object) -> Iterator[str]:
    """Yield the lines about one name."""
    if inspect.ismodule(value):
        return
    yield from (f"### {name}", "")
    if inspect.isclass(value):
        yield from _class(name, value)
    elif inspect.isroutine(value):
        yield from _function(name, value)
    else:
        yield from (_plain(value), "")


def _plain(value: object) -> str:
    """Return one line about a value that is neither a class nor a function."""
    named = getattr(value, "__supertype__", None)
    if named is not None:
        return f"A name for `{named.__name__}`."
    return f"`{value!r}`" if isinstance(value, str | int | float) else f"An instance of `{type(value).__name__}`."


def _class(name: str, kind: type) -> Iterator[str]:
    if issubclass(kind, enum.Enum):
        yield from (_text(kind), "", ", ".join(f"`{member.value}`" for member in kind), "")
        return
    if "__init__" in vars(kind):
        yield from _code(f"{name}{_signature(kind)}")
    yield from (_text(kind), "")
    if kind is AsyncGoalStore:
        yield from ("Its methods are those of `GoalStore`, awaited.", "")
        return
    for member, value in sorted(_members(kind)):
        yield from _member(name, member, value)


def _members(kind: type) -> Iterator[tuple[str, object]]:
    """Yield the public methods and properties that the class has, its bases of ours included."""
    for name in dir(kind):
        value = inspect.getattr_static(kind, name)
        function = value.__func__ if isinstance(value, classmethod | staticmethod) else value
        if not name.startswith("_") and (inspect.isfunction(function) or isinstance(function, property)):
            yield name, function


def _member(owner: str, name: str, value: object) -> Iterator[str]:
    if isinstance(value, property):
        yield from (f"**`{owner}.{name}`**: {_text(value)}", "")
    else:
        yield from (f"#### {owner}.{name}", "", *_function(name, value))


def _function(name: str, value: object) -> Iterator[str]:
    yield from _code(f"{name}{_signature(value)}")
    yield from (_text(value), "")


def _code(line: str) -> tuple[str, ...]:
    return ("```text", line, "```", "")


def _signature(value: object) -> str:
    """Return the signature as one line, without `self`, packages, and the quotes of names."""
    signature = inspect.signature(value)  # type: ignore[arg-type]
    own = [
        parameter.replace(default=_Shown(parameter.default)) if parameter.default is not parameter.empty else parameter
        for parameter in signature.parameters.values()
        if parameter.name not in {"self", "cls"}
    ]
    return _PACKAGE.sub("", str(signature.replace(parameters=own))).replace("'", "")


class _Shown:
    """A default as a reader wants to see it."""

    def __init__(self, value: object) -> None:
        self._value = value

    def __repr__(self) -> str:
        if isinstance(self._value, enum.Enum):
            return f"{type(self._value).__name__}.{self._value.name}"
        if isinstance(self._value, str):
            return f'"{self._value}"'
        is_plain = self._value is None or isinstance(self._value, int | float | tuple)
        return repr(self._value) if is_plain else "…"


def _text(value: object) -> str:
    """Return the docstring in Markdown: a list of what is raised, where it says so."""
    text = inspect.getdoc(value) or ""
    head, _, rest = text.partition("\nRaises:\n")
    if not rest:
        return head
    raised = (f"- `{names}`: {' '.join(why.split())}" for names, why in _ENTRY.findall(rest))
    return "\n".join([head.rstrip(), "", "Raises:", "", *raised])

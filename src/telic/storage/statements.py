"""Reads the SQL files: lays a dialect's statements over the common ones and fills in fragments."""

import re
from pathlib import Path
from typing import Final

SQL_FOLDER: Final = Path(__file__).parent / "sql"

_HEADER = re.compile(r"-- (fragment|statement): (\S+)")
_REFERENCE = re.compile(r"\{(\w+)\}")
_PARAMETER = re.compile(r":(\w+)")


def load_statements(dialect: str) -> dict[str, str]:
    """Every named statement of the dialect, complete, with `:name` parameters.

    Raises:
        KeyError: a statement names a fragment that no file has.
    """
    parts: dict[str, dict[str, str]] = {"fragment": {}, "statement": {}}
    for name in ("common", dialect):
        for kind, part, text in _read(SQL_FOLDER / f"{name}.sql"):
            parts[kind][part] = text
    return {name: _fill(text, parts["fragment"]) for name, text in parts["statement"].items()}


def _read(path: Path) -> list[tuple[str, str, str]]:
    found: list[tuple[str, str, list[str]]] = []
    for line in path.read_text(encoding="utf-8").splitlines():
        header = _HEADER.match(line)
        if header:
            found.append((header[1], header[2], []))
        elif found and line.strip() and not line.startswith("--"):
            found[-1][2].append(line.strip())
    return [(kind, name, " ".join(lines)) for kind, name, lines in found]


def _fill(text: str, fragments: dict[str, str]) -> str:
    while _REFERENCE.search(text):
        text = _REFERENCE.sub(lambda reference: fragments[reference[1]], text)
    return text


def parameter_names(statement: str) -> tuple[str, ...]:
    """The statement's parameters, each once, in the order of their first use."""
    return tuple(dict.fromkeys(_PARAMETER.findall(statement)))


def number_parameters(statement: str, sign: str = "$") -> str:
    """The statement with `$1`, `$2`, … in the order of `parameter_names`; SQLite's sign is `?`."""
    numbers = {name: f"{sign}{index}" for index, name in enumerate(parameter_names(statement), 1)}
    return _PARAMETER.sub(lambda parameter: numbers[parameter[1]], statement)

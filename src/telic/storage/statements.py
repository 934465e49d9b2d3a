"""The SQL files: a dialect's statements, laid over the common ones, and its numbered migrations."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from telic.domain.errors import SchemaMismatch
from telic.domain.report import Finding, make_finding

SQL_FOLDER: Final = Path(__file__).parent / "sql"

_SHOWN: Final = 5
_HEADER = re.compile(r"-- (fragment|statement): (\S+)")
_REFERENCE = re.compile(r"\{(\w+)\}")
_PARAMETER = re.compile(r":(\w+)")


def load_statements(dialect: str) -> dict[str, str]:
    """Return every named statement of the dialect, complete, with `:name` parameters."""
    parts: dict[str, dict[str, str]] = {"fragment": {}, "statement": {}}
    for name in ("common", dialect):
        for kind, part, text in _read(SQL_FOLDER / f"{name}.sql"):
            parts[kind][part] = text
    found = parts["statement"]
    for name in found:
        # A fragment may name others.
        while _REFERENCE.search(found[name]):
            found[name] = _REFERENCE.sub(lambda reference: parts["fragment"][reference[1]], found[name])
    return found


def _read(path: Path) -> list[tuple[str, str, str]]:
    found: list[tuple[str, str, list[str]]] = []
    for line in path.read_text(encoding="utf-8").splitlines():
        header = _HEADER.match(line)
        if header:
            found.append((header[1], header[2], []))
        elif found and line.strip() and not line.startswith("--"):
            found[-1][2].append(line.strip())
    return [(kind, name, " ".join(lines)) for kind, name, lines in found]


def parameter_names(statement: str) -> tuple[str, ...]:
    """Return the statement's parameters, each once, in the order of their first use."""
    return tuple(dict.fromkeys(_PARAMETER.findall(statement)))


def number_parameters(statement: str, sign: str = "$") -> str:
    """Return the statement with `$1`, `$2`, … in the order of `parameter_names`; SQLite's sign is `?`."""
    numbers = {name: f"{sign}{index}" for index, name in enumerate(parameter_names(statement), 1)}
    return _PARAMETER.sub(lambda parameter: numbers[parameter[1]], statement)


@dataclass(frozen=True, slots=True)
class Migration:
    """One numbered file: a script that runs in one transaction and raises the schema to its version."""

    version: int
    script: str


def load_migrations(dialect: str) -> list[Migration]:
    """Return the dialect's migrations in order."""
    files = sorted((SQL_FOLDER / "migrations" / dialect).glob("*.sql"))
    return [Migration(int(file.name.split("_")[0]), file.read_text(encoding="utf-8")) for file in files]


def newest_version(dialect: str) -> int:
    """Return the schema version that this release makes."""
    return load_migrations(dialect)[-1].version


def schema_finding(strange: Iterable[str]) -> Finding:
    """Return the finding on a schema in which these things are not as the migrations make them."""
    names = sorted(strange)
    return make_finding(
        "schema",
        not names,
        f"differs in: {', '.join(names[:_SHOWN])}" if names else "as this release makes it",
        "Export the goals and import them into a new store.",
    )


def require_version(version: int, known: int) -> None:
    """Raise SchemaMismatch where another release has changed the open database's schema."""
    if version != known:
        raise SchemaMismatch(
            f"another release of Telic has changed the database from schema version {known} to {version}:"
            " start this process again with that release"
        )


def pending(dialect: str, current_version: int) -> list[Migration]:
    """Return the migrations that a database at `current_version` (0 when empty) still needs, in order.

    Raise SchemaMismatch if the database is newer than this release.
    """
    newest = newest_version(dialect)
    if current_version > newest:
        raise SchemaMismatch(
            f"the database has schema version {current_version}, this Telic knows {newest}: upgrade Telic"
        )
    return load_migrations(dialect)[current_version:]

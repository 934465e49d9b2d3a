"""Numbered migrations: which there are, and which a database still needs."""

from dataclasses import dataclass

from telic.domain.errors import SchemaMismatch
from telic.storage.statements import SQL_FOLDER


@dataclass(frozen=True, slots=True)
class Migration:
    """One numbered file: a script that runs in one transaction and raises the schema to its version."""

    version: int
    script: str


def load_migrations(dialect: str) -> list[Migration]:
    """The dialect's migrations in order."""
    files = sorted((SQL_FOLDER / "migrations" / dialect).glob("*.sql"))
    return [Migration(int(file.name.split("_")[0]), file.read_text(encoding="utf-8")) for file in files]


def newest_version(dialect: str) -> int:
    """Return the schema version that this release makes."""
    return load_migrations(dialect)[-1].version


def require_version(version: int, known: int) -> None:
    """Raise SchemaMismatch where another release has changed the open database's schema."""
    if version != known:
        raise SchemaMismatch(
            f"another release of Telic has changed the database from schema version {known} to {version}:"
            " start this process again with that release"
        )


def pending(dialect: str, current_version: int) -> list[Migration]:
    """The migrations that a database at `current_version` (0 when empty) still needs, in order.

    Raises:
        SchemaMismatch: the database is newer than this release.
    """
    newest = newest_version(dialect)
    if current_version > newest:
        raise SchemaMismatch(
            f"the database has schema version {current_version}, this Telic knows {newest}: upgrade Telic"
        )
    return load_migrations(dialect)[current_version:]

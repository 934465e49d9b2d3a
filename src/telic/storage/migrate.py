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


def pending(dialect: str, current_version: int) -> list[Migration]:
    """The migrations that a database at `current_version` (0 when empty) still needs, in order.

    Raises:
        SchemaMismatch: the database is newer than this release.
    """
    migrations = load_migrations(dialect)
    newest = migrations[-1].version
    if current_version > newest:
        raise SchemaMismatch(
            f"the database has schema version {current_version}, this Telic knows {newest}: upgrade Telic"
        )
    return migrations[current_version:]

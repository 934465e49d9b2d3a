"""Changes behind Telic's back, as an operator with a database shell could make them."""

from typing import Any

import apsw
import psycopg


def execute(location: str, *statements: str) -> list[Any]:
    """The rows of the last statement; column checks and references are not enforced."""
    if location.startswith("postgresql"):
        return _execute_on_postgres(location, statements)
    connection = apsw.Connection(location)
    connection.execute("PRAGMA ignore_check_constraints = ON")
    try:
        return [list(connection.execute(statement)) for statement in statements][-1]
    finally:
        connection.close()


def _execute_on_postgres(location: str, statements: tuple[str, ...]) -> list[Any]:
    rows: list[Any] = []
    with psycopg.connect(location, autocommit=True) as connection:
        connection.execute(b"SET lock_timeout = '500ms'")
        connection.execute(b"SET session_replication_role = replica")
        for statement in statements:
            cursor = connection.execute(statement.encode())
            rows = cursor.fetchall() if cursor.description else []
    return rows


def drop_checks(location: str, table: str) -> None:
    """The table's CHECK constraints are gone; SQLite's are switched off by `execute` itself."""
    if location.startswith("postgresql"):
        names = execute(
            location, f"SELECT conname FROM pg_constraint WHERE contype = 'c' AND conrelid = '{table}'::regclass"
        )
        for (name,) in names:
            execute(location, f"ALTER TABLE {table} DROP CONSTRAINT {name}")

"""What a PostgreSQL store's schema and the server's settings really are."""

from typing import Any, Final

import psycopg

from telic.domain.findings import Finding, Level, make_finding
from telic.storage.statements import load_migrations

_SHOWN: Final = 5
_SCRATCH: Final = "telic_doctor"

_COLUMNS: Final = """
SELECT 'column ' || table_name || '.' || column_name, concat_ws(' ', data_type, is_nullable, collation_name)
FROM information_schema.columns WHERE table_schema = %(schema)s AND table_name = ANY(%(tables)s)
"""
_INDEXES: Final = """
SELECT 'index ' || indexname, replace(indexdef, ' ON ' || quote_ident(schemaname) || '.', ' ON ')
FROM pg_indexes WHERE schemaname = %(schema)s AND tablename = ANY(%(tables)s)
"""
_CONSTRAINTS: Final = """
SELECT 'constraint ' || conname, replace(pg_get_constraintdef(oid), quote_ident(%(schema)s) || '.', '')
FROM pg_constraint WHERE connamespace = %(schema)s::regnamespace AND contype <> 'n'
    AND conrelid IN (SELECT oid FROM pg_class WHERE relname = ANY(%(tables)s))
"""
_UNLOGGED: Final = """
SELECT relname FROM pg_class
WHERE relnamespace = %(schema)s::regnamespace AND relname = ANY(%(tables)s) AND relpersistence <> 'p'
"""
_TABLES: Final = ("goals", "turns", "events", "holds", "store_identity", "loop_states")


def inspect_server(connection: psycopg.Connection[Any]) -> list[Finding]:
    """The findings on one open database."""
    return [
        _schema(connection),
        *_durability(connection),
        _logged(connection),
        *_timeline(connection),
        _replicas(connection),
    ]


def _schema(connection: psycopg.Connection[Any]) -> Finding:
    try:
        wanted, actual = _expected_definitions(connection), _definitions(connection, _home(connection))
    except psycopg.errors.InsufficientPrivilege:
        advice = "Run the check as a user that may create schemas."
        return Finding("schema", Level.WARNING, "could not be compared: the user may not create a schema", advice)
    strange = sorted(name for name, definition in wanted.items() if actual.get(name) != definition)
    return make_finding(
        "schema",
        not strange,
        f"differs in: {', '.join(strange[:_SHOWN])}" if strange else "as this release makes it",
        "Export the goals and import them into a new store.",
    )


def _home(connection: psycopg.Connection[Any]) -> str:
    query = "SELECT relnamespace::regnamespace::text FROM pg_class WHERE oid = to_regclass('goals')"
    return str(_value(connection, query))


def _expected_definitions(connection: psycopg.Connection[Any]) -> dict[str, str]:
    """What the migrations make, made in a scratch schema that is rolled back."""
    with connection.transaction(force_rollback=True):
        connection.execute(f"CREATE SCHEMA {_SCRATCH}".encode())
        connection.execute(f"SET LOCAL search_path = {_SCRATCH}".encode())
        for migration in load_migrations("postgres"):
            connection.execute(migration.script.encode())
        return _definitions(connection, _SCRATCH)


def _definitions(connection: psycopg.Connection[Any], schema: str) -> dict[str, str]:
    parameters = {"schema": schema, "tables": list(_TABLES)}
    found: dict[str, str] = {}
    for query in (_COLUMNS, _INDEXES, _CONSTRAINTS):
        found |= dict(connection.execute(query.encode(), parameters).fetchall())
    return found


def _durability(connection: psycopg.Connection[Any]) -> list[Finding]:
    settings = {
        name: str(_value(connection, f"SHOW {name}")) for name in ("fsync", "full_page_writes", "synchronous_commit")
    }
    is_safe = settings["fsync"] == settings["full_page_writes"] == "on"
    return [
        make_finding(
            "server durability",
            is_safe,
            f"fsync={settings['fsync']}, full_page_writes={settings['full_page_writes']}",
            "A power cut can lose or corrupt the whole database: set both to on in postgresql.conf.",
            level=Level.WARNING,
        ),
        make_finding(
            "commit durability",
            settings["synchronous_commit"] != "off",
            f"synchronous_commit={settings['synchronous_commit']}",
            "A crash can lose the last acknowledged writes: set synchronous_commit to on, or open with FULL.",
            level=Level.WARNING,
        ),
    ]


def _logged(connection: psycopg.Connection[Any]) -> Finding:
    """A table outside the write-ahead log is emptied by a crash, and is not on any replica."""
    rows = connection.execute(_UNLOGGED.encode(), {"schema": _home(connection), "tables": list(_TABLES)}).fetchall()
    names = ", ".join(sorted(str(name) for (name,) in rows))
    return make_finding(
        "logged tables",
        not rows,
        f"not in the write-ahead log: {names}" if rows else "every table is in the write-ahead log",
        "A crash empties them: ALTER TABLE name SET LOGGED.",
    )


def _replicas(connection: psycopg.Connection[Any]) -> Finding:
    standbys = str(_value(connection, "SHOW synchronous_standby_names"))
    commit = str(_value(connection, "SHOW synchronous_commit"))
    count = int(_value(connection, "SELECT count(*) FROM pg_stat_replication"))
    if standbys and commit not in ("off", "local"):
        return Finding("failover", Level.OK, f"synchronous standbys: {standbys}")
    why = f"synchronous_commit={commit} waits for none" if standbys else "no synchronous standby"
    return make_finding(
        "failover",
        not count,
        f"{count} replica(s), {why}: a failover may lose acknowledged writes" if count else f"no replica seen; {why}",
        "Set synchronous_standby_names, or synchronous_mode in Patroni.",
        level=Level.WARNING,
    )


def _timeline(connection: psycopg.Connection[Any]) -> list[Finding]:
    """Return how often a failover, or a recovery to an earlier moment, cut the history; nothing where it is hidden."""
    if not _value(connection, "SELECT has_function_privilege('pg_control_checkpoint()', 'execute')"):
        return []
    cuts = int(_value(connection, "SELECT timeline_id FROM pg_control_checkpoint()")) - 1
    message = (
        f"cut {cuts} time(s), by a failover or a recovery to an earlier moment: what it lost is gone, and cursors"
        " that saw it are refused"
    )
    return [Finding("history of the server", Level.OK, message if cuts else "never cut")]


def _value(connection: psycopg.Connection[Any], query: str) -> Any:
    row = connection.execute(query.encode()).fetchone()
    return None if row is None else row[0]

"""The schema of a PostgreSQL database: made and kept at the newest version, and compared with what it should be.

Also the place where the database is: the feed counts by its server's transactions, and so do cursors.
"""

import re
from functools import partial
from typing import Any, Final

import psycopg

from telic.domain.errors import SchemaMismatch, StoreMisconfigured
from telic.domain.report import Finding, Level, make_finding
from telic.storage.statements import load_migrations, newest_version, pending, schema_finding

OLDEST_POSTGRES: Final = 14
MIGRATION_LOCK: Final = 0x7E11C
_MIGRATION_SECONDS: Final = 3600
_WITH: Final = "WITH "
_WRITES: Final = re.compile(r"\b(INSERT|UPDATE|DELETE)\b")
_warn_unless: Final = partial(make_finding, level=Level.WARNING)
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

_RENAME: Final = b"""
WITH feed AS (
    SELECT coalesce((SELECT transaction_id FROM events ORDER BY transaction_id DESC LIMIT 1)
        >= pg_snapshot_xmax(pg_current_snapshot()), false) AS is_ahead
)
UPDATE store_identity SET place = %(place)s,
    id = CASE WHEN place = '' AND NOT is_ahead THEN id ELSE replace(gen_random_uuid()::text, '-', '') END
FROM feed WHERE place <> %(place)s OR is_ahead
"""
_COUNT_AS_OLDEST: Final = b"""
UPDATE events SET transaction_id = '1' WHERE transaction_id >= pg_snapshot_xmax(pg_current_snapshot())
"""


_DATABASE: Final = b"""
SELECT oid::text, has_function_privilege('pg_control_system()', 'execute')
FROM pg_database WHERE datname = current_database()
"""
_SERVER: Final = b"SELECT system_identifier::text FROM pg_control_system()"


def migrate(connection: psycopg.Connection[Any], *, lock_milliseconds: int) -> None:
    """The open database is at the newest schema."""
    with connection.transaction():
        # Others may be migrating now; and a large database takes longer than any other statement may.
        connection.execute(f"SET LOCAL lock_timeout = {lock_milliseconds}".encode())
        connection.execute("SELECT pg_advisory_xact_lock(%s)", (MIGRATION_LOCK,))
        connection.execute(f"SET LOCAL statement_timeout = {_MIGRATION_SECONDS * 1000}".encode())
        connection.execute("CREATE TABLE IF NOT EXISTS schema_version (version BIGINT PRIMARY KEY)")
        if version(connection) == 0 and _has_table(connection, "goals"):
            raise SchemaMismatch("the database has a table named goals that Telic did not make")
        for migration in pending("postgres", version(connection)):
            connection.execute(migration.script.encode())
            connection.execute("INSERT INTO schema_version VALUES (%s)", (migration.version,))
            connection.execute(f"DROP VIEW IF EXISTS {_guard(migration.version - 1)}".encode())
            connection.execute(f"CREATE VIEW {_guard(migration.version)} AS SELECT 1 AS current".encode())


def _guard(version: int) -> str:
    # The name of a view that only a database of this schema version has (ADR 23).
    return f"telic_schema_{version}"


def guarded(statement: str) -> str:
    """Return the statement so that it fails once another release has migrated the database, if it writes.

    Naming the view is enough: nothing of it is computed, and no round trip is added. It also takes the view's lock, so
    a migration waits for the transactions that have written, and those that come later see what it did.
    """
    if not _WRITES.search(statement):
        return statement
    guard = " ".join(("WITH of_this_schema AS (SELECT current FROM", _guard(newest_version("postgres")), ")"))
    return f"{guard}, {statement[len(_WITH) :]}" if statement.startswith(_WITH) else f"{guard} {statement}"


def check_server(connection: psycopg.Connection[Any]) -> None:
    """Raise StoreMisconfigured if the server is too old, or the database has another encoding than UTF8."""
    if connection.info.server_version < OLDEST_POSTGRES * 10_000:
        raise StoreMisconfigured(f"Telic needs PostgreSQL {OLDEST_POSTGRES} or newer")
    if connection.info.parameter_status("server_encoding") != "UTF8":
        raise StoreMisconfigured("the PostgreSQL database must have the encoding UTF8")


def version(connection: psycopg.Connection[Any]) -> int:
    """Return the database's schema version, 0 where it is empty."""
    if not _has_table(connection, "schema_version"):
        return 0
    row = connection.execute("SELECT coalesce(max(version), 0) FROM schema_version").fetchone()
    assert row is not None
    return int(row[0])


def _has_table(connection: psycopg.Connection[Any], name: str) -> bool:
    row = connection.execute("SELECT to_regclass(%s) IS NOT NULL", (name,)).fetchone()
    return row is not None and bool(row[0])


def keep_place(connection: psycopg.Connection[Any]) -> None:
    """A database that was restored or copied from elsewhere has a new name, so that no cursor from there counts here.

    Its events carry that server's transactions' numbers: those that this one has not reached count as the oldest.
    """
    # The server and the database, as far as the user may know; a promoted replica is the same server.
    database, may_ask = connection.execute(_DATABASE).fetchone() or ("", False)
    (server,) = (connection.execute(_SERVER).fetchone() if may_ask else None) or ("",)
    with connection.transaction():
        if connection.execute(_RENAME, {"place": f"{server}/{database}"}).rowcount:
            connection.execute(_COUNT_AS_OLDEST)


def inspect_server(connection: psycopg.Connection[Any]) -> list[Finding]:
    """Return the findings on one open database."""
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
    return schema_finding(name for name, definition in wanted.items() if actual.get(name) != definition)


def _home(connection: psycopg.Connection[Any]) -> str:
    query = "SELECT relnamespace::regnamespace::text FROM pg_class WHERE oid = to_regclass('goals')"
    return str(_value(connection, query))


def _expected_definitions(connection: psycopg.Connection[Any]) -> dict[str, str]:
    # In a scratch schema, which is rolled back.
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
        _warn_unless(
            "server durability",
            is_safe,
            f"fsync={settings['fsync']}, full_page_writes={settings['full_page_writes']}",
            "A power cut can lose or corrupt the whole database: set both to on in postgresql.conf.",
        ),
        _warn_unless(
            "commit durability",
            settings["synchronous_commit"] != "off",
            f"synchronous_commit={settings['synchronous_commit']}",
            "A crash can lose the last acknowledged writes: set synchronous_commit to on, or open with FULL.",
        ),
    ]


def _logged(connection: psycopg.Connection[Any]) -> Finding:
    # A table outside the write-ahead log is emptied by a crash, and is not on any replica.
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
    return _warn_unless(
        "failover",
        not count,
        f"{count} replica(s), {why}: a failover may lose acknowledged writes" if count else f"no replica seen; {why}",
        "Set synchronous_standby_names, or synchronous_mode in Patroni.",
    )


def _timeline(connection: psycopg.Connection[Any]) -> list[Finding]:
    # Each failover, or recovery to an earlier moment, began a timeline. Not every user may know its number.
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

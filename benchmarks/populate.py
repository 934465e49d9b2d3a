"""Databases filled by bulk SQL that SQLite and PostgreSQL both accept. The hashes are fake: nothing reads them."""

import contextlib
import hashlib
import random
from pathlib import Path
from typing import Final

import apsw
import psycopg

import telic
from benchmarks.hot import Goals
from telic.storage.statements import SQL_FOLDER

TURNS_PER_GOAL: Final = 5
_HASH: Final = hashlib.sha256(b"").hexdigest()
_AT: Final = 1_760_000_000_000_000
_NUMBERS: Final = "WITH RECURSIVE numbers(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < {goals})"

SCOPE: Final = "'scope-' || CAST(100000000000 + n AS TEXT)"

UUID: Final = "'01999999-0000-7000-8000-' || CAST(100000000000 + n AS TEXT)"
"""Goal ids of the usual shape."""

NUMERIC: Final = "CAST(1000000000000000000 + n AS TEXT)"
"""Goal ids that pgbench, which computes only numbers, can make."""

FIRST_NUMERIC_ID: Final = 1_000_000_000_000_000_001

_GOALS: Final = f"""
INSERT INTO goals (id, scope, text, criteria, status, revision, turns_used, ledger_count, tokens_used,
    input_tokens_used, cached_input_tokens_used, output_tokens_used, reasoning_tokens_used, active_microseconds_used,
    cost_microunits_used, token_budget, created_at, changed_at, creation_key, event_count, event_hash, turn_hash)
{_NUMBERS}
SELECT {{id}}, {SCOPE}, 'Move billing to the new API, part ' || CAST(n AS TEXT),
    '[]', 'active', 1, {TURNS_PER_GOAL}, {TURNS_PER_GOAL}, {TURNS_PER_GOAL * 1500}, 0, 0, 0, 0, 0, 0, 1000000000000,
    {_AT}, {_AT}, 'create-' || CAST(n AS TEXT), 1, '{_HASH}', '{_HASH}'
FROM numbers
"""

_TURNS: Final = f"""
INSERT INTO turns (goal_id, number, key, at, tokens, input_tokens, cached_input_tokens, output_tokens,
    reasoning_tokens, active_microseconds, cost_microunits, hash)
{_NUMBERS}, turn(number) AS (SELECT 1 UNION ALL SELECT number + 1 FROM turn WHERE number < {TURNS_PER_GOAL})
SELECT {{id}}, number, 'run-2025-11-24/turn-' || CAST(number AS TEXT), {_AT}, 1500, 0, 0, 0, 0, 0, 0, '{_HASH}'
FROM numbers CROSS JOIN turn ORDER BY n, number
"""

_EVENTS: Final = f"""
INSERT INTO events (goal_id, number, revision, kind, actor, at, key, data, hash)
{_NUMBERS}
SELECT {{id}}, 1, 1, 'created', 'user', {_AT}, 'create-' || CAST(n AS TEXT), '{{{{}}}}', '{_HASH}'
FROM numbers ORDER BY n
"""


def populate_sqlite(path: Path, goals: int, id_expression: str = UUID) -> None:
    """A new store at the path has this many active goals, each in a scope of its own, with five turns each."""
    telic.connect(path).close()
    connection = apsw.Connection(str(path))
    connection.pragma("journal_mode", "off")
    connection.pragma("synchronous", "off")
    connection.pragma("cache_size", -1_000_000)
    for statement in (_GOALS, _TURNS, _EVENTS):
        connection.execute(statement.format(goals=goals, id=id_expression))
    connection.pragma("synchronous", "full")
    connection.pragma("journal_mode", "wal")
    connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)
    connection.close()


def populate_postgres(url: str, goals: int, id_expression: str = UUID) -> None:
    """As `populate_sqlite`, in the empty database at the URL; vacuumed and analysed."""
    telic.connect(url).close()
    with contextlib.closing(psycopg.connect(url, autocommit=True)) as connection:
        for statement in (_GOALS, _TURNS, _EVENTS):
            connection.execute(statement.format(goals=goals, id=id_expression).encode())
        connection.execute("VACUUM ANALYZE")
        connection.execute("CHECKPOINT")


_SPREAD: Final = """
SELECT id, scope FROM goals WHERE status = 'active' AND sequence % {step} = {offset} ORDER BY sequence LIMIT {count}
"""


def goals_of_sqlite(path: Path, count: int, step: int = 1, offset: int = 0) -> Goals:
    """Active goals, one in `step`, in random but repeatable order."""
    connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
    rows = connection.execute(_SPREAD.format(step=step, offset=offset, count=count)).fetchall()
    connection.close()
    return _shuffled(rows)


def goals_of_postgres(url: str, count: int, step: int = 1, offset: int = 0) -> Goals:
    """As `goals_of_sqlite`."""
    with contextlib.closing(psycopg.connect(url)) as connection:
        rows = connection.execute(_SPREAD.format(step=step, offset=offset, count=count).encode()).fetchall()
    return _shuffled(rows)


def _shuffled(rows: list[tuple[str, str]]) -> Goals:
    random.Random(1).shuffle(rows)
    return rows


def schema_digest(dialect: str) -> str:
    """A name for the schema and for what is put into it, so that a stored database of another one is not used."""
    scripts = [file.read_text() for file in sorted((SQL_FOLDER / "migrations" / dialect).glob("*.sql"))]
    return hashlib.sha256("".join([*scripts, _GOALS, _TURNS, _EVENTS]).encode()).hexdigest()[:8]

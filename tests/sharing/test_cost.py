"""What a worker asks for over and over costs the same whether a store holds few goals or many."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import apsw
import psycopg
import pytest

import telic
from telic.storage.statements import load_statements, number_parameters, parameter_names
from tests.support.raw import execute

FEW, MANY = 300, 20_000
LIMIT = 5
NOW = 1_700_000_000_000_000
NUMBERS = "WITH RECURSIVE numbers(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < {count})"
FILL = (
    """INSERT INTO goals (id, scope, text, criteria, status, reason, revision, turns_used, tokens_used,
        input_tokens_used, cached_input_tokens_used, output_tokens_used, reasoning_tokens_used,
        active_microseconds_used, cost_microunits_used, created_at, changed_at, creation_key, event_count,
        event_hash, turn_hash, wake_at, wake_signal)
    {numbers}
    SELECT 'goal-' || n, 'scope-' || n, 'text', '[]', CASE n % 2 WHEN 0 THEN 'active' ELSE 'paused' END,
        CASE n % 2 WHEN 1 THEN 'waiting' END, 1, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 'key', 2, 'hash', '',
        CASE n % 2 WHEN 1 THEN {now} + n - {count} / 2 END, CASE n % 2 WHEN 1 THEN 'signal-' || (n % 40) END
    FROM numbers""",
    """INSERT INTO events (goal_id, number, revision, kind, actor, at, key, data, hash)
    {numbers} SELECT 'goal-' || n, 1, 1, 'created', 'user', 1, NULL, '{{}}', 'hash' FROM numbers""",
    """INSERT INTO events (goal_id, number, revision, kind, actor, at, key, data, hash)
    {numbers} SELECT 'goal-' || n, 2, 1, 'edited', 'user', 1, NULL, '{{}}', 'hash' FROM numbers""",
)


def fill(location: str, count: int) -> str:
    """The store has so many goals, half of them active and nobody's, half asleep, half of those due."""
    telic.connect(location).close()
    numbers = NUMBERS.format(count=count)
    # One by one, so that on PostgreSQL each is a transaction.
    for statement in FILL:
        execute(location, statement.format(numbers=numbers, count=count, now=NOW))
    return location


def statements(last: str) -> dict[str, tuple[str, dict[str, Any]]]:
    """What is asked for, with the feed's last position."""
    marks = {"before_mark": None, "before_sequence": 0, "until_mark": None, "until_sequence": 0}
    feed = {"until": "", "after": 0, "scope": None, "goal_id": None, "limit": LIMIT, **marks}
    return {
        "claim_due": ("leases.claim_due", {"worker": "worker", "ttl_microseconds": 1, "limit": LIMIT}),
        "waits.due": ("waits.due", {"scope": None, "limit": LIMIT}),
        "waits.signalled": ("waits.signalled", {"signal": "signal-7", "limit": LIMIT}),
        "feed.first": ("feed.first", feed),
        "feed.rest in the middle": ("feed.rest", feed | {"before": "1:1:+0", "after": FEW}),
        "feed.next at the end": ("feed.next", feed | {"before": last}),
        "feed.next of a goal at the end": ("feed.next", feed | {"before": last, "goal_id": "goal-7"}),
        "feed.next of a scope at the end": ("feed.next", feed | {"before": last, "scope": "scope-7"}),
    }


NAMES = list(statements(""))


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[apsw.Connection]]:
    """One with few goals and one with many."""
    folder: Path = tmp_path_factory.mktemp("cost")
    connections = [apsw.Connection(fill(str(folder / f"{count}.db"), count)) for count in (FEW, MANY)]
    for connection in connections:
        connection.create_scalar_function("telic_now", lambda *_: 1, 0)
        connection.create_scalar_function("telic_wall_now", lambda *_: NOW, 0)
        connection.create_scalar_function("telic_digest", str, 1, deterministic=True)
    yield connections
    for connection in connections:
        connection.close()


def steps_of(connection: apsw.Connection, name: str) -> int:
    """How many steps SQLite's machine takes, in tens, for the statement; nothing of it is kept."""
    last = connection.execute("SELECT max(sequence) + 1 FROM events").get
    statement, parameters = statements(f"{last}:{last}:+{last - 1}")[name]
    steps = 0

    def count() -> bool:
        nonlocal steps
        steps += 1
        return False

    connection.execute("BEGIN")
    connection.set_progress_handler(count, 10)
    rows = connection.execute(load_statements("sqlite")[statement], parameters).fetchall()
    connection.set_progress_handler(None)
    connection.execute("ROLLBACK")
    assert len(rows) == 1 if name.startswith("feed.next") else len(rows) >= LIMIT
    return steps


@pytest.mark.parametrize("name", NAMES)
def test_sqlite_takes_as_many_steps_for_many_goals(name: str, files: list[apsw.Connection]) -> None:
    """Nearly so: reading and sorting everything would take sixty times as many."""
    few, many = (steps_of(connection, name) for connection in files)
    assert many <= 2 * few + 20, (few, many)


@pytest.fixture(scope="module")
def filled(new_postgres_database: Callable[[], str]) -> Iterator["psycopg.Connection[Any]"]:
    """A connection to a database with many goals, that plans like a prepared statement's later runs."""
    with psycopg.connect(fill(new_postgres_database(), MANY), autocommit=True) as connection:
        connection.execute("ANALYZE")
        connection.execute("SET plan_cache_mode = force_generic_plan")
        yield connection


def rows_of(connection: "psycopg.Connection[Any]", name: str) -> float:
    """How many rows all nodes of the plan together took up; nothing is kept."""
    (last,) = connection.execute(
        "SELECT pg_current_snapshot()::text || '+' || max(sequence) FROM events"
    ).fetchone() or ("",)
    statement, parameters = statements(last)[name]
    sql = load_statements("postgres")[statement]
    connection.execute(f"PREPARE asked AS {number_parameters(sql)}".encode())
    literals = [psycopg.sql.Literal(parameters[parameter]) for parameter in parameter_names(sql)]
    call = psycopg.sql.SQL("EXPLAIN (ANALYZE, FORMAT JSON) EXECUTE asked ({})").format(
        psycopg.sql.SQL(", ").join(literals)
    )
    with connection.transaction(force_rollback=True):
        row = connection.execute(call).fetchone()
    connection.execute("DEALLOCATE asked")
    assert row is not None
    return sum(_rows(node) for node in _nodes(row[0][0]["Plan"]))


def _nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for each in plan.get("Plans", []):
        yield from _nodes(each)


def _rows(node: dict[str, Any]) -> float:
    removed = sum(amount for key, amount in node.items() if key.startswith("Rows Removed"))
    return float((node["Actual Rows"] + removed) * node["Actual Loops"])


@pytest.mark.parametrize("name", NAMES)
def test_postgres_takes_up_few_rows_of_many(name: str, filled: "psycopg.Connection[Any]") -> None:
    """A page's, not all twenty thousand goals' or forty thousand events'."""
    assert rows_of(filled, name) <= 40 * LIMIT

"""No hot statement reads a whole table, with the generic plan that a prepared statement ends up with."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest

from telic.storage.statements import load_statements, number_parameters, parameter_names

STATEMENTS = load_statements("postgres")
READS_EVERYTHING = {
    "records.lines_without_goal": "doctor looks at every row",
    "feed.status_counts": "the gauge of goals counts them once, and then follows the feed",
}
TABLES = {"goals", "turns", "events", "holds"}

FILL = """
INSERT INTO goals (id, scope, text, criteria, status, reason, revision, token_budget, turns_used, tokens_used,
    input_tokens_used, cached_input_tokens_used, output_tokens_used, reasoning_tokens_used,
    active_microseconds_used, cost_microunits_used, created_at, changed_at, ended_at, creation_key,
    event_count, event_hash, turn_hash)
SELECT lpad(n::text, 36, '0'), 'scope-' || n % 400, repeat('text ', 40), '[]', status,
    CASE status WHEN 'paused' THEN 'user' WHEN 'completed' THEN 'asserted' END, 3, 1000000, 4, 400,
    0, 0, 0, 0, 0, 0, n, n, CASE status WHEN 'completed' THEN n END, 'key-' || n, 3, repeat('e', 64), repeat('t', 64)
FROM (
    SELECT n, CASE WHEN n <= 400 THEN 'active' WHEN n % 2 = 0 THEN 'paused' ELSE 'completed' END AS status
    FROM generate_series(1, 6000) AS n
) AS numbered;
INSERT INTO turns (goal_id, number, key, at, tokens, input_tokens, cached_input_tokens, output_tokens,
    reasoning_tokens, active_microseconds, cost_microunits, hash)
SELECT lpad(n::text, 36, '0'), number, 'turn-' || number, n, 100, 0, 0, 0, 0, 0, 0, repeat('t', 64)
FROM generate_series(1, 6000) AS n, generate_series(1, 4) AS number;
INSERT INTO events (goal_id, number, revision, kind, actor, at, key, data, hash)
SELECT lpad(n::text, 36, '0'), number, number, 'edited', 'user', n, 'event-' || number, '{}', repeat('e', 64)
FROM generate_series(1, 6000) AS n, generate_series(1, 3) AS number;
INSERT INTO holds (goal_id, key, tokens, turns, active_microseconds, cost_microunits, placed_at, expires_at, state)
SELECT lpad(n::text, 36, '0'), 'hold-' || number, 100, 1, 0, 0, n, n, 'open'
FROM generate_series(1, 6000) AS n, generate_series(1, 3) AS number;
ANALYZE
"""


@pytest.fixture(scope="module")
def filled(new_postgres_database: Callable[[], str]) -> Iterator["psycopg.Connection[Any]"]:
    """A connection to a database with thousands of goals, that plans like a prepared statement's later runs."""
    with psycopg.connect(new_postgres_database(), autocommit=True, prepare_threshold=None) as connection:
        connection.execute(FILL.encode())
        connection.execute("SET plan_cache_mode = force_generic_plan")
        yield connection


def plan_of(connection: "psycopg.Connection[Any]", name: str) -> list[dict[str, Any]]:
    """Every node of the statement's generic plan."""
    sql = STATEMENTS[name]
    arguments = ", ".join("NULL" for _ in parameter_names(sql))
    connection.execute(f"PREPARE planned AS {number_parameters(sql)}".encode())
    call = f"planned({arguments})" if arguments else "planned"
    row = connection.execute(f"EXPLAIN (FORMAT JSON) EXECUTE {call}".encode()).fetchone()
    connection.execute(b"DEALLOCATE planned")
    assert row is not None
    plan = row[0] if isinstance(row[0], list) else json.loads(row[0])
    nodes: list[dict[str, Any]] = []
    waiting = [plan[0]["Plan"]]
    while waiting:
        node = waiting.pop()
        nodes.append(node)
        waiting += node.get("Plans", [])
    return nodes


@pytest.mark.parametrize("name", sorted(STATEMENTS.keys() - READS_EVERYTHING))
def test_no_statement_reads_a_whole_table(name: str, filled: "psycopg.Connection[Any]") -> None:
    """Each table is reached through an index."""
    scanned = [node for node in plan_of(filled, name) if node["Node Type"] == "Seq Scan"]
    assert not [node for node in scanned if node["Relation Name"] in TABLES]


@pytest.mark.parametrize("name", ["turns.record", "goals.transition", "goals.resume", "events.with_key"])
def test_a_key_is_looked_up_and_not_searched_for(name: str, filled: "psycopg.Connection[Any]") -> None:
    """Finding out whether a call was made before does not read all of the goal's turns or events."""
    lookups = [
        node
        for node in plan_of(filled, name)
        if node.get("Relation Name") in {"turns", "events"} and node["Node Type"].startswith(("Index", "Bitmap Heap"))
    ]
    assert lookups
    for node in lookups:
        condition = node.get("Index Cond") or node["Recheck Cond"]
        assert "(goal_id = " in condition
        assert "(key = " in condition


@pytest.mark.parametrize("name", ["goals.list", "goals.list_with_status", "events.page", "turns.page", "records.ids"])
def test_a_page_is_read_in_order_and_not_sorted(name: str, filled: "psycopg.Connection[Any]") -> None:
    """The first page of a long listing costs what a short one does."""
    assert not [node for node in plan_of(filled, name) if "Sort" in node["Node Type"]]


def test_the_check_sees_a_missing_index(filled: "psycopg.Connection[Any]") -> None:
    """Without the index that a statement needs, its plan reads the whole table."""
    with filled.transaction(force_rollback=True):
        filled.execute(
            "DROP INDEX goals_single_active, goals_by_scope, goals_unfinished, goals_creation_key, goals_by_status,"
            " goals_claimable"
        )
        nodes = plan_of(filled, "goals.active")
    assert [node for node in nodes if node["Node Type"] == "Seq Scan" and node["Relation Name"] == "goals"]

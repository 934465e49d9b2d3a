"""No hot statement of SQLite reads or sorts a whole table."""

from collections.abc import Iterator
from pathlib import Path

import apsw
import pytest

import telic
from telic.storage.statements import load_statements, parameter_names

READS_EVERYTHING = {
    "records.lines_without_goal": "doctor looks at every row",
    "feed.status_counts": "the gauge of goals counts them once, and then follows the feed",
    "identity.get": "the table has one row",
    "goals.find_by_end": "only what a person has typed comes here, and only where no id begins like it",
    "reports.ledger": "it groups what it has read, of a part of bounded length",
    "turns.course": "it groups what it has read, of the newest lines of one goal",
    "reports.holds": "as reports.ledger, of the goals of one page",
    "reports.estimates": "as reports.ledger, of the estimates alone",
}
STEPS = {
    f"{name} {number}": step
    for name, statement in load_statements("sqlite").items()
    if name not in READS_EVERYTHING
    for number, step in enumerate(statement.split(";"), 1)
}
OF_ONE_PAGE = {"SCAN CONSTANT ROW", "SCAN (subquery-1)", "SCAN due", "SCAN counted"} | {
    f"SCAN {name}" for name in ("bounds", "page", "store_identity", "left_behind", "waiting")
}
"""What the statement itself has limited, or is one row."""
GROWING = ("SCAN ", "USE TEMP B-TREE", "AUTOMATIC ")


@pytest.fixture(scope="module")
def connection(tmp_path_factory: pytest.TempPathFactory) -> Iterator[apsw.Connection]:
    """A database with Telic's schema; Telic never runs ANALYZE, so plans follow from the schema alone."""
    path: Path = tmp_path_factory.mktemp("plans") / "goals.db"
    telic.connect(path).close()
    opened = apsw.Connection(str(path))
    opened.create_scalar_function("telic_digest", str, 1, deterministic=True)
    opened.create_scalar_function("telic_now", int, 0)
    opened.create_scalar_function("telic_wall_now", int, 0)
    yield opened
    opened.close()


def plan_of(connection: apsw.Connection, step: str) -> list[str]:
    """What the plan does, line by line."""
    parameters = dict.fromkeys(parameter_names(step), "1")
    # A cached EXPLAIN would not notice that the schema has changed.
    lines = connection.execute(f"EXPLAIN QUERY PLAN {step}", parameters, can_cache=False)
    return [line[3] for line in lines]


@pytest.mark.parametrize("name", STEPS)
def test_no_step_reads_or_sorts_a_whole_table(name: str, connection: apsw.Connection) -> None:
    """Each step searches by an index, and reads a page in the order in which it is kept."""
    lines = [line for line in plan_of(connection, STEPS[name]) if line not in OF_ONE_PAGE]
    assert not [line for line in lines if line.startswith(GROWING)]


@pytest.mark.parametrize("name", [name for name in STEPS if name.startswith(("turns.record", "goals.transition"))])
def test_a_key_is_looked_up_and_not_searched_for(name: str, connection: apsw.Connection) -> None:
    """Turns and events are found by goal and key, or by goal and number: never by the goal alone."""
    lines = [line for line in plan_of(connection, STEPS[name]) if line.startswith(("SEARCH turns", "SEARCH events"))]
    assert all("(goal_id=? AND key=?)" in line or "(goal_id=? AND number=?)" in line for line in lines)


@pytest.mark.parametrize(
    ("name", "search"),
    [
        ("reports.ledger", "SEARCH turns USING PRIMARY KEY (goal_id=? AND number>? AND number<?)"),
        ("turns.course", "SEARCH turns USING PRIMARY KEY (goal_id=? AND number>?)"),
        ("reports.holds", "SEARCH holds USING INDEX holds_open (goal_id=?)"),
    ],
)
def test_a_report_reads_only_the_lines_of_its_part(name: str, search: str, connection: apsw.Connection) -> None:
    """What it groups it has found by the goals' ids, and by the lines' numbers."""
    lines = plan_of(connection, load_statements("sqlite")[name])
    assert search in lines
    assert not [line for line in lines if line.startswith("SCAN ") and "json_each" not in line]


def test_the_check_sees_a_missing_index(connection: apsw.Connection) -> None:
    """Without the index that a statement needs, its plan reads the whole table."""
    connection.execute("BEGIN; DROP INDEX goals_single_active; DROP INDEX goals_by_scope;")
    connection.execute("DROP INDEX goals_unfinished; DROP INDEX goals_creation_key")
    connection.execute("DROP INDEX goals_by_status; DROP INDEX goals_claimable")
    try:
        assert "SCAN goals" in plan_of(connection, STEPS["goals.active 1"])
    finally:
        connection.execute("ROLLBACK")


def test_every_statement_with_a_key_was_looked_at() -> None:
    """The steps under test are those of every hot statement, not of none."""
    names = {name.split(" ")[0] for name in STEPS}
    assert {"goals.get", "goals.active", "goals.create", "goals.transition", "goals.resume", "turns.record"} <= names
    assert {"goals.list", "goals.find", "goals.created_with", "events.with_key", "events.page", "turns.page"} <= names

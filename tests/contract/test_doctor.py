"""`examine` finds what was changed behind Telic's back."""

from pathlib import Path

import pytest

import telic
from telic.store.doctor import Level, examine
from tests.support.raw import drop_checks, execute


def problems(location: str) -> list[str]:
    return [finding.message for finding in examine(location) if finding.level is Level.PROBLEM]


@pytest.fixture
def goal(location: str) -> telic.Goal:
    with telic.connect(location) as store:
        first = store.create("first", token_budget=100, criteria=[telic.Criterion.judge("done?")])
        for tokens in (10, 20, 30):
            store.record_turn(first.id, tokens=tokens)
        store.create("second")
        store.resume(first.id)
        store.edit(first.id, text="first, better")
        store.record_turn(first.id, tokens=50)
        return store.resume(first.id, budget=telic.Budget(tokens=1000))


def test_an_untouched_store_is_healthy(location: str, goal: telic.Goal) -> None:
    """No problem is found where there is none."""
    assert problems(location) == []
    history = [finding for finding in examine(location) if finding.check == "history"]
    assert history[0].message == "2 goals: every chain, sum and state holds"


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE goals SET text = 'easier' WHERE id = '{id}'",
        "UPDATE goals SET status = 'paused', reason = 'user' WHERE id = '{id}'",
        "UPDATE goals SET token_budget = 5000 WHERE id = '{id}'",
        "UPDATE goals SET tokens_used = tokens_used - 1 WHERE id = '{id}'",
        "UPDATE goals SET turns_used = turns_used - 1 WHERE id = '{id}'",
        "UPDATE goals SET revision = revision + 1 WHERE id = '{id}'",
        "UPDATE goals SET criteria = '[]' WHERE id = '{id}'",
        "UPDATE goals SET scope = 'other' WHERE id = '{id}'",
        "UPDATE goals SET creation_key = 'other' WHERE id = '{id}'",
        "UPDATE goals SET created_at = created_at - 1 WHERE id = '{id}'",
        "UPDATE goals SET event_hash = turn_hash WHERE id = '{id}'",
        "UPDATE turns SET tokens = 11 WHERE goal_id = '{id}' AND number = 1",
        "UPDATE turns SET key = 'other' WHERE goal_id = '{id}' AND number = 2",
        "UPDATE turns SET at = at + 1 WHERE goal_id = '{id}' AND number = 2",
        "DELETE FROM turns WHERE goal_id = '{id}' AND number = 2",
        "DELETE FROM turns WHERE goal_id = '{id}' AND number = 4",
        "UPDATE turns SET number = number + 90 WHERE goal_id = '{id}' AND number = 4",
        "UPDATE events SET actor = 'operator' WHERE goal_id = '{id}' AND number = 3",
        "UPDATE events SET data = '{{}}' WHERE goal_id = '{id}' AND number = 2",
        "UPDATE events SET kind = 'paused' WHERE goal_id = '{id}' AND number = 3",
        "DELETE FROM events WHERE goal_id = '{id}' AND number = 3",
        "DELETE FROM events WHERE goal_id = '{id}' AND number = (SELECT max(number) FROM events)",
        "DELETE FROM events WHERE goal_id = '{id}'",
        "DELETE FROM goals WHERE id = '{id}'",
    ],
)
def test_a_change_behind_telics_back_is_found(location: str, goal: telic.Goal, change: str) -> None:
    """Edits, deletions and wrong sums are each found, and the goal is named."""
    drop_checks(location, "goals")
    execute(location, change.format(id=goal.id))
    assert any(goal.id in problem for problem in problems(location))


def test_two_swapped_lines_are_found(location: str, goal: telic.Goal) -> None:
    """Reordering breaks the chain."""
    for table in ("turns", "events"):
        swap = f"UPDATE {table} SET number = {{}} WHERE goal_id = '{goal.id}' AND number = {{}}"
        execute(location, swap.format(99, 2), swap.format(2, 3), swap.format(3, 99))
    assert any("event 2" in problem for problem in problems(location))


def test_an_edit_that_balances_its_sums_is_found(location: str, goal: telic.Goal) -> None:
    """Taking tokens from a turn and from the goal alike does not hide in the sums."""
    execute(
        location,
        f"UPDATE turns SET tokens = tokens - 5 WHERE goal_id = '{goal.id}' AND number = 1",
        f"UPDATE goals SET tokens_used = tokens_used - 5 WHERE id = '{goal.id}'",
    )
    assert any("turn 1 does not continue the chain" in problem for problem in problems(location))


def test_a_missing_rule_of_the_schema_is_found(location: str, goal: telic.Goal) -> None:
    """A dropped index is a difference from what this release makes."""
    execute(location, "DROP INDEX goals_single_active")
    assert any("goals_single_active" in problem for problem in problems(location))


def test_unsafe_settings_and_files_are_reported(tmp_path: Path) -> None:
    """The durability that the settings really give, and who can read the file, are told with advice."""
    path = tmp_path / "goals.db"
    telic.connect(path, durability=telic.Durability.NORMAL).close()
    path.chmod(0o644)
    found = {finding.check: finding for finding in examine(path)}
    assert (found["file permissions"].level, found["durability"].level) == (Level.WARNING, Level.OK)
    assert "0644" in found["file permissions"].message
    assert "chmod 600" in str(found["file permissions"].advice)


def test_a_server_that_may_lose_writes_is_reported(new_postgres_database: "object") -> None:
    """The test server runs without fsync, and the check says so."""
    location = new_postgres_database()  # type: ignore[operator]
    setting = execute(location, "SHOW fsync")[0][0]
    found = {finding.check: finding for finding in examine(location)}
    assert found["server durability"].level is (Level.OK if setting == "on" else Level.WARNING)


def test_a_store_that_cannot_be_opened_is_a_finding(tmp_path: Path) -> None:
    """No traceback: what is wrong, and what to do."""
    text = tmp_path / "notes.txt"
    text.write_text("not a database, but long enough to look like one " * 100)
    assert "not an SQLite database" in problems(str(text))[0]
    assert "does not exist" in problems(str(tmp_path / "missing.db"))[0]


def test_flipped_bits_never_give_a_wrong_answer(tmp_path: Path) -> None:
    """Of 150 files with one to eight random bits flipped, each is found damaged or still gives every true answer."""
    import random

    path = tmp_path / "goals.db"
    with telic.connect(path) as store:
        goals = [store.create(f"goal {number} " + "x" * 300, scope=str(number)) for number in range(20)]
        for goal in goals:
            for number in range(10):
                store.record_turn(goal.id, tokens=number)
        truth = {goal.id: store.get(goal.id) for goal in goals}
    whole = path.read_bytes()
    chance = random.Random(7)
    found = 0
    for attempt in range(150):
        damaged = bytearray(whole)
        for _ in range(chance.randint(1, 8)):
            position = chance.randrange(len(damaged))
            damaged[position] ^= 1 << chance.randrange(8)
        victim = tmp_path / f"damaged{attempt}.db"
        victim.write_bytes(damaged)
        if problems(str(victim)):
            found += 1
            continue
        with telic.connect(victim) as store:
            assert {goal_id: store.get(goal_id) for goal_id in truth} == truth
    assert found > 50

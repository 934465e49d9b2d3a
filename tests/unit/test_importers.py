"""What the databases of Zeph and Codex hold becomes goals with histories that replay to exactly them."""

import itertools
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import telic
from telic.domain.clock import Instant
from telic.domain.errors import SchemaMismatch, StoreCorrupt, StoreMisconfigured
from telic.domain.goal import Actor, Goal, GoalStatus, Reason
from telic.domain.history import GoalHistory, replay
from telic.services.transfer.histories import Imported
from telic.services.transfer.other_systems import read_codex, read_zeph
from tests.support import foreign_databases as foreign

ZEPH_CREATED = Instant(1_777_888_800_000_000)
ZEPH_CHANGED = Instant(1_777_892_400_500_000)
CODEX_CREATED = Instant(1_770_000_000_001_000)
CODEX_CHANGED = Instant(1_770_000_060_002_000)
ENDED = "2026-05-04T11:00:00.5+00:00"
MAX = 2**53 - 1

Read = Callable[..., Imported]


@pytest.fixture
def zeph(tmp_path: Path) -> Read:
    def read(*statements: foreign.Statement) -> Imported:
        return read_zeph(foreign.write(tmp_path / f"zeph-{next(numbers)}.db", foreign.ZEPH, *statements))

    numbers = itertools.count()
    return read


@pytest.fixture
def codex(tmp_path: Path) -> Read:
    def read(*statements: foreign.Statement, schema: str = foreign.CODEX) -> Imported:
        return read_codex(foreign.write(tmp_path / f"goals-{next(numbers)}.sqlite", schema, *statements))

    numbers = itertools.count()
    return read


def the_one(imported: Imported) -> GoalHistory:
    (history,) = imported.histories
    assert replay(history.goal.id, history.events, history.turns) == history
    return history


def blank(goal: Goal, scope: str, text: str, created_at: Instant, updated_at: Instant) -> Goal:
    """An active goal of this scope and text that nothing has happened to, with the given goal's id."""
    numbers = {name: 0 for name in Goal.__slots__ if name.endswith("_used")}
    budgets = {name: None for name in Goal.__slots__ if name.endswith("_budget")}
    return Goal(
        id=goal.id,
        scope=scope,
        text=text,
        criteria=(),
        status=GoalStatus.ACTIVE,
        reason=None,
        note=None,
        revision=1,
        created_at=created_at,
        updated_at=updated_at,
        ended_at=None,
        **numbers,
        **budgets,
    )


def zeph_blank(goal: Goal, text: str) -> Goal:
    return blank(goal, "zeph", text, ZEPH_CREATED, ZEPH_CHANGED)


def codex_blank(goal: Goal, thread: str) -> Goal:
    return blank(goal, f"codex/{thread}", f"Reach {thread}", CODEX_CREATED, CODEX_CHANGED)


def actor_of_stop(history: GoalHistory) -> Actor | None:
    assert len(history.events) <= 2
    assert history.events[0].actor is Actor.USER
    return history.events[1].actor if len(history.events) == 2 else None


STATUSES_OF_ZEPH: list[tuple[dict[str, Any], dict[str, Any], Actor | None]] = [
    ({"status": "active"}, {}, None),
    ({"status": "active", "token_budget": 60}, {"token_budget": 60}, None),
    ({"status": "active", "token_budget": 50}, {"token_budget": 50, "reason": Reason.BUDGET}, Actor.SYSTEM),
    ({"status": "paused", "token_budget": 60}, {"token_budget": 60, "reason": Reason.USER}, Actor.USER),
    ({"status": "paused", "token_budget": 49}, {"token_budget": 49, "reason": Reason.BUDGET}, Actor.SYSTEM),
    ({"status": "paused", "token_budget": 0}, {"token_budget": 1, "reason": Reason.BUDGET}, Actor.SYSTEM),
    ({"status": "completed", "completed_at": ENDED}, {"reason": Reason.ASSERTED}, Actor.USER),
    ({"status": "cleared", "completed_at": ENDED}, {"reason": Reason.DISMISSED}, Actor.USER),
]


@pytest.mark.parametrize(("row", "expected", "actor"), STATUSES_OF_ZEPH)
def test_each_status_of_zeph(zeph: Read, row: dict[str, Any], expected: dict[str, Any], actor: Actor | None) -> None:
    history = the_one(zeph(foreign.zeph_goal("a", turns_used=3, tokens_used=50, **row)))
    status = {None: "active", Reason.ASSERTED: "completed", Reason.DISMISSED: "cleared"}
    assert history.goal == replace(
        zeph_blank(history.goal, "Reach a"),
        status=GoalStatus(status.get(expected.get("reason"), "paused")),
        revision=1 if actor is None else 2,
        turns_used=3,
        tokens_used=50,
        ended_at=ZEPH_CHANGED if "completed_at" in row else None,
        **expected,
    )
    assert actor_of_stop(history) is actor
    assert [turn.usage.tokens for turn in history.turns] == [0, 0, 50]
    assert [turn.key for turn in history.turns] == ["zeph:a:1", "zeph:a:2", "zeph:a:3"]
    assert history.creation_key == "zeph:a"


STATUSES_OF_CODEX: list[tuple[dict[str, Any], dict[str, Any], Actor | None]] = [
    ({"status": "active", "token_budget": 60}, {"token_budget": 60}, None),
    ({"status": "active", "token_budget": 50}, {"token_budget": 50, "reason": Reason.BUDGET}, Actor.SYSTEM),
    ({"status": "paused", "token_budget": 50}, {"token_budget": 50, "reason": Reason.USER}, Actor.USER),
    ({"status": "blocked"}, {"reason": Reason.BLOCKED}, Actor.SYSTEM),
    ({"status": "usage_limited"}, {"reason": Reason.USAGE_LIMIT}, Actor.SYSTEM),
    ({"status": "budget_limited", "token_budget": 9}, {"token_budget": 9, "reason": Reason.BUDGET}, Actor.SYSTEM),
    ({"status": "budget_limited", "token_budget": 0}, {"token_budget": 1, "reason": Reason.BUDGET}, Actor.SYSTEM),
    ({"status": "complete"}, {"reason": Reason.ASSERTED}, Actor.MODEL),
]


@pytest.mark.parametrize(("row", "expected", "actor"), STATUSES_OF_CODEX)
def test_each_status_of_codex(codex: Read, row: dict[str, Any], expected: dict[str, Any], actor: Actor | None) -> None:
    history = the_one(codex(foreign.codex_goal("t", tokens_used=50, time_used_seconds=7, **row)))
    status = {None: "active", Reason.ASSERTED: "completed"}
    assert history.goal == replace(
        codex_blank(history.goal, "t"),
        status=GoalStatus(status.get(expected.get("reason"), "paused")),
        revision=1 if actor is None else 2,
        turns_used=1,
        tokens_used=50,
        active_microseconds_used=7_000_000,
        ended_at=CODEX_CHANGED if row["status"] == "complete" else None,
        **expected,
    )
    assert actor_of_stop(history) is actor
    assert [turn.key for turn in history.turns] == ["codex:goal-of-t:1"]
    assert history.creation_key == "codex:goal-of-t"


def test_the_largest_numbers_and_any_text_are_kept(zeph: Read, codex: Read) -> None:
    text = "Zïel \N{SNOWMAN} \U0001f680 e\N{COMBINING ACUTE ACCENT}\r\n</active_goal>\u202e " + "x" * 19_900
    goal = the_one(zeph(foreign.zeph_goal("ü", text=text, token_budget=MAX, turns_used=1, tokens_used=MAX - 1))).goal
    assert (goal.text, goal.token_budget, goal.tokens_used) == (text, MAX, MAX - 1)
    row = foreign.codex_goal("t", objective=text, tokens_used=MAX, time_used_seconds=9_007_199_254, updated_at_ms=MAX)
    with pytest.raises(StoreCorrupt, match="updated_at_ms must be an integer from 0 to 9007199254740, not 9007199"):
        codex(row)
    row[1][-1] = 9_007_199_254_740
    goal = the_one(codex(row)).goal
    assert (goal.text, goal.tokens_used, goal.active_microseconds_used) == (text, MAX, 9_007_199_254_000_000)


def test_a_goal_without_usage_has_no_turns(zeph: Read, codex: Read) -> None:
    for history in (the_one(zeph(foreign.zeph_goal("a"))), the_one(codex(foreign.codex_goal("t")))):
        assert history.turns == ()
        assert history.goal.updated_at == history.goal.created_at


@pytest.mark.parametrize(
    ("text", "microseconds"),
    [
        ("2026-05-04T10:00:00Z", 0),
        ("2026-05-04t12:30:00.000001+02:30", 1),
        ("2026-05-03 20:00:00.12-14:00", 120_000),
        ("2026-05-04T10:00:00.123456999+00:00", 123_456),
    ],
)
def test_a_time_is_read_with_its_offset_to_the_microsecond(zeph: Read, text: str, microseconds: int) -> None:
    imported = zeph(foreign.zeph_goal("a", created_at=text))
    assert the_one(imported).goal.created_at == ZEPH_CREATED + microseconds
    assert any("nanoseconds" in sentence for sentence in imported.not_carried) is text.endswith("999+00:00")


def test_goals_come_oldest_first_under_ids_that_never_change(zeph: Read) -> None:
    imported = zeph(
        foreign.zeph_goal("late", created_at="2026-05-04T10:30:00Z", status="paused"),
        foreign.zeph_goal("early", created_at="2026-05-04T10:00:00Z"),
    )
    assert [history.goal.text for history in imported.histories] == ["Reach early", "Reach late"]
    assert [history.goal.id for history in imported.histories] == [
        "019df26e-2d00-73d3-8fb4-f09b799e45c2",
        "019df289-a440-71b9-a8e2-6fbdae07f213",
    ]


def test_a_database_read_twice_or_while_in_use_gives_the_same(tmp_path: Path) -> None:
    rows = [foreign.zeph_goal(str(number), status="paused", turns_used=number) for number in range(5)]
    with foreign.held_open(tmp_path / "zeph.db", foreign.ZEPH, *rows) as path:
        in_use = read_zeph(path, scope="mine")
        assert {history.goal.scope for history in in_use.histories} == {"mine"}
    assert read_zeph(path, scope="mine") == in_use
    with foreign.held_open(tmp_path / "codex.db", foreign.CODEX, foreign.codex_goal("t", tokens_used=1)) as path:
        live = read_codex(path)
    assert read_codex(path) == live


def test_a_forked_threads_goal_is_a_goal_of_its_own(codex: Read) -> None:
    imported = codex(foreign.codex_goal("a", goal_id="same"), foreign.codex_goal("b", goal_id="same"))
    assert len({history.goal.id for history in imported.histories}) == 2
    assert {history.goal.scope for history in imported.histories} == {"codex/a", "codex/b"}


def test_ids_too_long_for_a_key_are_hashed_into_one(zeph: Read) -> None:
    history = the_one(zeph(foreign.zeph_goal("i" * 196, turns_used=2)))
    keys = [history.creation_key, *(turn.key for turn in history.turns)]
    assert [key[:12] for key in keys] == ["zeph:sha256:"] * 3
    assert len(set(keys)) == 3
    assert the_one(zeph(foreign.zeph_goal("j" * 195))).creation_key == "zeph:" + "j" * 195


def test_shapes_of_old_codex_databases(codex: Read) -> None:
    now = the_one(codex(foreign.codex_goal("t", tokens_used=5)))
    state = codex(foreign.codex_goal("t", tokens_used=5), schema=foreign.CODEX_IN_STATE_DATABASE)
    assert the_one(state) == now
    draft_row = foreign.codex_goal("t", tokens_used=5, goal_id=..., time_used_seconds=...)
    draft = codex(draft_row, schema=foreign.CODEX_FIRST_DRAFT)
    assert the_one(draft).creation_key == "codex:t@1770000000001000"
    assert replace(the_one(draft).goal, id=now.goal.id) == now.goal
    assert sum("does not keep how long" in sentence or "no ids" in sentence for sentence in draft.not_carried) == 2


def test_the_name_of_a_column_tells_seconds_from_milliseconds(codex: Read) -> None:
    times = {"created_at_ms": ..., "updated_at_ms": ..., "created_at": 1_770_000_000, "updated_at": 1_770_000_060}
    imported = codex(foreign.codex_goal("t", tokens_used=1, **times), schema=foreign.CODEX_IN_SECONDS)
    assert the_one(imported).goal.created_at == 1_770_000_000_000_000
    assert the_one(imported).goal.updated_at == 1_770_000_060_000_000
    assert any("whole seconds" in sentence for sentence in imported.not_carried)


@pytest.mark.parametrize("read", [read_zeph, read_codex])
def test_another_programs_database_is_refused(tmp_path: Path, read: Read) -> None:
    path = foreign.write(tmp_path / "other.db", "CREATE TABLE other (a)")
    with pytest.raises(StoreMisconfigured, match=r"other\.db holds no goals of"):
        read(path)
    path.write_bytes(b"no database")
    with pytest.raises(StoreCorrupt, match="not an SQLite database"):
        read(path)
    with pytest.raises(StoreMisconfigured, match="does not exist"):
        read(tmp_path / "none.db")


def test_a_table_without_a_needed_column_is_refused(tmp_path: Path) -> None:
    row = ("INSERT INTO zeph_goals (id, text, token_budget) VALUES ('a', 'b', 1)", [])
    path = foreign.write(tmp_path / "zeph.db", "CREATE TABLE zeph_goals (id, text, token_budget)", row)
    with pytest.raises(SchemaMismatch, match="no column completed_at, created_at, status, tokens_used, turns_used"):
        read_zeph(path)
    row = foreign.codex_goal("t", created_at_ms=...)
    path = foreign.write(tmp_path / "codex.db", foreign.CODEX.replace("created_at_ms INTEGER NOT NULL,", ""), row)
    with pytest.raises(SchemaMismatch, match="neither the column created_at_ms nor created_at"):
        read_codex(path)


def test_an_empty_table_holds_nothing_to_say(zeph: Read, codex: Read) -> None:
    assert zeph() == codex() == Imported((), ())


def test_a_scope_that_is_no_name_is_refused_before_anything_is_read(tmp_path: Path) -> None:
    with pytest.raises(telic.errors.InvalidText):
        read_zeph(tmp_path / "none.db", scope="")

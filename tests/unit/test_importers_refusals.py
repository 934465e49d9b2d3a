"""Rows that cannot be understood are refused by name; what cannot be carried over is said, once."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import telic
from telic.domain.errors import EmptyText, InvalidNumber, InvalidText, StoreCorrupt, TextTooLong
from telic.services.transfer.histories import Imported
from telic.services.transfer.other_systems import read_codex, read_zeph
from tests.support import foreign_databases as foreign

GOOD_ZEPH = foreign.zeph_goal("good", status="paused")
GOOD_CODEX = foreign.codex_goal("good")


def zeph(path: Path, *statements: foreign.Statement) -> Imported:
    return read_zeph(foreign.write(path / "zeph.db", foreign.ZEPH, *statements))


def codex(path: Path, *statements: foreign.Statement) -> Imported:
    return read_codex(foreign.write(path / "codex.db", foreign.CODEX, *statements))


REFUSED_ZEPH: list[tuple[dict[str, Any], type[telic.GoalError], str]] = [
    ({"status": "waiting"}, StoreCorrupt, "status is 'waiting', which Zeph is not known to have"),
    ({"status": ""}, StoreCorrupt, "status is ''"),
    ({"token_budget": -1}, StoreCorrupt, "token_budget must be an integer from 0 to 9007199254740991, not -1"),
    ({"token_budget": 2**53}, StoreCorrupt, "token_budget must be"),
    ({"token_budget": "many"}, StoreCorrupt, "token_budget must be .*, not 'many'"),
    ({"turns_used": -3}, StoreCorrupt, "turns_used must be"),
    ({"turns_used": 0.5}, StoreCorrupt, "turns_used must be .*, not 0.5"),
    ({"turns_used": 100_001}, InvalidNumber, "turns_used is 100001"),
    ({"created_at": "yesterday"}, StoreCorrupt, "created_at must be a time as in RFC 3339"),
    ({"created_at": "2026-05-04T10:00:00"}, StoreCorrupt, "created_at must be a time as in RFC 3339"),
    ({"created_at": "2026-05-04T10:00:00.1234567890Z"}, StoreCorrupt, "created_at must be"),
    ({"created_at": "2026-05-04T24:00:00Z"}, StoreCorrupt, "created_at must be"),
    ({"created_at": "2026-02-30T10:00:00Z"}, StoreCorrupt, "there is no such time"),
    ({"created_at": "1969-12-31T23:59:59Z"}, StoreCorrupt, "before 1970"),
    ({"created_at": "2255-06-06T00:00:00Z"}, StoreCorrupt, "after 2255"),
    ({"updated_at": 5}, StoreCorrupt, "updated_at must be"),
    ({"completed_at": "2026-05-04T10:00:00Z"}, StoreCorrupt, "completed_at does not fit the status"),
    ({"status": "completed"}, StoreCorrupt, "completed_at does not fit the status"),
    ({"status": "cleared", "completed_at": "then"}, StoreCorrupt, "completed_at must be"),
    ({"text": ""}, EmptyText, "text says nothing"),
    ({"text": " \n"}, EmptyText, "text says nothing"),
    ({"text": "x" * 20_001}, TextTooLong, "text may have at most 20000 characters"),
    ({"text": "a\0b"}, InvalidText, "text holds a NUL"),
]


@pytest.mark.parametrize(("changes", "error", "message"), REFUSED_ZEPH)
def test_a_row_of_zeph_that_cannot_be_kept_is_named(
    tmp_path: Path, changes: dict[str, Any], error: type[telic.GoalError], message: str
) -> None:
    with pytest.raises(error, match=rf"^row 2 of zeph_goals \(id 'bad'\): .*{message}"):
        zeph(tmp_path, GOOD_ZEPH, foreign.zeph_goal("bad", **changes))


REFUSED_CODEX: list[tuple[dict[str, Any], type[telic.GoalError], str]] = [
    ({"status": "budget_stopped"}, StoreCorrupt, "status is 'budget_stopped', which Codex is not known to have"),
    ({"token_budget": -1}, StoreCorrupt, "token_budget must be"),
    ({"tokens_used": 1e300}, StoreCorrupt, "tokens_used must be .*, not 1e\\+300"),
    ({"time_used_seconds": 9_007_199_255}, StoreCorrupt, "time_used_seconds must be an integer from 0 to 9007199254"),
    ({"created_at_ms": -1}, StoreCorrupt, "created_at_ms must be"),
    ({"updated_at_ms": "now"}, StoreCorrupt, "updated_at_ms must be"),
    ({"objective": ""}, EmptyText, "objective says nothing"),
    ({"goal_id": ""}, EmptyText, "goal_id says nothing"),
    ({"objective": "x" * 20_001}, TextTooLong, "objective may have at most"),
]


@pytest.mark.parametrize(("changes", "error", "message"), REFUSED_CODEX)
def test_a_row_of_codex_that_cannot_be_kept_is_named(
    tmp_path: Path, changes: dict[str, Any], error: type[telic.GoalError], message: str
) -> None:
    with pytest.raises(error, match=rf"^row 2 of thread_goals \(thread_id 'bad'\): .*{message}"):
        codex(tmp_path, GOOD_CODEX, foreign.codex_goal("bad", **changes))


def test_tokens_that_overflowed_into_a_float_are_refused(tmp_path: Path) -> None:
    overflow = ("UPDATE zeph_goals SET tokens_used = tokens_used + 9223372036854775807", [])
    with pytest.raises(StoreCorrupt, match=r"tokens_used must be an integer .*, not 9\.22337203685477\de\+18"):
        zeph(tmp_path, foreign.zeph_goal("a", tokens_used=1_000), overflow)


def test_ids_that_are_none_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidText, match=r"row 1 of zeph_goals \(id None\): id must be a text, not NoneType"):
        zeph(tmp_path, foreign.insert("zeph_goals", {"id": None, "text": "x", "created_at": "", "updated_at": ""}))
    with pytest.raises(TextTooLong, match="the scope may have at most 200"):
        codex(tmp_path, foreign.codex_goal("t" * 195))


def test_blobs_are_no_text(tmp_path: Path) -> None:
    with pytest.raises(InvalidText, match="text must be a text, not bytes"):
        zeph(tmp_path, GOOD_ZEPH, ("UPDATE zeph_goals SET text = X'00FF'", []))


def test_the_most_turns_that_can_be_imported(tmp_path: Path) -> None:
    (history,) = zeph(tmp_path, foreign.zeph_goal("a", turns_used=100_000, tokens_used=7)).histories
    assert (history.goal.turns_used, history.goal.tokens_used, history.turns[-1].usage.tokens) == (100_000, 7, 7)


def test_what_zeph_does_not_have_is_said_once(tmp_path: Path) -> None:
    goals = [
        foreign.zeph_goal("a", status="paused", turns_used=2, created_at="2026-05-04T10:00:00.1234567Z"),
        foreign.zeph_goal("b", status="paused", token_budget=0),
        foreign.zeph_goal("c", status="paused", tokens_used=9),
        foreign.zeph_goal("d", tokens_used=9, turns_used=1, token_budget=9),
        foreign.zeph_goal("e", status="paused", updated_at="2026-05-04T09:00:00Z"),
    ]
    new_column = ("ALTER TABLE zeph_goals ADD COLUMN owner TEXT", [])
    imported = zeph(tmp_path, *goals, new_column)
    assert [re.sub(r"[:,].*", "", sentence) for sentence in imported.not_carried] == [
        "Zeph has one active goal in a whole database and no owners",
        "The table zeph_goals has columns that are not known here and were left behind",
        "Zeph counts turns but keeps none of them",
        "Zeph does not keep why or by whom a goal was stopped",
        "Zeph's times have nanoseconds",
        "Zeph goal 'b'",
        "Zeph goal 'c'",
        "Zeph goal 'd'",
        "Zeph goal 'e'",
    ]
    kept = {history.goal.text: history.goal for history in imported.histories}
    assert (kept["Reach c"].turns_used, kept["Reach c"].tokens_used) == (1, 9)
    assert kept["Reach e"].updated_at == kept["Reach e"].created_at
    assert kept["Reach b"].reason is telic.Reason.USER


def test_what_codex_does_not_have_is_said_once(tmp_path: Path) -> None:
    goals = [
        foreign.codex_goal("a", tokens_used=5, status="complete"),
        foreign.codex_goal("b", token_budget=0, status="budget_limited"),
        foreign.codex_goal("c", token_budget=5, tokens_used=5),
        foreign.codex_goal("d", updated_at_ms=1),
    ]
    deferrals = [foreign.insert("thread_goal_continuation_deferrals", {"thread_id": thread}) for thread in "da"]
    imported = codex(tmp_path, *goals, *deferrals)
    assert [re.sub(r"[:,].*", "", sentence) for sentence in imported.not_carried] == [
        "Codex thread 'a'",
        "Codex thread 'd'",
        "Codex keeps no turns",
        "Codex counts a goal's tokens without cached input",
        "Codex does not keep why or by whom a goal was stopped",
        "Codex goal 'goal-of-b'",
        "Codex goal 'goal-of-c'",
        "Codex goal 'goal-of-d'",
    ]


def test_a_deferral_that_is_no_text_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidText, match=r"row 1 of thread_goal_continuation_deferrals \(thread_id b'a'\)"):
        codex(tmp_path, ("INSERT INTO thread_goal_continuation_deferrals VALUES (CAST('a' AS BLOB))", []))


@pytest.mark.parametrize("read", [zeph, codex])
def test_every_sentence_is_a_sentence(tmp_path: Path, read: Callable[..., Imported]) -> None:
    imported = read(tmp_path, GOOD_ZEPH if read is zeph else GOOD_CODEX)
    assert imported.not_carried
    assert all(sentence[0].isupper() and sentence.endswith(".") for sentence in imported.not_carried)

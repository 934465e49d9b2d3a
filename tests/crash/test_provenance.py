"""`doctor` says where an SQLite file came from: made here, copied with or without its log, or set back."""

import shutil
from pathlib import Path

import pytest

import telic
from telic.store.doctor import Level, examine


def _worked(path: Path, turns: int) -> str:
    """The goal, which has that many turns more."""
    with telic.connect(path) as store:
        goal = store.active() or store.create("Move billing")
        for _ in range(turns):
            store.record_turn(goal.id, tokens=10)
    return goal.id


def _found(path: Path, check: str) -> list[tuple[Level, str]]:
    return [(each.level, each.message) for each in examine(path) if each.check == check]


def _origin(path: Path) -> tuple[Level, str]:
    (found,) = _found(path, "origin")
    return found


def test_a_store_made_here_has_nothing_to_tell(tmp_path: Path) -> None:
    path = tmp_path / "goals.db"
    _worked(path, 3)
    _worked(path, 3)
    assert _origin(path) == (Level.OK, "the store was made here")
    assert _found(path, "history of the file") == []


def test_a_copy_without_its_log_is_told_apart(tmp_path: Path) -> None:
    """Also long after it was made, and when it has been written to."""
    path, copy = tmp_path / "goals.db", tmp_path / "copy.db"
    with telic.connect(path) as store:
        goal = store.create("Move billing")
    with telic.connect(path) as store:
        for _ in range(5):
            store.record_turn(goal.id, tokens=10)
        shutil.copy(path, copy)
        assert store.get(goal.id).usage.turns == 5
    with telic.connect(copy) as store:
        assert store.get(goal.id).usage.turns == 0
    _worked(copy, 1)
    for _ in range(2):
        level, message = _origin(copy)
        assert level is Level.WARNING
        assert "as a copy" in message
        assert "not made by `telic backup`" in message


def test_a_backup_is_a_whole_copy(tmp_path: Path) -> None:
    """Also once it is written to; a copy by other means of what it has become is not."""
    path, backup, restored = tmp_path / "goals.db", tmp_path / "backup.db", tmp_path / "restored.db"
    _worked(path, 3)
    with telic.connect(path) as store:
        store.backup(backup)
    shutil.copy(backup, restored)
    _worked(restored, 2)
    assert _origin(restored)[0] is Level.OK
    assert "made whole by `telic backup`" in _origin(restored)[1]
    shutil.copy(restored, tmp_path / "copy.db")
    assert _origin(tmp_path / "copy.db")[0] is Level.WARNING


def test_a_store_that_was_set_back_says_so(tmp_path: Path) -> None:
    """Whatever was written since, and though no process that saw it before ever closed it."""
    path, backup = tmp_path / "goals.db", tmp_path / "backup.db"
    goal = _worked(path, 1)
    with telic.connect(path) as store:
        store.backup(backup)
    _worked(path, 0)
    with telic.connect(path) as store:
        for number in range(6):
            store.edit(goal, text=f"Move billing, {number}")
    backup.replace(path)
    _worked(path, 1)
    with telic.connect(path) as store:
        for number in range(20):
            store.edit(goal, text=f"Move accounts, {number}")
    for _ in range(2):
        ((level, message),) = _found(path, "history of the file")
        assert level is Level.WARNING
        assert "set back" in message
        assert "had 7 events, are gone" in message


def test_lost_turns_are_noticed_where_no_event_is_lost(tmp_path: Path) -> None:
    path, backup = tmp_path / "goals.db", tmp_path / "backup.db"
    _worked(path, 1)
    with telic.connect(path) as store:
        store.backup(backup)
    _worked(path, 3)
    backup.replace(path)
    assert _found(path, "history of the file")


def test_a_new_store_in_a_former_ones_place_is_new(tmp_path: Path) -> None:
    path = tmp_path / "goals.db"
    _worked(path, 4)
    path.unlink()
    _worked(path, 1)
    assert _origin(path) == (Level.OK, "the store was made here")
    assert _found(path, "history of the file") == []


@pytest.mark.parametrize("note", [b"", b"{", b"[]", b'{"newer": 1}', b"\xff" * 5000])
def test_a_note_that_cannot_be_read_is_made_anew(note: bytes, tmp_path: Path) -> None:
    path = tmp_path / "goals.db"
    goal = _worked(path, 2)
    (tmp_path / "goals.db-turnstile").write_bytes(note)
    _worked(path, 2)
    assert _origin(path)[0] is Level.OK
    with telic.connect(path) as store:
        assert store.get(goal).usage.turns == 4

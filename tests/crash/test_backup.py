"""Backups: whole, checked, private, and there only once they are."""

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

import telic
from telic.store.doctor import Level, examine
from tests.crash.support import COLOURS, Crew, opened
from tests.support.raw import execute


def problems(path: Path) -> list[str]:
    return [each.message for each in examine(path) if each.level is Level.PROBLEM]


def write_until(location: str, worker: int, stop: Path) -> int:
    """How many turns were acknowledged."""
    with telic.connect(location, timeout_seconds=60) as store:
        goal = store.create("write", scope=f"scope {worker}")
        count = 0
        while not stop.exists():
            store.record_turn(goal.id, tokens=1, key=f"turn-{count}")
            count += 1
    return count


@pytest.mark.parametrize("colour", COLOURS)
async def test_a_backup_is_the_whole_store(colour: str, tmp_path: Path) -> None:
    """It opens as a store, and holds what was acknowledged before; nobody else can read it."""
    target = tmp_path / "backup.db"
    async with opened(str(tmp_path / "goals.db"), colour) as store:
        goal = await store.create("keep", token_budget=100)
        await store.record_turn(goal.id, tokens=5, key="t")
        assert await store.backup(target) == target
        await store.record_turn(goal.id, tokens=7, key="later")
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    assert problems(target) == []
    with telic.connect(target, create=False) as restored:
        assert restored.get(goal.id).tokens_used == 5
    assert sorted(each.name for each in tmp_path.iterdir() if "part" in each.name) == []


def test_a_backup_under_writers_misses_nothing_that_was_acknowledged_before(tmp_path: Path, crew: Crew) -> None:
    """Also where they never pause: the copy is of one moment, and sound."""
    location, stop = str(tmp_path / "goals.db"), tmp_path / "stop"
    with telic.connect(location) as store:
        writers = [crew.start(write_until, location, worker, stop) for worker in range(3)]
        while len(store.list().goals) < 3:
            pass
        for number in range(3):
            before = {goal.id: goal.turns_used for goal in store.list().goals}
            target = store.backup(tmp_path / f"backup-{number}.db")
            assert problems(target) == []
            with telic.connect(target, create=False) as copy:
                assert all(copy.get(goal_id).turns_used >= count for goal_id, count in before.items())
        stop.touch()
        assert sum(writer.result() for writer in writers) == sum(goal.turns_used for goal in store.list().goals)


def test_a_backup_replaces_nothing_unasked(tmp_path: Path) -> None:
    """Neither a file, nor a link, nor a store in use, nor the store itself; and no folder."""
    taken, used, link, folder = (tmp_path / name for name in ("taken.db", "used.db", "link.db", "folder"))
    taken.write_text("mine")
    link.symlink_to(taken)
    folder.mkdir()
    with telic.connect(tmp_path / "goals.db") as store, telic.connect(used) as other:
        store.create("keep")
        other.create("keep")
        for target in (taken, used, link, folder, tmp_path / "goals.db", tmp_path / "no" / "folder.db", "", "a\0b"):
            with pytest.raises(telic.InvalidInput):
                store.backup(target)
        for target in (used, link, folder, tmp_path / "goals.db"):
            with pytest.raises(telic.InvalidInput):
                store.backup(target, overwrite=True)
        assert taken.read_text() == "mine"
        taken.unlink()
        store.backup(taken)
        assert store.backup(taken, overwrite=True) == taken
    assert problems(taken) == []


def test_a_damaged_store_makes_no_backup_that_looks_sound(tmp_path: Path) -> None:
    """Unless a copy of the damage is what is asked for."""
    location, target = str(tmp_path / "goals.db"), tmp_path / "backup.db"
    with telic.connect(location) as store:
        goal = store.create("keep")
        store.record_turn(goal.id, tokens=5)
        execute(location, "UPDATE goals SET tokens_used = 4")
        with pytest.raises(telic.errors.StoreCorrupt):
            store.backup(target)
        assert not target.exists()
        store.backup(target, verify=False)
    assert problems(target) != []
    assert list(tmp_path.glob("*.part")) == []


def test_a_store_in_memory_has_no_backup() -> None:
    """It says what to do instead."""
    with telic.connect(":memory:") as store, pytest.raises(telic.InvalidInput, match="export"):
        store.backup("backup.db")
    assert not Path("backup.db").exists()


@pytest.mark.parametrize("kind", ["pipe", "text", "device"])
def test_only_a_database_is_replaced(kind: str, tmp_path: Path) -> None:
    """Neither a device nor a pipe nor anybody's text, though it is asked for."""
    target = tmp_path / "target"
    if kind == "pipe":
        os.mkfifo(target)
    elif kind == "text":
        target.write_text("my notes")
    else:
        target = Path("/dev/full")
    before = target.lstat()
    with telic.connect(tmp_path / "goals.db") as store, pytest.raises(telic.InvalidInput, match="is no backup"):
        store.backup(target, overwrite=True)
    after = target.lstat()
    assert (after.st_mode, after.st_ino, after.st_size) == (before.st_mode, before.st_ino, before.st_size)


def test_a_backup_that_cannot_be_written_is_what_the_error_names(tmp_path: Path) -> None:
    """Not the store, which was only read; nothing of the backup is kept."""
    with telic.connect(tmp_path / "goals.db") as store:
        for number in range(50):
            store.create("x" * 2_000, scope=f"scope {number}")
    target = tmp_path / "backup.db"
    code = (
        "import resource, sys, telic\n"
        "store = telic.connect(sys.argv[1], create=False)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (65_536, 65_536))\n"
        "store.backup(sys.argv[2])\n"
    )
    ended = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "goals.db"), str(target)], capture_output=True, text=True
    )
    last = ended.stderr.splitlines()[-1]
    assert "StoreUnavailable" in last
    assert f"the backup {target} cannot be written" in last
    assert sorted(each.name for each in tmp_path.glob("backup*")) == []

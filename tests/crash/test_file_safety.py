"""Which files a store opens, how private it makes them, and that it leaves alone what is not its own."""

import os
import stat
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import apsw
import pytest

import telic
from telic.storage.drivers import sqlite_files
from tests.crash.support import COLOURS, Crew, checked_history, name_of, new_goal, opened, wait_for


@pytest.fixture
def no_mask() -> Iterator[None]:
    """Files get exactly the permissions they are asked for."""
    before = os.umask(0)
    yield
    os.umask(before)


def _modes(folder: Path) -> dict[str, int]:
    return {file.name: stat.S_IMODE(file.stat().st_mode) for file in folder.iterdir()}


@pytest.mark.parametrize("colour", COLOURS)
async def test_every_file_is_private(colour: str, tmp_path: Path, no_mask: None) -> None:
    """The database, its log, its index and its turnstile are readable by their owner only, whatever the umask."""
    async with opened(tmp_path / "goals.db", colour) as store:
        await store.create("private")
        modes = _modes(tmp_path)
    assert {"goals.db", "goals.db-wal", "goals.db-shm"} <= modes.keys()
    assert set(modes.values()) == {0o600}


def _link_to_nothing(folder: Path) -> Path:
    (folder / "link.db").symlink_to(folder / "target.db")
    return folder / "link.db"


def _link_to_a_store(folder: Path) -> Path:
    new_goal(folder / "target.db")
    return _link_to_nothing(folder)


def _folder(folder: Path) -> Path:
    (folder / "goals.db").mkdir()
    return folder / "goals.db"


def _pipe(folder: Path) -> Path:
    os.mkfifo(folder / "goals.db")
    return folder / "goals.db"


def _text_file(folder: Path) -> Path:
    (folder / "goals.db").write_text("my goals for this year\n" * 100)
    return folder / "goals.db"


def _damaged_header(folder: Path) -> Path:
    new_goal(folder / "goals.db")
    with (folder / "goals.db").open("r+b") as file:
        file.write(b"\0" * 40)
    return folder / "goals.db"


def _cut_short(folder: Path) -> Path:
    new_goal(folder / "goals.db")
    os.truncate(folder / "goals.db", 5000)
    return folder / "goals.db"


def _newer_schema(folder: Path) -> Path:
    new_goal(folder / "goals.db")
    return _edited(folder / "goals.db", "INSERT INTO schema_version VALUES (99)")


def _edited(path: Path, script: str) -> Path:
    connection = apsw.Connection(str(path))
    connection.execute(script)
    connection.close()
    return path


def _foreign(script: str) -> Callable[[Path], Path]:
    return lambda folder: _edited(folder / "goals.db", script)


REFUSED: Final[dict[str, tuple[Callable[[Path], Path], str]]] = {
    "a link to nothing": (_link_to_nothing, "StoreMisconfigured"),
    "a link to a store": (_link_to_a_store, "StoreMisconfigured"),
    "a folder": (_folder, "StoreMisconfigured"),
    "a pipe": (_pipe, "StoreMisconfigured"),
    "a missing folder": (lambda folder: folder / "missing" / "goals.db", "StoreMisconfigured"),
    "a file for a folder": (lambda folder: _text_file(folder) / "goals.db", "StoreMisconfigured"),
    "a text file": (_text_file, "StoreCorrupt"),
    "a damaged header": (_damaged_header, "StoreCorrupt"),
    "a file cut short": (_cut_short, "StoreCorrupt"),
    "a newer schema": (_newer_schema, "SchemaMismatch"),
    "a foreign table goals": (_foreign("CREATE TABLE goals (id INTEGER PRIMARY KEY, team TEXT)"), "SchemaMismatch"),
    "a foreign table turns": (_foreign("CREATE TABLE turns (player TEXT)"), "SchemaMismatch"),
    "a foreign view events": (_foreign("CREATE VIEW events AS SELECT 1 AS one"), "SchemaMismatch"),
    "a foreign schema version": (
        _foreign("CREATE TABLE schema_version (version TEXT); INSERT INTO schema_version VALUES ('7.1')"),
        "SchemaMismatch",
    ),
    "a foreign schema version of that type": (
        _foreign("CREATE TABLE schema_version (version INTEGER); INSERT INTO schema_version VALUES (1)"),
        "SchemaMismatch",
    ),
}


def _contents(folder: Path) -> dict[str, bytes | str]:
    """Every file of the folder but empty turnstiles, which hold nothing."""
    found: dict[str, bytes | str] = {}
    for file in sorted(folder.iterdir()):
        if file.is_symlink() or not file.is_file():
            found[file.name] = stat.filemode(file.lstat().st_mode)
        elif not (file.name.endswith("-turnstile") and file.stat().st_size == 0):
            found[file.name] = file.read_bytes()
    return found


@pytest.mark.parametrize("case", REFUSED)
@pytest.mark.parametrize("colour", COLOURS)
async def test_what_is_no_store_is_refused_and_left_alone(case: str, colour: str, tmp_path: Path) -> None:
    """A file that is no store of this release is refused with an error that says why; not a byte of it changes."""
    make, expected = REFUSED[case]
    path = make(tmp_path)
    before = _contents(tmp_path)
    with pytest.raises(telic.GoalError) as refusal:
        async with opened(path, colour):
            pass
    assert name_of(refusal.value) == expected
    assert str(path) in str(refusal.value)
    assert _contents(tmp_path) == before


@pytest.mark.parametrize("case", ["a text file", "a newer schema", "a foreign table goals"])
def test_a_refused_opening_leaves_no_descriptor_open(case: str, tmp_path: Path) -> None:
    """However often opening is refused, the process holds no more files open than before."""
    path = REFUSED[case][0](tmp_path)
    descriptors = Path("/dev/fd")
    before = len(list(descriptors.iterdir()))
    for _ in range(5):
        with pytest.raises(telic.StoreError):
            telic.connect(path)
    assert len(list(descriptors.iterdir())) <= before


NOBODY: Final = 65534


def _as_nobody(path: Path) -> str:
    # A store in memory first: the package's own files may not be readable for nobody.
    telic.connect(":memory:").close()
    if os.getuid() == 0:
        os.setgroups([])
        os.setgid(NOBODY)
        os.setuid(NOBODY)
    try:
        telic.connect(path)
    except telic.GoalError as error:
        return name_of(error)
    return "opened"


FORBIDDEN: Final = {
    "an unreadable file": (0o000, 0o700),
    "a read-only file": (0o400, 0o700),
    "a read-only folder": (0o600, 0o500),
    "a closed folder": (0o600, 0o000),
}


@pytest.mark.parametrize("case", FORBIDDEN)
def test_a_store_that_may_not_be_written_is_unavailable(case: str, crew: Crew) -> None:
    """A store whose file or folder the user may not read and write is unavailable, and nothing changes."""
    file_mode, folder_mode = FORBIDDEN[case]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "folder"
        folder.mkdir()
        new_goal(folder / "goals.db")
        (folder / "goals.db-turnstile").unlink(missing_ok=True)
        before = _contents(folder)
        for place, mode in ((folder / "goals.db", file_mode), (folder, folder_mode), (Path(name), 0o755)):
            place.chmod(mode)
            if os.getuid() == 0:
                os.chown(place, NOBODY, NOBODY)
        outcome = crew.start(_as_nobody, folder / "goals.db").result()
        folder.chmod(0o700)
        (folder / "goals.db").chmod(0o600)
        assert outcome == "StoreUnavailable"
        assert _contents(folder) == before


def test_without_create_nothing_is_made(tmp_path: Path) -> None:
    """With `create` off a missing database is refused and not made, and an empty file is left empty."""
    with pytest.raises(telic.errors.StoreMisconfigured):
        telic.connect(tmp_path / "missing.db", create=False)
    assert _contents(tmp_path) == {}
    (tmp_path / "empty.db").touch()
    with pytest.raises(telic.errors.StoreMisconfigured):
        telic.connect(tmp_path / "empty.db", create=False)
    assert _contents(tmp_path) == {"empty.db": b""}


MOUNTS: Final = """\
21 27 0:20 / /proc rw,nosuid shared:12 - proc proc rw
27 1 252:1 / / rw,relatime shared:1 - ext4 /dev/vda1 rw,discard
88 27 0:52 / /home/shared\\040files rw,relatime shared:47 master:3 - nfs4 server:/export rw,vers=4.2
90 27 0:53 / /mnt/box rw,relatime - fuse.sshfs user@host:/ rw
91 27 0:54 /deep/root /mnt/plain rw - btrfs /dev/vdb rw
"""


@pytest.mark.parametrize(
    ("device", "file_system"),
    [
        ((252, 1), "ext4"),
        ((0, 52), "nfs4"),
        ((0, 53), "fuse.sshfs"),
        ((0, 54), "btrfs"),
        ((0, 5), None),
        ((2, 52), None),
    ],
)
def test_the_file_system_is_read_from_the_mount_table(device: tuple[int, int], file_system: str | None) -> None:
    """A device's file system is found by its numbers, with any number of optional fields before it."""
    assert sqlite_files.file_system_of(os.makedev(*device), MOUNTS) == file_system


@pytest.mark.parametrize("file_system", ["nfs", "nfs4", "cifs", "smb3", "9p", "fuse.sshfs"])
@pytest.mark.parametrize("exists", [True, False])
def test_a_network_file_system_is_refused(
    file_system: str, exists: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a network file system, where locks do not hold, nothing is opened and nothing made."""
    path = tmp_path / "goals.db"
    if exists:
        new_goal(path)
    before = _contents(tmp_path)
    monkeypatch.setattr(sqlite_files, "file_system_of", lambda device: file_system)
    with pytest.raises(telic.errors.StoreMisconfigured, match="network file system"):
        telic.connect(path)
    assert _contents(tmp_path) == before


def _open_close_and_write(path: Path, goal_id: str, ready: Path, closed: Path) -> None:
    store = telic.connect(path)
    store.record_turn(goal_id, tokens=1, key="first")
    with telic.connect(path) as second:
        second.record_turn(goal_id, tokens=1, key="second")
    ready.touch()
    wait_for(closed)
    store.record_turn(goal_id, tokens=1, key="third")


def test_a_second_store_of_a_process_drops_no_locks(tmp_path: Path, crew: Crew) -> None:
    """A file opened twice in one process stays locked: another process's close does not take its log away."""
    path, ready, closed = tmp_path / "goals.db", tmp_path / "ready", tmp_path / "closed"
    goal_id = new_goal(path)
    writer = crew.start(_open_close_and_write, path, goal_id, ready, closed)
    wait_for(ready)
    telic.connect(path).close()
    closed.touch()
    writer.result()
    assert [turn.key for turn in checked_history(path, goal_id).turns] == ["first", "second", "third"]

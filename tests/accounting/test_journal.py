"""The journal: what the dead left is stored, what is broken blocks nothing, and nobody else can reach it."""

import contextlib
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import telic
from telic.accounting import async_flusher, flusher
from telic.accounting.turn_record import MalformedRecord, TurnRecord, decoded
from tests.accounting.support import accounting_for, files, ledger_keys, until
from tests.crash.support import Crew, opened
from tests.left_out import require
from tests.support.needs import mounted


def _line(number: int, goal_id: str, **options: Any) -> bytes:
    usage = telic.TurnUsage(tokens=number)
    return TurnRecord(f"left-{number}", goal_id, "default", telic.types.Instant(1), usage, **options).encoded()


def _header(stored: int = 0) -> bytes:
    empty = b"telic journal 1, stored up to %016x\n"
    return empty % (len(empty % 0) + stored)


async def _leave(store: Any, folder: Path, content: bytes, name: str = "0000.journal") -> Path:
    """A journal as a dead process left it."""
    place = folder / (await store.cursor()).partition("/")[0]
    place.mkdir(mode=0o700, parents=True, exist_ok=True)
    (place / name).write_bytes(content)
    return place / name


async def _until_gone(path: Path) -> None:
    await until(lambda: not path.exists())


async def test_what_the_dead_left_is_stored_first(location: str, colour: str, folder: Path) -> None:
    """In order, before this instance's own turns; then the file is gone."""
    async with opened(location, colour) as store:
        goal = await store.create("left behind")
        lines = [_line(number, goal.id) for number in range(1, 6)]
        path = await _leave(store, folder, _header() + b"".join(lines))
        async with accounting_for(location, colour, folder) as (_, accounting):
            accounting.on_turn_complete(10, key="own")
            assert await accounting.flush()
            await _until_gone(path)
        assert await ledger_keys(store, goal.id) == [*(f"left-{number}" for number in range(1, 6)), "own"]


async def test_the_mark_says_what_is_stored_already(tmp_path: Path, colour: str, folder: Path) -> None:
    """Lines before the mark are not repeated."""
    location = str(tmp_path / "g.db")
    async with opened(location, colour) as store:
        goal = await store.create("marked")
        first, second = _line(1, goal.id), _line(2, goal.id)
        path = await _leave(store, folder, _header(len(first)) + first + second)
        async with accounting_for(location, colour, folder):
            await _until_gone(path)
        assert await ledger_keys(store, goal.id) == ["left-2"]


@pytest.mark.parametrize("kept", [1, 8, 9, 30, -1])
async def test_a_line_cut_short_is_ignored(tmp_path: Path, colour: str, folder: Path, kept: int) -> None:
    """Its write never returned, so it was never accepted; the lines before it count."""
    location = str(tmp_path / "g.db")
    async with opened(location, colour) as store:
        goal = await store.create("cut short")
        path = await _leave(store, folder, _header() + _line(1, goal.id) + _line(2, goal.id)[:kept])
        async with accounting_for(location, colour, folder):
            await _until_gone(path)
        assert await ledger_keys(store, goal.id) == ["left-1"]
        assert files(folder, ".refused") == []


@pytest.mark.parametrize("kept", [0, 1, 20])
async def test_a_header_cut_short_is_an_empty_journal(tmp_path: Path, colour: str, folder: Path, kept: int) -> None:
    """Its owner died before it accepted anything."""
    location = str(tmp_path / "g.db")
    async with opened(location, colour) as store:
        await store.create("no header")
        path = await _leave(store, folder, _header()[:kept])
        async with accounting_for(location, colour, folder):
            await _until_gone(path)


async def test_a_broken_line_is_set_aside_and_blocks_nothing(tmp_path: Path, colour: str, folder: Path) -> None:
    """A flipped bit is noticed by the checksum; the line is kept for people to look at, and told."""
    location = str(tmp_path / "g.db")
    told: list[Exception] = []
    async with opened(location, colour) as store:
        goal = await store.create("broken")
        broken = bytearray(_line(2, goal.id))
        broken[40] ^= 1
        content = _header() + _line(1, goal.id) + bytes(broken) + b"\xff\x00 noise\n" + _line(3, goal.id)
        path = await _leave(store, folder, content)
        async with accounting_for(location, colour, folder, on_failure=lambda error, _: told.append(error)):
            await _until_gone(path)
            await until(lambda: len(told) == 2)
        assert await ledger_keys(store, goal.id) == ["left-1", "left-3"]
    assert [type(error) for error in told] == [MalformedRecord] * 2
    refused = path.with_suffix(".refused").read_bytes()
    assert bytes(broken) in refused
    assert b"\xff\x00 noise\n" in refused


async def test_a_file_that_is_no_journal_is_left_alone(tmp_path: Path, colour: str, folder: Path) -> None:
    """Also a link, a folder and a pipe of a journal's name; turns are accounted all the same."""
    location = str(tmp_path / "g.db")
    (tmp_path / "precious").write_bytes(_header() + b"precious\n")
    async with opened(location, colour) as store:
        goal = await store.create("strange")
        path = await _leave(store, folder, b"somebody's diary\nof two lines, which is longer than a header is\n")
        path.with_name("1.journal").symlink_to(tmp_path / "precious")
        path.with_name("2.journal").mkdir()
        async with accounting_for(location, colour, folder) as (_, accounting):
            accounting.on_turn_complete(1, key="own")
            assert await accounting.flush()
        assert await ledger_keys(store, goal.id) == ["own"]
    assert path.read_bytes().startswith(b"somebody's diary")
    assert (tmp_path / "precious").read_bytes().endswith(b"precious\n")


async def test_the_living_keep_their_journals(tmp_path: Path, colour: str, folder: Path) -> None:
    """A second instance does not touch what the first has accepted, and both bill every turn once."""
    location = str(tmp_path / "g.db")
    async with accounting_for(location, colour, folder) as (store, first):
        goal = await store.create("two instances")
        async with accounting_for(location, colour, folder) as (_, second):
            assert len(files(folder, ".journal")) == 2
            for face, name in ((first, "first"), (second, "second")):
                await face.snapshot()
                for number in range(20):
                    face.on_turn_complete(1, key=f"{name}-{number}")
            assert await first.flush()
            assert await second.flush()
        assert len(files(folder, ".journal")) == 1
        assert len(await ledger_keys(store, goal.id)) == 40
    assert files(folder, ".journal") == []


def _mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


async def test_files_are_private(tmp_path: Path, colour: str, folder: Path) -> None:
    """Nobody else can read or write them, whatever the umask."""
    former = os.umask(0)
    try:
        async with accounting_for(str(tmp_path / "g.db"), colour, folder):
            (journal,) = files(folder, ".journal")
            assert [_mode(path) for path in (journal, journal.parent, folder)] == [0o600, 0o700, 0o700]
    finally:
        os.umask(former)


def _put_in_the_way(place: Path, obstacle: str) -> None:
    place.parent.mkdir()
    match obstacle:
        case "a file":
            place.write_text("in the way")
        case "a link":
            place.parent.with_name("elsewhere").mkdir()
            place.symlink_to(place.parent.with_name("elsewhere"))
        case _:
            place.mkdir()
            place.chmod(0o777)


@pytest.mark.parametrize("obstacle", ["a file", "a link", "open to others"])
async def test_an_unusable_folder_costs_durability_only(
    tmp_path: Path, colour: str, folder: Path, obstacle: str
) -> None:
    """It is told; turns wait in memory and reach the store."""
    location = str(tmp_path / "g.db")
    told: list[Exception] = []
    async with opened(location, colour) as store:
        goal = await store.create("no journal")
        place = folder / (await store.cursor()).partition("/")[0]
        _put_in_the_way(place, obstacle)
        failures = {"on_failure": lambda error, _: told.append(error)}
        async with accounting_for(location, colour, folder, **failures) as (_, accounting):
            keys = [accounting.on_turn_complete(number) for number in range(1, 51)]
            assert await accounting.flush()
        assert await ledger_keys(store, goal.id) == keys
    assert [isinstance(error, OSError) for error in told] == [True]
    assert files(tmp_path, ".journal") == []


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A file system with room for a few turns."""
    folder = tmp_path / "disk"
    folder.mkdir()
    require("a small disk")
    with mounted(folder, "size=64k"):
        yield folder


async def test_a_full_disk_costs_durability_only(tmp_path: Path, colour: str, disk: Path) -> None:
    """Turns that the journal has no room for wait in memory, in order; the journal is used again later."""
    told: list[Exception] = []
    failures = {"on_failure": lambda error, _: told.append(error)}
    async with accounting_for(str(tmp_path / "g.db"), colour, disk, **failures) as (store, accounting):
        goal = await store.create("full")
        await accounting.snapshot()
        keys = [accounting.on_turn_complete(1)]
        with (disk / "ballast").open("ab", buffering=0) as ballast, contextlib.suppress(OSError):
            while True:
                ballast.write(bytes(4096))
        keys += [accounting.on_turn_complete(1) for _ in range(300)]
        (disk / "ballast").unlink()
        keys += [accounting.on_turn_complete(1) for _ in range(20)]
        assert await accounting.flush()
        keys.append(accounting.on_turn_complete(1))
        assert await accounting.flush()
        assert await ledger_keys(store, goal.id) == keys
    assert told
    assert all(isinstance(error, OSError) for error in told)


async def test_a_long_journal_shrinks_when_it_is_stored(tmp_path: Path, colour: str, folder: Path) -> None:
    """What is stored takes no room for ever."""
    location = str(tmp_path / "g.db")
    async with accounting_for(location, colour, folder) as (store, accounting):
        goal = await store.create("long")
        await accounting.snapshot()
        (journal,) = files(folder, ".journal")
        for _ in range(3):
            for _ in range(500):
                accounting.on_turn_complete(1, model="m" * 100)
            assert await accounting.flush(60)
        await until(lambda: journal.stat().st_size < 70_000)
        accounting.on_turn_complete(1, key="last")
        assert await accounting.flush()
        assert (await store.get(goal.id)).turns_used == 1501


async def test_a_second_process_stores_what_a_killed_one_accepted(location: str, folder: Path, crew: Crew) -> None:
    """The killed one could not store a single turn; whoever starts next finds its journal."""
    with telic.connect(location) as store:
        goal = store.create("adopt")
    worker = crew.start(_accept_and_die, location, goal.id, folder)
    assert worker.wait()
    assert len(files(folder, ".journal")) == 1
    async with accounting_for(location, "blocking", folder) as (store, _):
        (left, own) = files(folder, ".journal")
        await until(lambda: not (left.exists() and own.exists()))
        assert await ledger_keys(store, goal.id) == [f"dying-{number}" for number in range(30)]


async def test_the_living_take_over_what_a_neighbour_leaves(
    tmp_path: Path, colour: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody needs to start anew."""
    for module in (async_flusher, flusher):
        monkeypatch.setattr(module, "_RECOVERY_SECONDS", 0.1)
    async with accounting_for(str(tmp_path / "g.db"), colour, folder) as (store, _):
        goal = await store.create("neighbours")
        path = await _leave(store, folder, _header() + _line(1, goal.id), "ffff.journal")
        await _until_gone(path)
        assert await ledger_keys(store, goal.id) == ["left-1"]


async def test_any_number_of_journals_is_emptied_oldest_first(tmp_path: Path, colour: str, folder: Path) -> None:
    """A host that died again and again leaves many; they are opened some at a time."""
    async with opened(str(tmp_path / "g.db"), colour) as store:
        goal = await store.create("many")
        for number in range(1, 61):
            path = await _leave(store, folder, _header() + _line(number, goal.id), f"{number:04}.journal")
        async with accounting_for(str(tmp_path / "g.db"), colour, folder):
            await _until_gone(path)
        assert await ledger_keys(store, goal.id) == [f"left-{number}" for number in range(1, 61)]


async def test_a_turn_without_a_goal_is_never_billed_to_a_later_one(tmp_path: Path, colour: str, folder: Path) -> None:
    """A turn accepted while nobody knew of a goal is not held against one that was created afterwards."""
    async with opened(str(tmp_path / "g.db"), colour) as store:
        goal = await store.create("later")
        before, after = telic.types.Instant(goal.created_at - 1), telic.types.Instant(goal.created_at)
        lines = [
            TurnRecord(f"at-{at}", None, "default", at, telic.TurnUsage(tokens=1)).encoded() for at in (before, after)
        ]
        path = await _leave(store, folder, _header() + b"".join(lines))
        async with accounting_for(str(tmp_path / "g.db"), colour, folder):
            await _until_gone(path)
        assert await ledger_keys(store, goal.id) == [f"at-{after}"]


def _accept_and_die(location: str, goal_id: str, folder: Path) -> None:
    store = telic.connect(location)
    accounting = telic.GoalAccounting(store, journal_folder=folder)
    store.close()
    for number in range(30):
        accounting.on_turn_complete(1, key=f"dying-{number}", goal_id=goal_id)
    os.kill(os.getpid(), 9)


def test_every_line_can_be_read_back() -> None:
    """Whatever the names and counts are."""
    names = ["a", '"\\\n\r\t', "é\U0001f3af\x7f\u2028", "x" * 200]
    for name in names:
        for usage in (telic.TurnUsage(tokens=2**53 - 1), telic.ModelUsage(input_tokens=5, cached_input_tokens=2)):
            for kind in telic.UsageKind:
                for line in (
                    TurnRecord(name, "goal", "default", telic.types.Instant(2), usage, kind, name, name),
                    TurnRecord(name, None, name, telic.types.Instant(2), usage, kind),
                ):
                    assert decoded(line.encoded()) == line


@pytest.mark.parametrize("position", range(0, 120, 3))
def test_every_altered_byte_is_noticed(position: int) -> None:
    """The checksum finds it, or the checksum itself is what was altered."""
    data = bytearray(_line(12345, "goal"))
    data[position % (len(data) - 1)] ^= 4
    with pytest.raises(MalformedRecord):
        decoded(bytes(data))

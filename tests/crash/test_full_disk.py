"""A disk without room: a typed refusal, reads go on, and the same store goes on once there is room again."""

import asyncio
import resource
import subprocess
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

import telic
from tests.crash.support import COLOURS, Crew, checked_history, opened
from tests.left_out import require
from tests.support.needs import mounted

TOKENS = 11


@pytest.fixture(params=["600k", "4600k"])
def small_disk(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Path]:
    """A file system that is full before the log is first moved into the database, and one that is full after it."""
    folder = tmp_path / "disk"
    folder.mkdir()
    require("a small disk")
    with mounted(folder, f"size={request.param}"):
        yield folder


async def _record_until_refused(store: Any, goal_id: str) -> tuple[list[str], str, telic.StoreError]:
    """The keys acknowledged, the key refused, and why."""
    acknowledged: list[str] = []
    while len(acknowledged) < 20_000:
        key = f"turn-{len(acknowledged)}"
        try:
            await store.record_turn(goal_id, tokens=TOKENS, key=key)
        except telic.StoreError as error:
            return acknowledged, key, error
        acknowledged.append(key)
    raise AssertionError("there was always room")


async def _fill_and_go_on(
    path: str, colour: str, make_room: Callable[[], object]
) -> tuple[str, list[str], str, telic.StoreError]:
    """The goal and what `_record_until_refused` gave; the refused call, and more, were made once there was room."""
    async with opened(path, colour) as store:
        goal = await store.create("fill the disk")
        acknowledged, refused, error = await _record_until_refused(store, goal.id)
        while_full = await store.get(goal.id)
        assert while_full.turns_used == len(acknowledged) > 10
        assert [turn.key for turn in await store.turns(goal.id, limit=10)] == acknowledged[:10]
        with pytest.raises(type(error)):
            await store.record_turn(goal.id, tokens=TOKENS, key=refused)
        # The refused writer keeps no lock: another store gets as far as the full disk.
        async with opened(path, colour, timeout_seconds=2) as other:
            with pytest.raises(type(error)):
                await other.record_turn(goal.id, tokens=TOKENS, key=refused)
        make_room()
        await store.record_turn(goal.id, tokens=TOKENS, key=refused)
        await store.record_turn(goal.id, tokens=TOKENS, key=refused)
        await store.record_turn(goal.id, tokens=TOKENS, key="after")
    return goal.id, acknowledged, refused, error


def _require_exact(path: str, goal_id: str, acknowledged: list[str], refused: str) -> None:
    history = checked_history(path, goal_id)
    assert [turn.key for turn in history.turns] == [*acknowledged, refused, "after"]
    assert history.goal.tokens_used == TOKENS * (len(acknowledged) + 2)


@pytest.mark.parametrize("colour", COLOURS)
async def test_a_full_disk_refuses_and_recovers(colour: str, small_disk: Path) -> None:
    """On a full disk a write raises StoreFull and reads work; after room was made the same store goes on exactly."""
    path = str(small_disk / "goals.db")

    def grow() -> None:
        subprocess.run(["mount", "-o", "remount,size=20M", str(small_disk)], check=True)

    goal_id, acknowledged, refused, error = await _fill_and_go_on(path, colour, grow)
    assert type(error) is telic.errors.StoreFull
    _require_exact(path, goal_id, acknowledged, refused)


async def test_concurrent_calls_on_a_full_disk_are_each_refused_or_kept(small_disk: Path) -> None:
    """Of calls that share a commit on a full disk, each is refused and absent, or acknowledged and present."""
    path = str(small_disk / "goals.db")
    async with telic.connect_async(path) as store:
        goal = await store.create("fill the disk")

        async def record(key: str) -> str | None:
            try:
                await store.record_turn(goal.id, tokens=TOKENS, key=key)
            except telic.errors.StoreFull:
                return None
            return key

        acknowledged: list[str] = []
        for number in range(500):
            keys = await asyncio.gather(*(record(f"{number}-{task}") for task in range(16)))
            acknowledged += [key for key in keys if key is not None]
            if None in keys:
                break
        turns = (await store.get(goal.id)).turns_used
    assert turns == len(acknowledged)
    history = checked_history(path, goal.id)
    assert sorted(turn.key for turn in history.turns) == sorted(acknowledged)
    assert len(acknowledged) < 500 * 16


def _fill(filler: Path) -> None:
    with filler.open("wb", buffering=0) as file, suppress(OSError):
        while file.write(b"x" * 4096):
            pass


async def test_opening_on_a_full_disk_is_refused_and_can_be_repeated(small_disk: Path) -> None:
    """A store that cannot be made for want of room raises StoreFull; with room, the same call makes it."""
    path = small_disk / "goals.db"
    filler = small_disk / "filler"
    _fill(filler)
    with pytest.raises(telic.errors.StoreFull):
        telic.connect(path)
    filler.unlink()
    with telic.connect(path) as store:
        goal = store.create("room at last")
    assert checked_history(path, goal.id).goal.text == "room at last"


def _fill_the_allowance(path: str, colour: str) -> tuple[str, list[str], str, str]:
    with telic.connect(path) as store:
        store.create("make the tables")
    _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)

    def allow(size: int) -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))

    allow(Path(path).stat().st_size + 300_000)
    goal_id, acknowledged, refused, error = asyncio.run(_fill_and_go_on(path, colour, lambda: allow(hard)))
    return goal_id, acknowledged, refused, type(error).__name__


@pytest.mark.parametrize("colour", COLOURS)
def test_a_file_that_may_not_grow_refuses_and_recovers(colour: str, tmp_path: Path, crew: Crew) -> None:
    """Past the process's limit on file sizes a write fails with a typed error; without it, the same store goes on."""
    path = str(tmp_path / "goals.db")
    goal_id, acknowledged, refused, error = crew.start(_fill_the_allowance, path, colour).result()
    assert error in ("StoreFull", "OutcomeUnknown")
    _require_exact(path, goal_id, acknowledged, refused)

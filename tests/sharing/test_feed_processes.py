"""The feed under real processes: every event exactly once, however its readers come and go."""

import os
import random
import shutil
import time
from collections import defaultdict
from pathlib import Path

import pytest

import telic
from telic.errors import InvalidCursor
from tests.crash.support import Crew
from tests.sharing.support import all_events

RETRYABLE = (telic.errors.StoreBusy, telic.errors.StoreUnavailable)


def _write(location: str, worker: int, goal_ids: list[str], changes: int) -> None:
    """Changes of random goals, some of which push out or race with another writer's."""
    chance = random.Random(worker)
    with telic.connect(location, timeout_seconds=60) as store:
        for number in range(changes):
            goal_id = chance.choice(goal_ids)
            try:
                match chance.randrange(5):
                    case 0:
                        store.create(f"goal {worker}-{number}", scope=f"scope {worker % 3}")
                    case 1:
                        store.pause(goal_id)
                    case 2:
                        store.resume(goal_id)
                    case _:
                        store.edit(goal_id, text=f"text {worker}-{number}")
            except telic.InvalidTransition:
                continue


def _read(location: str, log: Path, seed: int, done: Path) -> None:
    """Appends each event and its cursor to the log, in pages of random size, from wherever the log ends."""
    chance = random.Random(f"{seed} {os.getpid()}")
    with log.open("a") as lines:
        cursor = _last_cursor(log)
        while True:
            is_last = done.exists()
            with telic.connect(location, timeout_seconds=60) as store:
                for _ in range(chance.randint(1, 8)):
                    page = store.events(after=cursor, limit=chance.choice([1, 2, 5, 40]))
                    for item in page:
                        lines.write(f"{item.event.goal_id} {item.event.number} {item.cursor}\n")
                        lines.flush()
                    # The page's own cursor is used as long as this process lives, the events' after it is killed.
                    cursor = page.cursor
                    if is_last and not page:
                        return


def _last_cursor(log: Path) -> str | None:
    """The cursor of the last line; half a line is cut off, as what it told was not taken."""
    text = log.read_text()
    whole = text[: text.rfind("\n") + 1]
    if whole != text:
        with log.open("r+") as lines:
            lines.truncate(len(whole))
    return whole.splitlines()[-1].split(" ")[2] if whole else None


def _follow(location: str, crew: Crew, folder: Path, changes: int, kills: int) -> None:
    chance = random.Random(changes)
    with telic.connect(location) as store:
        goal_ids = [store.create(f"goal {number}", scope=f"scope {number % 4}").id for number in range(8)]
    logs = [folder / f"reader-{number}" for number in range(2)]
    done = folder / "done"
    for log in logs:
        log.touch()
    readers = [crew.start(_read, location, log, seed, done) for seed, log in enumerate(logs)]
    writers = [crew.start(_write, location, worker, goal_ids, changes) for worker in range(4)]
    for _ in range(kills):
        time.sleep(chance.uniform(0, 0.3))
        victim = chance.randrange(len(readers))
        readers[victim].kill()
        readers[victim] = crew.start(_read, location, logs[victim], victim, done)
    for writer in writers:
        writer.result()
    done.touch()
    for reader in readers:
        reader.result()
    with telic.connect(location) as store:
        expected = all_events(store)
    assert len(expected) > 2 * changes
    for log in logs:
        _require_exactly_once(log, expected)


def _require_exactly_once(log: Path, expected: list[tuple[str, int]]) -> None:
    seen = [(goal_id, int(number)) for goal_id, number, _ in map(str.split, log.read_text().splitlines())]
    assert sorted(seen) == sorted(expected)
    numbers: dict[str, list[int]] = defaultdict(list)
    for goal_id, number in seen:
        numbers[goal_id].append(number)
    for each in numbers.values():
        assert each == list(range(1, len(each) + 1))


def test_every_event_reaches_every_reader_once(location: str, tmp_path: Path, crew: Crew) -> None:
    """4 writers, 2 readers with pages of random size that reopen the store, are killed and go on at their cursors."""
    _follow(location, crew, tmp_path, changes=60, kills=6)


@pytest.mark.long
@pytest.mark.timeout(1800)
def test_every_one_of_many_events_reaches_every_reader_once(location: str, tmp_path: Path, crew: Crew) -> None:
    """The same with thousands of changes and a hundred kills."""
    _follow(location, crew, tmp_path, changes=1_500, kills=100)


def test_a_file_set_back_refuses_the_cursors_from_its_future(tmp_path: Path) -> None:
    """An older copy in its place would count the lost numbers once more, and the reader would miss those events."""
    path, backup = tmp_path / "goals.db", tmp_path / "backup.db"
    with telic.connect(path) as store:
        goal = store.create("backed up")
        before = store.cursor()
    shutil.copy(path, backup)
    with telic.connect(path) as store:
        store.pause(goal.id)
        store.resume(goal.id)
        after = store.cursor()
    shutil.copy(backup, path)
    with telic.connect(path) as store:
        store.pause(goal.id)
        assert [item.event.number for item in store.events(after=before)] == [2]
        with pytest.raises(InvalidCursor):
            store.events(after=after)

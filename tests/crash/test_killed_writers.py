"""Writers killed by SIGKILL at random moments: what was acknowledged is there, what was not is whole or absent."""

import asyncio
import random
import time
from collections import defaultdict
from itertools import count
from pathlib import Path

import pytest

import telic
from telic.domain.history import GoalHistory
from tests.crash.support import COLOURS, Crew, Worker, checked_history, history_of, new_goal

WRITERS = 4
EDIT_EVERY = 8
LONGEST_PAUSE_SECONDS = 0.05
TASKS = {"blocking": 1, "async": 16}


def _tokens(number: int) -> int:
    return number % 97 + 1


def _write(store: telic.GoalStore, goal_id: str, key: str, number: int) -> None:
    """Every so often an edit, which takes several statements; otherwise a turn."""
    if number % EDIT_EVERY == 0:
        store.edit(goal_id, text=f"text of {key}", key=key)
    else:
        store.record_turn(goal_id, tokens=_tokens(number), key=key)


async def _write_async(store: telic.AsyncGoalStore, goal_id: str, key: str, number: int) -> None:
    if number % EDIT_EVERY == 0:
        await store.edit(goal_id, text=f"text of {key}", key=key)
    else:
        await store.record_turn(goal_id, tokens=_tokens(number), key=key)


def _write_and_acknowledge(location: str, goal_id: str, life: str, acknowledged: Path) -> None:
    with telic.connect(location, timeout_seconds=60) as store, acknowledged.open("ab", buffering=0) as file:
        for number in count(1):
            key = f"{life}-{number}"
            _write(store, goal_id, key, number)
            file.write(f"{number}\n".encode())


async def _write_in_tasks(location: str, goal_id: str, lives: list[str], folder: Path) -> None:
    async def write(store: telic.AsyncGoalStore, life: str) -> None:
        with (folder / life).open("ab", buffering=0) as acknowledged:
            for number in count(1):
                await _write_async(store, goal_id, f"{life}-{number}", number)
                acknowledged.write(f"{number}\n".encode())

    async with telic.connect_async(location, timeout_seconds=60) as store:
        await asyncio.gather(*(write(store, life) for life in lives))


def _live(colour: str, location: str, goal_id: str, lives: list[str], folder: Path) -> None:
    if colour == "async":
        asyncio.run(_write_in_tasks(location, goal_id, lives, folder))
    else:
        _write_and_acknowledge(location, goal_id, lives[0], folder / lives[0])


def _kill_at_random(crew: Crew, colour: str, location: str, goal_id: str, folder: Path, kills: int) -> list[str]:
    """The names of all lives that the writers have had; a killed one is born again at once.

    A process has one life, or one for each task; in each, one call is in flight at a time.
    """
    lives: list[str] = []

    def born() -> Worker:
        mine = [f"life{len(lives) + task}" for task in range(TASKS[colour])]
        lives.extend(mine)
        return crew.start(_live, colour, location, goal_id, mine, folder)

    writers = [born() for _ in range(WRITERS)]
    for _ in range(kills - WRITERS):
        time.sleep(random.uniform(0, LONGEST_PAUSE_SECONDS))
        victim = random.randrange(WRITERS)
        writers[victim].close()
        writers[victim] = born()
    for writer in writers:
        writer.close()
    return lives


def _acknowledged(folder: Path, life: str) -> int:
    file = folder / life
    return len(file.read_text().splitlines()) if file.exists() else 0


def _present(history: GoalHistory) -> dict[str, set[str]]:
    """The keys in the history, by the life that wrote them; each is there once."""
    keys = [turn.key for turn in history.turns] + [event.key or "" for event in history.events[1:]]
    present: dict[str, set[str]] = defaultdict(set)
    for key in keys:
        present[key.split("-")[0]].add(key)
    assert sum(map(len, present.values())) == len(keys)
    return present


@pytest.mark.parametrize("kills", [120, pytest.param(2000, marks=pytest.mark.long)])
@pytest.mark.parametrize("colour", COLOURS)
def test_kill_loses_nothing_acknowledged(tmp_path: Path, crew: Crew, colour: str, kills: int) -> None:
    """After any number of kills every acknowledged write is there once, and at most the one in flight besides.

    Repeating the call that was in flight, with its key, makes the ledger exact either way.
    """
    path = str(tmp_path / "goals.db")
    goal_id = new_goal(path)
    lives = _kill_at_random(crew, colour, path, goal_id, tmp_path, kills)
    present = _present(checked_history(path, goal_id))
    in_flight = {life: _acknowledged(tmp_path, life) + 1 for life in lives}
    for life, number in in_flight.items():
        acknowledged = {f"{life}-{earlier}" for earlier in range(1, number)}
        assert acknowledged <= present[life] <= acknowledged | {f"{life}-{number}"}
    with telic.connect(path) as store:
        for life, number in in_flight.items():
            _write(store, goal_id, f"{life}-{number}", number)
        repeated = history_of(store, goal_id)
    _require_exact(repeated, in_flight)


def _require_exact(history: GoalHistory, in_flight: dict[str, int]) -> None:
    written = [(f"{life}-{number}", number) for life, last in in_flight.items() for number in range(1, last + 1)]
    turns = {key: _tokens(number) for key, number in written if number % EDIT_EVERY}
    edits = {key for key, number in written if number % EDIT_EVERY == 0}
    assert {turn.key: turn.usage.tokens for turn in history.turns} == turns
    assert len(history.turns) == len(turns)
    assert {event.key for event in history.events[1:]} == edits
    assert history.goal.tokens_used == sum(turns.values())
    assert history.goal.revision == 1 + len(edits)

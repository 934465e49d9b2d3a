"""A store that is away, a process that is killed meanwhile, an interpreter that ends: the ledger is exact."""

import asyncio
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg
import pytest

import telic
from tests.accounting.support import accounting_for, begin, files, ledger_keys, until
from tests.crash.forking import in_a_new_loop
from tests.crash.support import Crew, checked_history, fork, new_goal, opened, stay_in_a_transaction, wait_for
from tests.support.postgres_server import PostgresServer


def _report(path: Path, key: str | None) -> None:
    """What was accepted is written down by the test itself, in one write that outlives the process."""
    with path.open("ab", buffering=0) as file:
        file.write(f"{key}\n".encode())


async def _agent(location: str, colour: str, folder: Path, accepted: Path, name: str, pause: float) -> None:
    """Turns for ever, each of as many tokens as its number."""
    async with opened(location, colour, timeout_seconds=1) as store:
        accounting = await begin(store, colour, folder)
        for number in range(1, 1_000_000):
            key = accounting.on_turn_complete(number, key=f"{name}-{number}")
            _report(accepted, key)
            if number % 3 == 0:
                await asyncio.sleep(pause)


def _accepted(path: Path) -> list[str]:
    return path.read_text().splitlines() if path.exists() else []


async def _store_the_rest(location: str, colour: str, folder: Path) -> None:
    async with accounting_for(location, colour, folder) as (_, accounting):
        for _ in range(12_000):
            if len(files(folder, ".journal")) == 1 and await accounting.flush():
                return
            await asyncio.sleep(0.01)
        raise AssertionError("the journals of the dead were not emptied")


def _require_exact(location: str, goal_id: str, accepted: list[str], may_be_there: int) -> None:
    """Every accepted turn once, in order, with its tokens; at most the ones in flight besides."""
    history = checked_history(location, goal_id)
    keys = [turn.key for turn in history.turns]
    assert len(set(keys)) == len(keys)
    assert set(accepted) <= set(keys)
    assert len(keys) - len(accepted) <= may_be_there
    assert all(turn.usage.tokens == int(turn.key.partition("-")[2]) for turn in history.turns)
    for name in {key.partition("-")[0] for key in keys}:
        numbers = [int(key.partition("-")[2]) for key in keys if key.startswith(f"{name}-")]
        assert numbers == list(range(1, len(numbers) + 1))


@pytest.mark.parametrize("turns_without_store", [50, pytest.param(300, marks=pytest.mark.long)])
async def test_a_server_away_and_the_process_killed_cost_nothing(
    own_server: PostgresServer, colour: str, folder: Path, tmp_path: Path, crew: Crew, turns_without_store: int
) -> None:
    """The store is killed in mid-run, then the process; after both are back every accepted turn is there once."""
    location, accepted = own_server.url(), tmp_path / "accepted"
    goal_id = new_goal(location)
    worker = crew.start(in_a_new_loop, _agent, location, colour, folder, accepted, "a", 0.03)
    await until(lambda: len(_accepted(accepted)) > 30)
    own_server.stop(signal.SIGQUIT)
    stopped_at = len(_accepted(accepted))
    # The agent does not wait for the store: it goes on as long as the store is away.
    await until(lambda: len(_accepted(accepted)) > stopped_at + turns_without_store)
    worker.kill()
    own_server.start()
    await _store_the_rest(location, colour, folder)
    _require_exact(location, goal_id, _accepted(accepted), may_be_there=1)


async def test_a_server_that_comes_back_gets_everything(own_server: PostgresServer, colour: str, folder: Path) -> None:
    """Without a restart of the process; snapshots are stale meanwhile and their counters live."""
    async with accounting_for(own_server.url(), colour, folder, timeout_seconds=1) as (store, accounting):
        goal = await store.create("an outage", token_budget=100)
        await accounting.snapshot()
        own_server.stop(signal.SIGQUIT)
        keys = []
        for number in range(20):
            keys.append(accounting.on_turn_complete(number))
            await asyncio.sleep(0.02)
        snapshot = await accounting.snapshot()
        assert (snapshot.is_stale, snapshot.usage.tokens) == (True, sum(range(20)))
        assert not await accounting.flush(0.2)
        own_server.start()
        assert await accounting.flush()
        assert await ledger_keys(store, goal.id) == keys
        snapshot = await accounting.snapshot()
        assert (snapshot.is_stale, snapshot.reason) == (False, telic.Reason.BUDGET)


async def test_thresholds_are_told_while_the_store_is_away(
    own_server: PostgresServer, colour: str, folder: Path
) -> None:
    """An agent that runs on must not learn only afterwards that its budget is gone."""
    told: list[float] = []
    options: dict[str, Any] = {
        "on_threshold": lambda _snapshot, fraction: told.append(fraction),
        "on_exhausted": lambda _snapshot: told.append(1.0),
    }
    async with accounting_for(own_server.url(), colour, folder, timeout_seconds=1, **options) as (store, accounting):
        await store.create("away", token_budget=100)
        await accounting.snapshot()
        own_server.stop(signal.SIGQUIT)
        accounting.on_turn_complete(85)
        await until(lambda: told == [0.5, 0.8])
        accounting.on_turn_complete(15)
        await until(lambda: told == [0.5, 0.8, 0.95, 1.0])
        own_server.start()
        assert await accounting.flush()


@pytest.mark.parametrize("rounds", [25, pytest.param(200, marks=pytest.mark.long)])
async def test_kills_at_random_moments_cost_nothing(
    colour: str, folder: Path, tmp_path: Path, crew: Crew, rounds: int
) -> None:
    """Each life takes over what the one before left, and is killed in turn."""
    location, accepted = str(tmp_path / "g.db"), tmp_path / "accepted"
    goal_id = new_goal(location)
    seed = random.randrange(2**32)
    print("seed", seed)
    moments = random.Random(seed)
    for life in range(rounds):
        before = len(_accepted(accepted))
        name = f"life{life}x"
        worker = crew.start(
            in_a_new_loop, _agent, location, colour, folder, accepted, name, moments.choice((0.003, 0.01))
        )
        await until(lambda: len(_accepted(accepted)) > before)  # noqa: B023
        await asyncio.sleep(moments.uniform(0, 0.06))
        worker.kill()
    await _store_the_rest(location, colour, folder)
    _require_exact(location, goal_id, _accepted(accepted), may_be_there=rounds)


def _lock(path: str, entered: Path, seconds: float) -> None:
    with telic.connect(path) as store:
        stay_in_a_transaction(store, entered, seconds)


async def test_a_locked_file_is_waited_for(colour: str, folder: Path, tmp_path: Path, crew: Crew) -> None:
    """Another process keeps the file locked for longer than the store's time-out."""
    location = str(tmp_path / "g.db")
    async with accounting_for(location, colour, folder, timeout_seconds=0.3) as (store, accounting):
        goal = await store.create("locked")
        await accounting.snapshot()
        crew.start(_lock, location, tmp_path / "entered", 2)
        wait_for(tmp_path / "entered")
        keys = [accounting.on_turn_complete(1) for _ in range(50)]
        assert not await accounting.flush(0.5)
        snapshot = await accounting.snapshot()
        assert (snapshot.usage.turns, snapshot.pending) == (50, 50)
        assert await accounting.flush()
        assert await ledger_keys(store, goal.id) == keys


async def test_close_leaves_to_the_next_start_what_it_cannot_store(
    colour: str, folder: Path, tmp_path: Path, crew: Crew
) -> None:
    """It says so, keeps its time, and nothing is lost."""
    location = str(tmp_path / "g.db")
    async with opened(location, colour, timeout_seconds=0.3) as store:
        goal = await store.create("close")
        accounting = await begin(store, colour, folder)
        holder = crew.start(_lock, location, tmp_path / "entered", 3600)
        wait_for(tmp_path / "entered")
        for number in range(10):
            accounting.on_turn_complete(1, key=f"late-{number}")
        assert not await accounting.close(0.5)
        holder.kill()
        await until(lambda: len(files(folder, ".journal")) == 1)
        await _store_the_rest(location, colour, folder)
        assert await ledger_keys(store, goal.id) == [f"late-{number}" for number in range(10)]


BLOCKING = """
import sys, telic
store = telic.connect(sys.argv[1])
accounting = telic.GoalAccounting(store, journal_folder=sys.argv[2])
for number in range(1, 201):
    accounting.on_turn_complete(number, key=f"exit-{number}")
"""

AWAITED = """
import asyncio, sys, telic
async def main():
    store = await telic.connect_async(sys.argv[1])
    accounting = await telic.AsyncGoalAccounting(store, journal_folder=sys.argv[2])
    for number in range(1, 201):
        accounting.on_turn_complete(number, key=f"exit-{number}")
asyncio.run(main())
"""


@pytest.mark.parametrize("ending", ["", "raise SystemExit(3)", "raise RuntimeError('the host failed')"])
async def test_the_end_of_the_interpreter_flushes(
    location: str, colour: str, folder: Path, tmp_path: Path, ending: str
) -> None:
    """Nobody closed anything: what was accepted is stored before the process ends, or right after the next start."""
    goal_id = new_goal(location)
    program = (BLOCKING if colour == "blocking" else AWAITED) + ending
    command = [sys.executable, "-c", program, location, str(folder)]
    done = await asyncio.to_thread(subprocess.run, command, capture_output=True, text=True)
    assert done.returncode == {"": 0, "raise SystemExit(3)": 3}.get(ending, 1), done.stderr
    with telic.connect(location) as store:
        stored = store.get(goal_id).turns_used
    assert stored > 0
    assert bool(files(folder, ".journal")) is (stored < 200), "what it had no time for waits for the next start"
    await _store_the_rest(location, colour, folder)
    _require_exact(location, goal_id, [f"exit-{number}" for number in range(1, 201)], may_be_there=0)
    assert files(folder, ".journal") == []


async def _fork_and_account(location: str, colour: str, folder: Path) -> None:
    async def child(accounting: Any) -> None:
        for number in range(1, 31):
            accounting.on_turn_complete(number, key=f"child-{number}")
        assert await accounting.flush()
        assert (await accounting.snapshot()).pending == 0
        assert await accounting.close()

    async with accounting_for(location, colour, folder) as (_, accounting):
        await accounting.snapshot()
        for number in range(1, 31):
            accounting.on_turn_complete(number, key=f"parent-{number}")
        worker = Crew().start(in_a_new_loop, child, accounting)
        for number in range(31, 61):
            accounting.on_turn_complete(number, key=f"parent-{number}")
        await asyncio.to_thread(worker.result)
        assert await accounting.flush()
        assert len(files(folder, ".journal")) == 1


def test_a_forked_child_accounts_on_its_own(tmp_path: Path, colour: str, folder: Path, crew: Crew) -> None:
    """It neither stores nor loses what its parent accepted, and its own turns count as well."""
    location = str(tmp_path / "g.db")
    goal_id = new_goal(location)
    crew.start(in_a_new_loop, _fork_and_account, location, colour, folder).result()
    keys = [f"parent-{number}" for number in range(1, 61)] + [f"child-{number}" for number in range(1, 31)]
    _require_exact(location, goal_id, keys, may_be_there=0)
    assert files(folder, ".journal") == []


async def test_the_parents_journal_stays_locked_when_a_child_ends(tmp_path: Path, colour: str, folder: Path) -> None:
    """A child that never accounts leaves no trace, and nobody takes the living parent's journal over."""
    location = str(tmp_path / "g.db")
    async with accounting_for(location, colour, folder):
        before = files(folder, ".journal")
        worker = Crew().start(os.getpid)
        worker.result()
        worker.close()
        async with accounting_for(location, colour, folder):
            assert set(before) < set(files(folder, ".journal"))
        assert files(folder, ".journal") == before


def _leave_a_child_and_die(location: str, folder: Path, ready: Path) -> None:
    store = telic.connect(location)
    accounting = telic.GoalAccounting(store, journal_folder=folder)
    accounting.on_turn_complete(1, key="orphan-1")
    accounting.flush()
    store.close()
    accounting.on_turn_complete(2, key="orphan-2")
    if fork() == 0:
        ready.touch()
        time.sleep(3600)
    wait_for(ready)
    os.kill(os.getpid(), signal.SIGKILL)


async def test_a_child_that_outlives_its_parent_keeps_no_journal(
    tmp_path: Path, colour: str, folder: Path, crew: Crew
) -> None:
    """The parent was killed; its child lives on, and what the parent accepted is stored all the same."""
    location = str(tmp_path / "g.db")
    goal_id = new_goal(location)
    worker = crew.start(_leave_a_child_and_die, location, folder, tmp_path / "ready")
    assert worker.wait()
    await _store_the_rest(location, colour, folder)
    _require_exact(location, goal_id, ["orphan-1", "orphan-2"], may_be_there=0)


async def test_an_accounting_that_is_closed_at_once_leaves_no_connection(
    new_postgres_database: Callable[[], str], folder: Path
) -> None:
    """Also where its tasks had no time to begin."""
    location = new_postgres_database()
    new_goal(location)
    async with await telic.connect_async(location) as store:
        accounting = await telic.AsyncGoalAccounting(store, journal_folder=folder)
        await accounting.close()
    with psycopg.connect(location, autocommit=True) as looking:
        others = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
        await until(lambda: looking.execute(others).fetchone() == (0,), 60)
    del accounting

"""Holds under real processes: a shared budget is never overspent, and a dead worker blocks nobody for long."""

import asyncio
import random
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psycopg
import pytest

import telic
from telic import BudgetExceeded, GoalNotActive, GoalStatus
from telic.types import HoldState
from tests.crash.support import COLOURS, Crew, checked_history, opened, wait_for
from tests.sharing.support import eventually, open_transaction

TOKENS = 1_000
MODEL_CALL_SECONDS = 0.02


async def _take_turns(location: str, goal_id: str, colour: str, worker: int, has_holds: bool) -> list[int]:
    """Turns until there is no room; gives how much each one exceeded its hold by."""
    chance = random.Random(worker)
    excesses: list[int] = []
    async with opened(location, colour, timeout_seconds=60) as store:
        while True:
            key = f"{worker}-{len(excesses)}"
            try:
                if has_holds:
                    await store.hold(goal_id, tokens=TOKENS, key=key)
                elif await _has_no_room(store, goal_id):
                    return excesses
            except (BudgetExceeded, GoalNotActive):
                return excesses
            await asyncio.sleep(MODEL_CALL_SECONDS)
            tokens = chance.choice([TOKENS // 2, TOKENS, TOKENS])
            await store.record_turn(goal_id, tokens=tokens, key=key, hold=key if has_holds else None)
            excesses.append(max(0, tokens - TOKENS))


async def _has_no_room(store: Any, goal_id: str) -> bool:
    goal = await store.get(goal_id)
    return goal.status is not GoalStatus.ACTIVE or goal.tokens_used + TOKENS > goal.token_budget


def _worker(*arguments: Any) -> list[int]:
    return asyncio.run(_take_turns(*arguments))


def _spend(crew: Crew, location: str, colour: str, workers: int, budget: int, *, has_holds: bool) -> telic.Goal:
    with telic.connect(location) as store:
        goal_id = store.create("shared", token_budget=budget).id
    turns = crew.race(_worker, [(location, goal_id, colour, number, has_holds) for number in range(workers)])
    goal = checked_history(location, goal_id).goal
    assert goal.turns_used == sum(map(len, turns))
    return goal


@pytest.mark.parametrize("colour", COLOURS)
def test_workers_that_hold_never_overspend(location: str, colour: str, crew: Crew) -> None:
    """16 processes share a budget; not one token above it is spent, and nearly all of it is."""
    goal = _spend(crew, location, colour, 16, 60 * TOKENS, has_holds=True)
    assert goal.tokens_used <= 60 * TOKENS
    # A worker leaves when there is no room beside what others hold: at most all the others' rests stay.
    assert goal.tokens_used > (60 - 16) * TOKENS


def test_workers_that_do_not_hold_do_overspend(location: str, crew: Crew) -> None:
    """The same workers, who look at the budget and then spend, all see the same room: the test above has teeth."""
    goal = _spend(crew, location, "blocking", 16, 20 * TOKENS, has_holds=False)
    assert goal.tokens_used > 20 * TOKENS


@pytest.mark.long
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("colour", COLOURS)
def test_a_million_tokens_are_shared(location: str, colour: str, crew: Crew) -> None:
    """16 processes that hold 1,000 tokens a turn spend a budget of 1,000,000 to the end, and not a token more."""
    goal = _spend(crew, location, colour, 16, 1_000_000, has_holds=True)
    assert 1_000_000 - 16 * TOKENS < goal.tokens_used <= 1_000_000


def _exceed(location: str, goal_id: str, worker: int) -> int:
    excess = 0
    with telic.connect(location, timeout_seconds=60) as store:
        while True:
            try:
                hold = store.hold(goal_id, tokens=TOKENS)
            except (BudgetExceeded, GoalNotActive):
                return excess
            store.record_turn(goal_id, tokens=TOKENS + worker, hold=hold.key)
            excess += worker


def test_overspending_is_what_turns_exceed_their_holds_by(location: str, crew: Crew) -> None:
    """Turns that consume more than they held push the total over by no more than that."""
    with telic.connect(location) as store:
        goal_id = store.create("shared", token_budget=40 * TOKENS).id
    excess = sum(crew.race(_exceed, [(location, goal_id, worker) for worker in range(8)]))
    assert checked_history(location, goal_id).goal.tokens_used <= 40 * TOKENS + excess


def _hold_and_stay(location: str, goal_id: str, ttl_seconds: float, held: Path) -> None:
    with telic.connect(location) as store:
        store.hold(goal_id, tokens=900, ttl_seconds=ttl_seconds, key="of the dead")
        held.touch()
        time.sleep(3600)


@pytest.mark.parametrize("ttl_seconds", [0.5, 3600])
def test_a_killed_worker_blocks_nobody_past_its_time(
    location: str, ttl_seconds: float, tmp_path: Path, crew: Crew
) -> None:
    """What it held stays held as long as it asked for, then counts as an estimate; others have the rest."""
    with telic.connect(location) as store:
        goal_id = store.create("shared", token_budget=1_000).id
    worker = crew.start(_hold_and_stay, location, goal_id, ttl_seconds, tmp_path / "held")
    wait_for(tmp_path / "held")
    worker.kill()
    with telic.connect(location) as store:
        if ttl_seconds > 60:
            with pytest.raises(BudgetExceeded):
                store.hold(goal_id, tokens=101)
            assert [hold.state for hold in store.holds(goal_id)] == [HoldState.OPEN]
            return
        eventually(lambda: _estimate(store, goal_id), "the dead worker's hold was never counted")
        mine = store.hold(goal_id, tokens=100)
        states = {hold.key: hold.state for hold in store.holds(goal_id)}
        assert states == {"of the dead": HoldState.ESTIMATED, mine.key: HoldState.OPEN}
        assert [line.usage.tokens for line in store.turns(goal_id) if line.is_estimate] == [900]
        assert store.record_turn(goal_id, tokens=99, hold=mine.key).goal.tokens_used == 999


def _estimate(store: telic.GoalStore, goal_id: str) -> telic.Turn | None:
    with pytest.raises(BudgetExceeded):
        store.hold(goal_id, tokens=101)
    return next((line for line in store.turns(goal_id) if line.is_estimate), None)


def _settle(location: str, goal_id: str, keys: list[str]) -> list[str]:
    settled: list[str] = []
    with telic.connect(location, timeout_seconds=60) as store:
        for key in keys:
            try:
                store.record_turn(goal_id, tokens=10, hold=key)
                settled.append(key)
            except telic.errors.HoldLost:
                continue
    return settled


def test_each_hold_is_settled_by_one_turn(location: str, crew: Crew) -> None:
    """Of 6 processes that record a turn for each of the same holds exactly one does, with 10 tokens each."""
    with telic.connect(location) as store:
        goal_id = store.create("shared").id
        keys = [store.hold(goal_id, tokens=10).key for _ in range(20)]
    settled = crew.race(_settle, [(location, goal_id, keys) for _ in range(6)])
    assert sorted(key for each in settled for key in each) == sorted(keys)
    assert checked_history(location, goal_id).goal.tokens_used == 200


def _settle_or_release(location: str, goal_id: str, keys: list[str], settles: bool) -> int:
    done = 0
    with telic.connect(location, timeout_seconds=60) as store:
        for key in keys:
            try:
                if settles:
                    store.record_turn(goal_id, tokens=10, hold=key)
                else:
                    store.release(goal_id, key)
                done += 1
            except telic.errors.HoldLost:
                continue
    return done


def test_a_hold_is_settled_or_released_and_not_both(location: str, crew: Crew) -> None:
    """Where one process settles what another releases, each hold ends one way, and only settled ones count."""
    with telic.connect(location) as store:
        goal_id = store.create("shared").id
        keys = [store.hold(goal_id, tokens=10).key for _ in range(40)]
    settled, released = crew.race(
        _settle_or_release, [(location, goal_id, keys, True), (location, goal_id, keys[::-1], False)]
    )
    assert settled + released == 40
    assert checked_history(location, goal_id).goal.tokens_used == 10 * settled


def _waiting(url: str) -> int:
    """How many statements wait for another transaction's lock."""
    with psycopg.connect(url) as connection:
        row = connection.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
        ).fetchone()
    assert row is not None
    return int(row[0])


def test_the_same_turn_twice_at_once_is_one_turn(database: str) -> None:
    """A retry that overtakes its first attempt gets the turn as well, though the hold is settled already."""
    with telic.connect(database) as store, ThreadPoolExecutor(3) as threads:
        goal_id = store.create("shared").id
        hold = store.hold(goal_id, tokens=10)
        with open_transaction(database) as other:
            other.connection.execute("SELECT 1 FROM goals WHERE id = %s FOR UPDATE", (goal_id,))
            calls = [
                threads.submit(store.record_turn, goal_id, tokens=7, hold=hold.key, key="the same") for _ in range(3)
            ]
            eventually(lambda: True if _waiting(database) == 3 else None, "the calls never waited")
            other.connection.rollback()
        assert {call.result().turn.number for call in calls} == {1}
        assert store.get(goal_id).tokens_used == 7


def test_holds_that_waited_see_each_other(database: str) -> None:
    """Of three that wait for the goal at once, each for more than half of its budget, one is granted."""
    with telic.connect(database) as store, ThreadPoolExecutor(3) as threads:
        goal_id = store.create("shared", token_budget=100).id
        with open_transaction(database) as other:
            other.connection.execute("SELECT 1 FROM goals WHERE id = %s FOR UPDATE", (goal_id,))
            calls = [threads.submit(store.hold, goal_id, tokens=51) for _ in range(3)]
            eventually(lambda: True if _waiting(database) == 3 else None, "the calls never waited")
            other.connection.rollback()
        refused = [call for call in calls if isinstance(call.exception(), BudgetExceeded)]
        assert len(refused) == 2
        assert len(store.holds(goal_id)) == 1

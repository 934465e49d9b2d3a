"""Leases under real processes: stopped, continued, raced for, and under clocks that jump."""

import contextlib
import itertools
import os
import random
import signal
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import apsw
import psycopg
import pytest

import telic
from telic import LeaseLost
from telic.errors import LeaseHeld
from telic.storage.drivers import sqlite_transaction
from telic.testing import FakeClock
from telic.types import HoldState
from tests.crash.support import COLOURS, Crew, checked_history, name_of, opened, wait_for
from tests.sharing.support import expire_lease, granted
from tests.support.raw import execute

HOUR_SECONDS = 3_600


def _work_and_stand_still(location: str, goal_id: str) -> list[str]:
    """A worker that is stopped between two turns, and goes on as if nothing had been; gives its errors."""
    errors: list[str] = []
    with telic.connect(location) as store:
        lease = store.claim(goal_id, worker="zombie", ttl_seconds=HOUR_SECONDS)
        store.record_turn(goal_id, tokens=1, key="zombie-1", lease=lease)
        store.hold(goal_id, tokens=1, key="zombie", lease=lease)
        os.kill(os.getpid(), signal.SIGSTOP)
        for write in (
            lambda: store.record_turn(goal_id, tokens=100, key="zombie-2", lease=lease),
            lambda: store.record_turn(goal_id, tokens=100, key="zombie-2", hold="zombie", lease=lease),
            lambda: store.hold(goal_id, tokens=100, lease=lease),
            lambda: store.release(goal_id, "zombie", lease=lease),
            lambda: store.pause(goal_id, lease=lease),
            lambda: store.complete(goal_id, lease=lease),
            lambda: store.clear(goal_id, lease=lease),
            lambda: store.renew(lease),
            lambda: store.release_lease(lease),
        ):
            try:
                write()
                errors.append("none")
            except telic.GoalError as error:
                errors.append(name_of(error))
        # What it had recorded before is its own still, and not recorded again.
        assert store.record_turn(goal_id, tokens=1, key="zombie-1", lease=lease).turn.number == 1
    return errors


def test_a_worker_stopped_past_its_lease_writes_nothing(location: str, crew: Crew) -> None:
    """It wakes up to LeaseLost whatever it writes; the worker that took over is not disturbed."""
    with telic.connect(location) as store:
        goal = store.create("driven")
    zombie = crew.start(_work_and_stand_still, location, goal.id)
    zombie.wait_until_stopped()
    expire_lease(location, goal.id)
    with telic.connect(location) as store:
        lease = granted(store, goal.id, "successor")
        store.record_turn(goal.id, tokens=10, key="successor", lease=lease)
        os.kill(zombie.pid, signal.SIGCONT)
        assert zombie.result() == ["LeaseLost"] * 9
        assert store.record_turn(goal.id, tokens=10, key="successor 2", lease=store.renew(lease)).goal.tokens_used == 21
    history = checked_history(location, goal.id)
    assert [turn.key for turn in history.turns] == ["zombie-1", "successor", "successor 2"]
    assert history.goal.status is telic.GoalStatus.ACTIVE


def _work_until_lost(location: str, goal_id: str, started: Path) -> list[str]:
    """Turns under a lease that a heartbeat keeps; gives the keys of those that were acknowledged."""
    acknowledged: list[str] = []
    unclear = (telic.errors.StoreUnavailable, telic.OutcomeUnknown, telic.errors.StoreBusy)
    with telic.connect(location, timeout_seconds=5) as store:
        lease = store.claim(goal_id, worker="zombie", ttl_seconds=HOUR_SECONDS)
        while True:
            key = f"zombie-{len(acknowledged)}"
            try:
                lease = store.renew(lease, ttl_seconds=HOUR_SECONDS)
                store.record_turn(goal_id, tokens=1, key=key, lease=lease)
            except unclear:
                continue
            except LeaseLost:
                return acknowledged
            acknowledged.append(key)
            started.touch()
            time.sleep(0.002)


def _stop_at_some_moment(location: str, crew: Crew, folder: Path, seed: int) -> None:
    with telic.connect(location) as store:
        goal_id = store.create(f"driven {seed}", scope=str(seed)).id
    started = folder / f"started-{seed}"
    zombie = crew.start(_work_until_lost, location, goal_id, started)
    wait_for(started)
    with telic.connect(location, timeout_seconds=3) as store:
        time.sleep(random.Random(seed).uniform(0, 0.02))
        zombie.stop()
        lease = _granted_in_spite_of_locks(location, store, goal_id)
        if lease is None:
            # It was stopped inside a transaction and holds the database's lock: nobody goes on before it does.
            os.kill(zombie.pid, signal.SIGCONT)
            zombie.kill()
            return
        before = lease.goal.turns_used
        store.record_turn(goal_id, tokens=1, key="successor", lease=lease)
    os.kill(zombie.pid, signal.SIGCONT)
    acknowledged = zombie.result()
    keys = [turn.key for turn in checked_history(location, goal_id).turns]
    assert keys[before:] == ["successor"]
    # The call in which it was stopped may have been done without its knowing.
    assert keys[:before] in (acknowledged, [*acknowledged, f"zombie-{len(acknowledged)}"])


def _granted_in_spite_of_locks(location: str, store: telic.GoalStore, goal_id: str) -> telic.Lease | None:
    """The lease after the stopped worker's has run out; None where that one holds the database's or the row's lock."""
    for _ in range(2):
        try:
            expire_lease(location, goal_id)
            return granted(store, goal_id, "successor")
        except (telic.errors.StoreBusy, apsw.BusyError, psycopg.errors.LockNotAvailable):
            continue
    return None


def test_a_worker_stopped_at_any_moment_doubles_no_turn(location: str, tmp_path: Path, crew: Crew) -> None:
    """Wherever it stood still, nothing of it comes after its successor was granted the goal."""
    for seed in range(2):
        _stop_at_some_moment(location, crew, tmp_path, seed)


@pytest.mark.long
@pytest.mark.timeout(1800)
def test_a_worker_stopped_at_many_moments_doubles_no_turn(location: str, tmp_path: Path, crew: Crew) -> None:
    """The same, a hundred times."""
    for seed in range(100):
        _stop_at_some_moment(location, crew, tmp_path, seed)


def _claim_each(location: str, goal_ids: list[str], worker: int) -> list[str]:
    won: list[str] = []
    with telic.connect(location, timeout_seconds=60) as store:
        for goal_id in goal_ids:
            try:
                assert store.claim(goal_id, worker=f"worker {worker}").worker == f"worker {worker}"
                won.append(goal_id)
            except LeaseHeld:
                continue
    return won


def test_one_of_many_claimers_is_granted(location: str, crew: Crew) -> None:
    """Of 16 processes that claim a goal at once exactly one has it, for each of 5 goals."""
    with telic.connect(location) as store:
        goal_ids = [store.create("contested", scope=f"scope {number}").id for number in range(5)]
    won = crew.race(_claim_each, [(location, goal_ids, worker) for worker in range(16)])
    assert sorted(goal_id for each in won for goal_id in each) == sorted(goal_ids)
    with telic.connect(location) as store:
        assert all(store.lease(goal_id).worker for goal_id in goal_ids)


def _claim_all_there_is(location: str, worker: int, goals: int) -> list[str]:
    chance = random.Random(worker)
    mine: list[str] = []
    with telic.connect(location, timeout_seconds=60) as store:
        while True:
            leases = store.claim_due(worker=f"worker {worker}", ttl_seconds=HOUR_SECONDS, limit=chance.randint(1, 7))
            mine += [lease.goal.id for lease in leases]
            # Nobody gives a goal back: once all are granted, there is nothing to wait for.
            if not leases and execute(location, _GRANTED)[0][0] == goals:
                return mine


_GRANTED = "SELECT count(*) FROM goals WHERE lease_token > 0"


def _grant_all(location: str, crew: Crew, workers: int, goals: int) -> None:
    with telic.connect(location) as store:
        ids = [store.create("due", scope=f"scope {number}").id for number in range(goals)]
    granted_goals = crew.race(_claim_all_there_is, [(location, worker, goals) for worker in range(workers)])
    assert sorted(goal_id for each in granted_goals for goal_id in each) == sorted(ids)


def test_every_due_goal_is_granted_once(location: str, crew: Crew) -> None:
    """8 processes that ask for some of 120 due goals at a time get all of them, and none twice."""
    _grant_all(location, crew, 8, 120)


@pytest.mark.long
@pytest.mark.timeout(1800)
def test_every_one_of_a_thousand_due_goals_is_granted_once(location: str, crew: Crew) -> None:
    """32 processes and 1,000 due goals."""
    _grant_all(location, crew, 32, 1_000)


def _serve(location: str, worker: int, services: int) -> None:
    with telic.connect(location, timeout_seconds=60) as store:
        while services:
            for lease in store.claim_due(worker=f"worker {worker}", limit=2):
                store.record_turn(lease.goal.id, tokens=1, lease=lease)
                store.release_lease(lease)
                services -= services > 0


def test_no_goal_starves(location: str, crew: Crew) -> None:
    """4 workers that serve 12 goals over and over leave none out, though 8 would keep them busy."""
    with telic.connect(location) as store:
        ids = [store.create("served", scope=f"scope {number}").id for number in range(12)]
    crew.race(_serve, [(location, worker, 30) for worker in range(4)])
    with telic.connect(location) as store:
        turns = [store.get(goal_id).turns_used for goal_id in ids]
    assert sum(turns) >= 120
    assert min(turns) >= 3, turns


@pytest.mark.parametrize("seconds", [HOUR_SECONDS, -HOUR_SECONDS])
def test_a_wall_clock_that_jumps_frees_nothing(location: str, clock: FakeClock, seconds: int) -> None:
    """A lease and a hold of ten minutes outlast a jump of an hour either way, and can be renewed and settled."""
    with telic.connect(location, clock=clock) as store:
        goal = store.create("driven", token_budget=100)
        lease = store.claim(goal.id, worker="worker", ttl_seconds=600)
        store.hold(goal.id, tokens=100, ttl_seconds=600, key="h")
        clock.advance(seconds)
        with pytest.raises(LeaseHeld) as refused:
            store.claim(goal.id, worker="other")
        assert 0 < refused.value.expires_in_microseconds <= 600_000_000
        assert store.claim_due(worker="other") == []
        with pytest.raises(telic.BudgetExceeded):
            store.hold(goal.id, tokens=1)
        lease = store.renew(lease, ttl_seconds=600)
        assert store.record_turn(goal.id, tokens=5, hold="h", lease=lease).goal.tokens_used == 5


def test_sqlites_leases_end_by_a_clock_that_nobody_can_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is the monotonic clock, whatever the wall's clock of the process says."""
    monkeypatch.setattr(time, "time", lambda: 0.0)
    monkeypatch.setattr(time, "time_ns", lambda: 0)
    with telic.connect(tmp_path / "goals.db") as store:
        before = time.monotonic_ns() // 1000
        now = _now(store)
        assert before <= now <= time.monotonic_ns() // 1000
        goal = store.create("driven")
        store.claim(goal.id, worker="worker", ttl_seconds=600)
        (expires_at,) = execute(str(tmp_path / "goals.db"), "SELECT lease_expires_at FROM goals")[0]
        assert now + 600_000_000 <= expires_at <= time.monotonic_ns() // 1000 + 600_000_000


def _now(store: telic.GoalStore) -> Any:
    driver: Any = store._driver
    return driver.database.writer.execute("SELECT telic_now()").get


def test_what_was_granted_before_a_reboot_has_ended(tmp_path: Path) -> None:
    """Its workers are gone with the clock it was granted by: leases are free, holds uncertain, tokens still grow."""
    path = str(tmp_path / "goals.db")
    with telic.connect(path) as store:
        goal = store.create("driven", token_budget=100)
        lease = store.claim(goal.id, worker="worker", ttl_seconds=HOUR_SECONDS)
        store.hold(goal.id, tokens=100, ttl_seconds=HOUR_SECONDS, key="h", frees_on_expiry=True)
        store.record_turn(goal.id, tokens=0, key="before")
    execute(path, "UPDATE store_identity SET boot = 'the run of the machine before'")
    # The clock begins anew: what was granted seems to last longer than ever.
    execute(path, "UPDATE goals SET lease_expires_at = 1 << 52", "UPDATE holds SET expires_at = 1 << 52")
    with telic.connect(path) as store:
        assert store.lease(goal.id).worker is None
        assert [hold.state for hold in store.holds(goal.id)] == [HoldState.EXPIRED]
        with pytest.raises(LeaseLost):
            store.record_turn(goal.id, tokens=1, lease=lease)
        assert store.claim(goal.id, worker="other").token > lease.token
        store.hold(goal.id, tokens=100)
    with telic.connect(path) as store:
        assert store.lease(goal.id).worker == "other"


def _open_and_claim(location: str, goal_id: str, worker: int) -> int:
    store = telic.connect(location, timeout_seconds=60)
    try:
        store.claim(goal_id, worker=f"worker {worker}", ttl_seconds=HOUR_SECONDS)
    except LeaseHeld:
        return 0
    # Not closed: the lease is kept while the others open the file.
    return 1


def test_one_of_many_that_open_after_a_reboot_is_granted(tmp_path: Path, crew: Crew) -> None:
    """Nobody who opens the file later ends what was granted since."""
    path = str(tmp_path / "goals.db")
    with telic.connect(path) as store:
        goal_id = store.create("driven").id
        store.claim(goal_id, worker="dead", ttl_seconds=HOUR_SECONDS)
    execute(path, "UPDATE store_identity SET boot = 'the run of the machine before'")
    assert sum(crew.race(_open_and_claim, [(path, goal_id, worker) for worker in range(12)])) == 1


def _drive_with_short_leases(location: str, goal_id: str, worker: int, turns: int) -> None:
    """Claims for a few milliseconds, renews and writes until the lease is lost, and again.

    A lease that was too short for this machine to write anything is followed by a longer one.
    """
    ttl_seconds = 0.02
    with telic.connect(location, timeout_seconds=240) as store:
        while turns > 0:
            lease = granted(store, goal_id, f"worker {worker}", ttl_seconds=ttl_seconds)
            number = 0
            try:
                for number in range(turns):
                    store.record_turn(goal_id, tokens=1, key=f"{lease.token}-{worker}-{number}", lease=lease)
                    turns -= 1
                    time.sleep(0.006 * (number % 5))
                    lease = store.renew(lease, ttl_seconds=ttl_seconds)
            except LeaseLost:
                ttl_seconds *= 2 if number == 0 else 1


def test_a_renewal_races_with_the_expiry(location: str, crew: Crew) -> None:
    """3 workers with leases of some 20 ms, renewed about as they expire: never does a turn of an older grant follow one
    of a newer, and each grant is one worker's."""
    with telic.connect(location) as store:
        goal_id = store.create("driven").id
    crew.race(_drive_with_short_leases, [(location, goal_id, worker, 25) for worker in range(3)])
    keys = [turn.key.split("-") for turn in checked_history(location, goal_id).turns]
    tokens = [int(token) for token, _, _ in keys]
    assert len(tokens) >= 75
    assert tokens == sorted(tokens)
    assert len({(token, worker) for token, worker, _ in keys}) == len(set(tokens))


@pytest.mark.parametrize("colour", COLOURS)
async def test_what_ends_while_it_is_refused_is_granted(
    tmp_path: Path, colour: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A lease, or a hold, that is there when a call is refused and gone when it is asked why: the call goes on."""
    minute = itertools.count()
    # By this clock a minute passes each time that it is looked at.
    monkeypatch.setattr(sqlite_transaction, "steady_microseconds", lambda *_: next(minute) * 60_000_000)
    async with opened(tmp_path / "goals.db", colour) as store:
        for minutes in range(1, 13):
            goal = await store.create("contested", scope=str(minutes), token_budget=10)
            ttl_seconds = 60 * minutes - 30
            await store.claim(goal.id, worker="first", ttl_seconds=ttl_seconds)
            lease = await _in_the_end(lambda: store.claim(goal.id, worker="second"), LeaseHeld)  # noqa: B023
            assert lease.worker == "second"
            await store.hold(goal.id, tokens=10, ttl_seconds=ttl_seconds, frees_on_expiry=True)
            hold = await _in_the_end(lambda: store.hold(goal.id, tokens=10), telic.BudgetExceeded)  # noqa: B023
            assert hold.state is HoldState.OPEN


async def _in_the_end(call: Callable[[], Awaitable[Any]], refusal: type[telic.GoalError]) -> Any:
    """What the call gives once it is no longer refused."""
    for _ in range(30):
        with contextlib.suppress(refusal):
            return await call()
    raise AssertionError(f"still {refusal.__name__}")

"""Waits under real processes: each goal wakes once, whoever looks, and no signal is lost."""

import random
import threading
import time
from collections import Counter
from typing import Any

import pytest

import telic
from telic import EventKind, GoalStatus, InvalidInput, Reason
from telic.domain.clock import SystemClock
from tests.crash.support import COLOURS, Crew, history_of, opened
from tests.sharing.support import open_transaction


def _claim_until_all_are_granted(location: str, worker: int, seconds: float) -> list[str]:
    """What this worker was granted of goals that become due while it asks."""
    chance = random.Random(worker)
    deadline = time.monotonic() + seconds
    mine: list[str] = []
    with telic.connect(location, timeout_seconds=60) as store:
        while time.monotonic() < deadline:
            leases = store.claim_due(worker=f"worker {worker}", limit=chance.randint(1, 5))
            mine += [lease.goal.id for lease in leases]
    return mine


def _kinds(store: telic.GoalStore, goal_id: str) -> Counter[EventKind]:
    return Counter(event.kind for event in history_of(store, goal_id).events)


def test_goals_that_become_due_at_once_wake_once(location: str, crew: Crew) -> None:
    """6 processes ask at the moment at which 30 goals are due: each wakes once and is granted once."""
    with telic.connect(location) as store:
        goals = [store.create("asleep", scope=f"scope {number}") for number in range(30)]
        moment = SystemClock().now() + 1_000_000
        for goal in goals:
            store.pause(goal.id, reason=Reason.WAITING, wake_at=moment)
    granted = crew.race(_claim_until_all_are_granted, [(location, worker, 2.0) for worker in range(6)])
    with telic.connect(location) as store:
        # Whoever is slow to start, or is skipped by all, is still there to be had.
        rest = [lease.goal.id for lease in store.claim_due(worker="last", limit=100)]
        assert sorted([goal_id for each in granted for goal_id in each] + rest) == sorted(goal.id for goal in goals)
        for goal in goals:
            assert _kinds(store, goal.id) == {EventKind.CREATED: 1, EventKind.PAUSED: 1, EventKind.RESUMED: 1}
    assert len([each for each in granted if each]) > 1


def _asleep(store: telic.GoalStore, scope: str, moment: int) -> str:
    """The id of a goal that sleeps until the moment, with nobody in its place."""
    goal = store.create("asleep", scope=scope)
    store.pause(goal.id, reason=Reason.WAITING, wake_at=moment)
    return goal.id


def test_two_sleepers_of_one_scope_wake_one_after_the_other(location: str, crew: Crew) -> None:
    """Due at the same time, one wakes; the other is kept asleep, and its history says by which."""
    with telic.connect(location) as store:
        moment = SystemClock().now() + 1_000_000
        pairs = [[_asleep(store, f"scope {number}", moment) for _ in range(2)] for number in range(10)]
    crew.race(_claim_until_all_are_granted, [(location, worker, 1.5) for worker in range(6)])
    with telic.connect(location) as store:
        store.claim_due(worker="last", limit=100)
        for pair in pairs:
            now = sorted((store.get(goal_id) for goal_id in pair), key=lambda goal: goal.status)
            assert [(goal.status, goal.reason) for goal in now] == [
                (GoalStatus.ACTIVE, None),
                (GoalStatus.PAUSED, Reason.SUPERSEDED),
            ]
            assert not any(goal.is_waiting for goal in now)
            assert _kinds(store, now[0].id)[EventKind.RESUMED] == 1
            last = store.events(now[1].id)[-1]
            assert (last.kind, last.data["by"]) == (EventKind.KEPT_ASLEEP, now[0].id)
            assert _kinds(store, now[1].id)[EventKind.KEPT_ASLEEP] == 1


def _signal(location: str, name: str) -> list[str]:
    with telic.connect(location, timeout_seconds=60) as store:
        return [goal.id for goal in store.signal(name)]


def test_a_signal_from_another_process_wakes_once(location: str, crew: Crew) -> None:
    """6 processes give the same signal at once: each goal that waits for it wakes once, the others sleep on."""
    with telic.connect(location) as store:
        goals = [store.create("asleep", scope=f"scope {number}") for number in range(12)]
        for number, goal in enumerate(goals):
            store.pause(goal.id, reason=Reason.WAITING, wake_signal=f"ci/{number % 2}")
        woken = crew.race(_signal, [(location, "ci/0") for _ in range(6)])
        assert sorted(goal_id for each in woken for goal_id in each) == sorted(goal.id for goal in goals[::2])
        for goal in goals[::2]:
            assert _kinds(store, goal.id)[EventKind.RESUMED] == 1
        assert all(store.get(goal.id).wake_signal == "ci/1" for goal in goals[1::2])


def test_a_signal_and_a_time_wake_once(location: str, crew: Crew) -> None:
    """A goal that waits for either, where both come at once, has one event that says which it was."""
    with telic.connect(location) as store:
        goals = [store.create("asleep", scope=f"scope {number}") for number in range(10)]
        for goal in goals:
            store.pause(goal.id, reason=Reason.WAITING, wake_at=SystemClock().now(), wake_signal="ci")
    signaller = crew.start(_signal, location, "ci")
    worker = crew.start(_claim_until_all_are_granted, location, 1, 1.0)
    signaller.result()
    worker.result()
    with telic.connect(location) as store:
        for goal in goals:
            assert _kinds(store, goal.id) == {EventKind.CREATED: 1, EventKind.PAUSED: 1, EventKind.RESUMED: 1}


def test_a_signal_is_not_lost_on_a_locked_goal(database: str) -> None:
    """A goal that somebody is writing to at that very moment is waited for: the signal comes once only."""
    with telic.connect(database) as store:
        goal = store.create("asleep")
        store.pause(goal.id, reason=Reason.WAITING, wake_signal="ci")
        with open_transaction(database) as other:
            other.connection.execute("SELECT 1 FROM goals WHERE id = %s FOR UPDATE", (goal.id,))
            woken: list[telic.Goal] = []
            thread = threading.Thread(target=lambda: woken.extend(store.signal("ci")))
            thread.start()
            thread.join(0.3)
            other.connection.rollback()
        thread.join()
        assert [each.id for each in woken] == [goal.id]
        assert store.get(goal.id).status is GoalStatus.ACTIVE


@pytest.mark.parametrize("colour", COLOURS)
async def test_a_scope_whose_goal_is_driven_has_nothing_due(location: str, colour: str) -> None:
    """Neither for others nor for whoever drives it, whose lease stays as it is."""
    async with opened(location, colour) as store:
        goal = await store.create("driven", scope="mine")
        (lease,) = await store.claim_due(worker="worker", scope="mine")
        assert await store.claim_due(worker="other", scope="mine") == []
        assert await store.claim_due(worker="worker", scope="mine") == []
        assert (await store.renew(lease)).token == lease.token
        await store.release_lease(lease)
        assert [each.goal.id for each in await store.claim_due(worker="other", scope="mine")] == [goal.id]


UNUSABLE = (
    {"limit": -1},
    {"limit": 0},
    {"limit": True},
    {"limit": 1_001},
    {"scope": ""},
    {"scope": "\ud800"},
    {"scope": 5},
)


@pytest.mark.parametrize("colour", COLOURS)
async def test_what_cannot_be_asked_for_wakes_nobody(location: str, colour: str) -> None:
    """A bad limit is refused with a scope as well, and a bad scope before it reaches the database."""
    async with opened(location, colour) as store:
        goal = await store.create("asleep")
        asleep = await store.pause(goal.id, reason=Reason.WAITING, wake_at=1)
        more: tuple[dict[str, Any], ...] = ({}, {"scope": "default"})
        for arguments in [each | unusable for each in more for unusable in UNUSABLE]:
            with pytest.raises(InvalidInput):
                await store.claim_due(worker="worker", **arguments)
        assert await store.get(goal.id) == asleep

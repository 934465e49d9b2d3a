"""What a call costs on the wire, counted by a proxy."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

import telic
from telic import GoalStatus
from tests.postgres.faces import OpenStore, Threaded
from tests.support.tcp_proxy import TcpProxy

ROUND_TRIP_SECONDS = 0.02
WARM_UP = 3
MEASURED = 5

Call = Callable[[Any, str, int], Awaitable[Any]]
HOT_CALLS: dict[str, Call] = {
    "get": lambda store, goal_id, number: store.get(goal_id),
    "active": lambda store, goal_id, number: store.active(),
    "record_turn": lambda store, goal_id, number: store.record_turn(goal_id, tokens=5, key=f"turn-{number}"),
    "create": lambda store, goal_id, number: store.create(f"goal {number}"),
    "find": lambda store, goal_id, number: store.find(goal_id[:20]),
    "list": lambda store, goal_id, number: store.list(),
    "events": lambda store, goal_id, number: store.events(goal_id),
    "hold": lambda store, goal_id, number: store.hold(goal_id, tokens=5, key=f"hold-{number}"),
    "claim": lambda store, goal_id, number: store.claim(goal_id, worker="worker"),
    "claim a scope's": lambda store, goal_id, number: store.claim(scope="default", worker="worker"),
    "cursor": lambda store, goal_id, number: store.cursor(),
    "feed": lambda store, goal_id, number: store.events(),
}


async def measure(proxy: TcpProxy, call: Callable[[int], Awaitable[Any]]) -> set[int]:
    """The round trips of each of several calls, after the first ones, which prepare statements."""
    bursts: set[int] = set()
    for number in range(WARM_UP + MEASURED):
        before = proxy.bursts
        await call(number)
        if number >= WARM_UP:
            bursts.add(proxy.bursts - before)
    return bursts


@pytest.mark.parametrize("name", HOT_CALLS)
async def test_a_hot_call_is_one_round_trip(name: str, open_store: OpenStore, proxy: TcpProxy, proxied: str) -> None:
    """Each costs exactly one round trip; what that takes is measured by the benchmarks."""
    async with open_store(proxied) as store:
        goal = await store.create("far away")
        proxy.delay_seconds = ROUND_TRIP_SECONDS / 2
        bursts = await measure(proxy, lambda number: HOT_CALLS[name](store, goal.id, number))
        assert bursts == {1}


async def test_a_transition_is_one_round_trip(open_store: OpenStore, proxy: TcpProxy, proxied: str) -> None:
    """Pausing, resuming (which pushes out another goal) and clearing cost exactly one round trip each."""
    async with open_store(proxied) as store:
        goals = [await store.create(f"goal {number}") for number in range(8)]
        proxy.delay_seconds = ROUND_TRIP_SECONDS / 2
        to_active = await measure(
            proxy, lambda number: store.transition(goals[number % 2].id, GoalStatus.ACTIVE, expected_revision=None)
        )
        await store.resume(goals[7].id)
        moves = [GoalStatus.PAUSED, GoalStatus.ACTIVE]
        to_either = await measure(proxy, lambda number: store.transition(goals[7].id, moves[number % 2]))
        to_cleared = await measure(proxy, lambda number: store.clear(goals[number].id))
        assert to_active == to_either == to_cleared == {1}


async def test_a_turn_of_a_worker_is_one_round_trip(open_store: OpenStore, proxy: TcpProxy, proxied: str) -> None:
    """Renewing, holding, and recording a turn that settles its hold under a lease cost exactly one each."""
    async with open_store(proxied) as store:
        goal = await store.create("driven", token_budget=1_000_000)
        lease = await store.claim(goal.id, worker="worker")
        proxy.delay_seconds = ROUND_TRIP_SECONDS / 2
        to_renew = await measure(proxy, lambda number: store.renew(lease))
        to_hold = await measure(proxy, lambda number: store.hold(goal.id, tokens=5, key=f"hold-{number}", lease=lease))
        to_settle = await measure(
            proxy,
            lambda number: store.record_turn(
                goal.id, tokens=5, key=f"turn-{number}", hold=f"hold-{number}", lease=lease
            ),
        )
        assert to_renew == to_hold == to_settle == {1}
        for number in range(WARM_UP + MEASURED):
            await store.hold(goal.id, tokens=5, key=f"unused-{number}")
        to_release = await measure(proxy, lambda number: store.release(goal.id, f"unused-{number}", lease=lease))
        assert to_release == {1}


async def test_a_repeated_or_refused_call_costs_little_more(
    open_store: OpenStore, proxy: TcpProxy, proxied: str
) -> None:
    """A turn's repeat is one round trip as well; the reason of a refusal is asked for in at most two more."""
    async with open_store(proxied) as store:
        goal = await store.create("again")
        repeated = await measure(proxy, lambda number: store.record_turn(goal.id, tokens=5, key="the same"))
        assert repeated == {1}

        async def refused(number: int) -> None:
            with pytest.raises(telic.StaleUpdate):
                await store.pause(goal.id, expected_revision=99)

        bursts = await measure(proxy, refused)
        assert max(bursts) <= 3


async def test_a_transaction_is_at_most_six_round_trips(open_store: OpenStore, proxy: TcpProxy, proxied: str) -> None:
    """BEGIN, lock, look for the key, change, write the history, COMMIT."""
    async with open_store(proxied) as store:
        goal = await store.create("several statements")
        for call in (
            lambda number: store.edit(goal.id, text=f"text {number}"),
            lambda number: store.set_budget(goal.id, telic.Budget(tokens=1_000 + number)),
        ):
            bursts = await measure(proxy, call)
            assert max(bursts) <= 6


async def test_many_callers_share_round_trips(open_store: OpenStore, proxy: TcpProxy, proxied: str) -> None:
    """64 callers cost at most a round trip each, and tasks share them."""
    async with open_store(proxied, pool_size=16) as store:
        goals = [await store.create("one of many", scope=f"scope-{number}") for number in range(64)]
        await asyncio.gather(*(store.record_turn(goal.id, tokens=1, key="warm up") for goal in goals))
        proxy.delay_seconds = ROUND_TRIP_SECONDS / 2
        before = proxy.bursts
        await asyncio.gather(*(store.record_turn(goal.id, tokens=1, key="measured") for goal in goals))
        assert proxy.bursts - before <= (64 if isinstance(store, Threaded) else 32)

"""A network that takes everything and answers nothing: every call ends in time, and the store survives it."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

import telic
from tests.postgres.faces import OPENERS, OpenStore, ledger_of, retried
from tests.support.tcp_proxy import TcpProxy

TIMEOUT_SECONDS = 2
"""The hole stays until every call has ended: one that does not keep to its time-out never ends."""

CALLS: dict[str, Callable[[Any, str], Awaitable[Any]]] = {
    "get": lambda store, goal_id: store.get(goal_id),
    "active": lambda store, goal_id: store.active(scope="active"),
    "create": lambda store, goal_id: store.create("during the hole", scope="other", key="in the hole"),
    "pause": lambda store, goal_id: store.pause(goal_id, key="in the hole"),
    "record_turn": lambda store, goal_id: store.record_turn(goal_id, tokens=3, key="in the hole"),
    "edit": lambda store, goal_id: store.edit(goal_id, text="edited", key="in the hole"),
    "list": lambda store, goal_id: store.list(),
}
READS = {"get", "active", "list"}


async def _call_in_the_hole(name: str, open_store: OpenStore, proxied: str, ready: asyncio.Barrier) -> None:
    async with open_store(proxied, timeout_seconds=TIMEOUT_SECONDS) as store:
        goal = await store.create(f"the hole of {name}", scope=name)
        await ready.wait()
        await ready.wait()
        with pytest.raises((telic.errors.StoreUnavailable, telic.OutcomeUnknown, telic.errors.StoreBusy)) as failure:
            await CALLS[name](store, goal.id)
        assert name not in READS or not isinstance(failure.value, telic.OutcomeUnknown)
        await ready.wait()
        await ready.wait()
        await retried(lambda: CALLS[name](store, goal.id))
        turns = await ledger_of(store, goal.id)
        assert turns == ({"in the hole": 3} if name == "record_turn" else {})
        events = await store.events(goal.id)
        assert [event.key for event in events].count("in the hole") == (1 if name in {"pause", "edit"} else 0)
        if name == "create":
            assert len((await store.list(scope="other")).goals) == 1


async def test_calls_into_a_black_hole_end_in_time_and_work_afterwards(
    open_store: OpenStore, proxy: TcpProxy, proxied: str
) -> None:
    """A typed retryable error at the time-out, also of opening; a repeat with the same key happens exactly once."""
    ready = asyncio.Barrier(len(CALLS) + 1)
    async with asyncio.TaskGroup() as calls:
        for name in CALLS:
            calls.create_task(_call_in_the_hole(name, open_store, proxied, ready))
        await ready.wait()
        proxy.hold()
        await ready.wait()
        await _open_in_the_hole(open_store, proxied)
        await ready.wait()
        proxy.release()
        await ready.wait()


async def test_many_calls_in_a_black_hole_all_end_in_time(open_store: OpenStore, proxy: TcpProxy, proxied: str) -> None:
    """More callers than connections are all told in time, and none of the pool's places is lost for good."""
    async with open_store(proxied, timeout_seconds=TIMEOUT_SECONDS, pool_size=2) as store:
        goal = await store.create("many callers")
        await asyncio.gather(*(store.edit(goal.id, text=f"text {number}") for number in range(8)))
        proxy.hold()

        async def record(number: int) -> None:
            with pytest.raises((telic.errors.StoreUnavailable, telic.OutcomeUnknown, telic.errors.StoreBusy)):
                await store.record_turn(goal.id, tokens=number, key=f"turn-{number}")

        await asyncio.gather(*map(record, range(8)))
        proxy.release()
        for number in range(8):
            await retried(lambda: store.record_turn(goal.id, tokens=number, key=f"turn-{number}"))  # noqa: B023
        assert await ledger_of(store, goal.id) == {f"turn-{number}": number for number in range(8)}
        await asyncio.gather(*(store.edit(goal.id, text=f"text {number}") for number in range(8)))


async def _open_in_the_hole(open_store: OpenStore, proxied: str) -> None:
    """A server that accepts and says nothing is unavailable, not waited for."""
    with pytest.raises(telic.errors.StoreUnavailable):
        async with open_store(proxied, timeout_seconds=TIMEOUT_SECONDS):
            pass


async def test_closing_in_a_black_hole_ends_in_time(open_store: OpenStore, proxy: TcpProxy, proxied: str) -> None:
    """A store can be closed while nothing answers."""
    async with open_store(proxied, timeout_seconds=TIMEOUT_SECONDS) as store:
        goal = await store.create("closing time")
        proxy.hold()
        lost = asyncio.create_task(store.record_turn(goal.id, tokens=1))
        await asyncio.sleep(0.05)
    with pytest.raises(telic.OutcomeUnknown):
        await lost


async def test_a_cancelled_caller_leaves_the_store_in_order(proxy: TcpProxy, proxied: str, database: str) -> None:
    """Cancelling an async call in mid-flight costs its connection at most: other callers go on."""
    async with OPENERS["async"](proxied, timeout_seconds=5, pool_size=2) as store:
        goal = await store.create("cancel me")
        await asyncio.gather(*(store.edit(goal.id, text=f"text {number}") for number in range(8)))
        proxy.delay_seconds = 0.03
        for number in range(6):
            calls = [store.record_turn(goal.id, tokens=1, key=f"turn-{number}"), store.edit(goal.id, text=f"{number}")]
            tasks = [asyncio.create_task(call) for call in calls]
            await asyncio.sleep(number / 50)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        proxy.delay_seconds = 0.0
        for number in range(6):
            await store.record_turn(goal.id, tokens=1, key=f"turn-{number}")
        assert await ledger_of(store, goal.id) == {f"turn-{number}": 1 for number in range(6)}

"""A goal that another session keeps locked: its callers wait until the time-out, all others go on."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest

import telic
from tests.postgres.faces import OPENERS, OpenStore, ledger_of
from tests.support.tcp_proxy import TcpProxy

LOCKING_CALLS: dict[str, Callable[[Any, str], Awaitable[Any]]] = {
    "record_turn": lambda store, goal_id: store.record_turn(goal_id, tokens=1, key="waiting"),
    "pause": lambda store, goal_id: store.pause(goal_id, key="waiting"),
    "create": lambda store, goal_id: store.create("the successor", scope="create", key="waiting"),
    "edit": lambda store, goal_id: store.edit(goal_id, text="edited", key="waiting"),
    "complete": lambda store, goal_id: store.complete(goal_id, key="waiting"),
}


@contextmanager
def locked(url: str, *goal_ids: str) -> Iterator[None]:
    """Inside, another session holds the goals' rows, as a stopped process in a transaction would."""
    with psycopg.connect(url) as other:
        other.execute("SELECT 1 FROM goals WHERE id = ANY(%s) FOR UPDATE", (list(goal_ids),))
        yield
        other.rollback()


async def test_a_locked_goal_is_waited_for_until_the_time_out(open_store: OpenStore, database: str) -> None:
    """StoreBusy at the time-out, with nothing written; once the lock is gone the same call succeeds."""
    async with open_store(database, timeout_seconds=1) as store:
        goals = {name: await store.create("locked by somebody else", scope=name) for name in LOCKING_CALLS}

        async def call_in_vain(name: str) -> None:
            started = time.monotonic()
            with pytest.raises(telic.errors.StoreBusy):
                await LOCKING_CALLS[name](store, goals[name].id)
            assert time.monotonic() - started > 0.9
            assert await store.get(goals[name].id) == goals[name]

        with locked(database, *(goal.id for goal in goals.values())):
            await asyncio.gather(*map(call_in_vain, LOCKING_CALLS))
        for name, goal in goals.items():
            await LOCKING_CALLS[name](store, goal.id)
            events, turns = await store.events(goal.id), await store.turns(goal.id)
            keys = [event.key for event in events] + [turn.key for turn in turns]
            assert keys.count("waiting") == (0 if name == "create" else 1)
        assert (await store.get(goals["create"].id)).reason is telic.Reason.SUPERSEDED


async def test_a_lock_that_is_let_go_in_time_costs_no_error(open_store: OpenStore, database: str) -> None:
    """Waiting callers get through as soon as the lock is gone, each turn once."""
    async with open_store(database, timeout_seconds=240) as store:
        goal = await store.create("locked for a moment")
        with locked(database, goal.id):
            calls = [store.record_turn(goal.id, tokens=1, key=f"turn-{number}") for number in range(6)]
            waiting = [asyncio.ensure_future(call) for call in calls]
            await asyncio.sleep(0.7)
            assert not [call for call in waiting if call.done()]
        await asyncio.gather(*waiting)
        assert await ledger_of(store, goal.id) == {f"turn-{number}": 1 for number in range(6)}


async def test_a_locked_goal_does_not_hold_up_the_others(open_store: OpenStore, database: str) -> None:
    """While a queue of callers waits for one goal, turns on other goals and reads go on."""
    async with open_store(database, timeout_seconds=240, pool_size=8) as store:
        stuck = await store.create("stuck", scope="stuck")
        others = [await store.create("others", scope=f"scope-{number}") for number in range(8)]
        with locked(database, stuck.id):
            waiting = [
                asyncio.ensure_future(store.record_turn(stuck.id, tokens=1, key=f"{number}")) for number in range(6)
            ]
            await asyncio.sleep(0.05)
            for number in range(3):
                await asyncio.gather(*(store.record_turn(other.id, tokens=1, key=f"{number}") for other in others))
                assert (await store.get(stuck.id)).turns_used == 0
                assert (await store.active(scope="stuck")) == stuck
            assert not [call for call in waiting if call.done()]
        await asyncio.gather(*waiting)
        for other in others:
            assert await ledger_of(store, other.id) == {"0": 1, "1": 1, "2": 1}
        assert await ledger_of(store, stuck.id) == {f"{number}": 1 for number in range(6)}


async def test_callers_that_share_a_batch_with_a_locked_goal_go_on(database: str) -> None:
    """Of tasks whose statements are sent together one meets a lock: the rest are done while it waits."""
    async with OPENERS["async"](database, timeout_seconds=240, pool_size=2) as store:
        goals = [await store.create("one of many", scope=f"scope-{number}") for number in range(12)]
        with locked(database, goals[5].id):
            calls = [asyncio.ensure_future(store.record_turn(goal.id, tokens=2, key="same moment")) for goal in goals]
            await asyncio.gather(*(calls[:5] + calls[6:]))
            assert not calls[5].done()
        assert (await calls[5]).goal.tokens_used == 2


async def test_a_transaction_that_goes_silent_is_ended_by_the_server(
    open_store: OpenStore, proxy: TcpProxy, proxied: str, database: str
) -> None:
    """A store that is cut off between BEGIN and COMMIT locks the goal until its own time-out, not until others'."""
    async with open_store(database, timeout_seconds=240) as other, open_store(proxied, timeout_seconds=1) as silent:
        goal = await other.create("silence")
        proxy.hold_after(goal.id.encode())
        edit = asyncio.ensure_future(silent.edit(goal.id, text="never"))
        await asyncio.sleep(0.2)
        assert (await other.record_turn(goal.id, tokens=1, key="patience")).turn.number == 1
        with pytest.raises(telic.errors.StoreUnavailable):
            await edit
        proxy.release()
        assert (await other.get(goal.id)).text == "silence"

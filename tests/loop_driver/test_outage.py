"""The store goes away during a turn: the loop outlasts it, and the ledger is exact."""

import asyncio
import signal
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

import telic
from telic import Reason
from telic.domain.clock import SystemClock
from tests.loop_driver.world import DONE_IS_THERE, ScriptedAgent, Waiter, World, eventually, makes, report
from tests.support.postgres_server import PostgresServer
from tests.support.tcp_proxy import TcpProxy


@pytest.fixture
async def own_world(own_server: PostgresServer, workspace: Path) -> AsyncIterator[World]:
    async with telic.connect_async(own_server.url(), timeout_seconds=2) as store:
        yield World(store, workspace, SystemClock())


async def test_an_outage_during_a_turn_is_outlasted(own_server: PostgresServer, own_world: World) -> None:
    """While the agent works, and again at the moment when its turn is to be recorded: each counts once."""
    goal = await own_world.store.create("outlast", criteria=[DONE_IS_THERE], token_budget=500_000)
    waiter = Waiter(report())
    restarts: list[asyncio.Task[None]] = []

    def away_for(seconds: float) -> None:
        own_server.stop(signal.SIGQUIT)

        async def come_back() -> None:
            await asyncio.sleep(seconds)
            await asyncio.to_thread(own_server.start)

        restarts.append(asyncio.create_task(come_back()))

    def away_at_the_end(request: Any) -> Any:
        made = makes("done")(request)
        away_for(1)
        return made

    agent = ScriptedAgent([waiter, away_at_the_end])
    running = asyncio.create_task(own_world.run(goal, agent, lease_seconds=60, heartbeat_seconds=0.2))
    await waiter.began.wait()
    away_for(1)
    await asyncio.sleep(1.5)
    waiter.may_end.set()
    ended = await running
    await asyncio.gather(*restarts)
    assert (ended.reason, ended.turns_used, ended.tokens_used) == (Reason.VERIFIED, 2, 200)
    assert await own_world.turn_keys(goal.id) == ["loop/turn-1", "loop/turn-2"]
    assert len(agent.requests) == 2
    assert not waiter.was_cancelled


async def test_an_outage_longer_than_the_lease_ends_the_turn(own_server: PostgresServer, own_world: World) -> None:
    """Another worker may have the goal by then: the agent is stopped, and nothing recorded."""
    goal = await own_world.store.create("too long")
    waiter = Waiter(report())
    running = asyncio.create_task(own_world.loop(ScriptedAgent([waiter]), lease_seconds=4.0).run(goal.id))
    await waiter.began.wait()
    own_server.stop(signal.SIGQUIT)
    await eventually(lambda: waiter.was_cancelled)
    with pytest.raises(telic.LeaseLost):
        await running
    await asyncio.to_thread(own_server.start)
    assert await own_world.store.turns(goal.id) == []
    assert (await own_world.store.get(goal.id)).status is telic.GoalStatus.ACTIVE


async def test_a_store_that_never_answers_ends_the_turn_with_the_lease(postgres_url: str, workspace: Path) -> None:
    """The agent is stopped then, not when the store's own time-out has passed."""
    with TcpProxy(urlsplit(postgres_url).port or 5432) as proxy:
        async with telic.connect_async(proxy.url(postgres_url), timeout_seconds=60) as store:
            world = World(store, workspace, SystemClock())
            goal = await store.create("black hole", scope="black hole")
            waiter = Waiter(report())
            running = asyncio.create_task(world.loop(ScriptedAgent([waiter]), lease_seconds=4.0).run(goal.id))
            await waiter.began.wait()
            proxy.hold()
            with pytest.raises(telic.LeaseLost):
                await asyncio.wait_for(running, 240)
            assert waiter.was_cancelled
            proxy.release()

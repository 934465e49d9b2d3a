"""A turn that was paid is recorded, however long the store takes nothing: because it is away, or full."""

import asyncio
from typing import Any

import pytest

import telic
from telic import Reason
from tests.loop_driver.world import CLAIM, ScriptedAgent, World, eventually, until

LEASE_SECONDS = 1.0


class Refusing:
    """A store's driver that refuses whatever writes, while it is told to."""

    def __init__(self, store: Any, error: telic.StoreError) -> None:
        self._driver = store._driver
        self._error = error
        self.is_refusing = False
        self.refused = 0
        store._driver = self

    async def run(self, operation: Any, mode: Any, key: Any) -> Any:
        if self.is_refusing and mode.name != "READ":
            self.refused += 1
            raise self._error
        return await self._driver.run(operation, mode, key)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._driver, name)


@pytest.mark.parametrize(
    "error", [telic.errors.StoreFull("full"), telic.errors.StoreUnavailable("away")], ids=["full", "away"]
)
async def test_a_finished_turn_outlasts_its_lease(world: World, error: telic.StoreError) -> None:
    """It is recorded when the store takes it again, and is not taken a second time."""
    goal = await world.store.create("paid")
    store = Refusing(world.store, error)

    def finish(_: Any) -> Any:
        store.is_refusing = True
        return CLAIM

    agent = ScriptedAgent([finish])
    running = asyncio.create_task(world.run(goal, agent, lease_seconds=LEASE_SECONDS))
    await eventually(lambda: store.refused > 2)
    await asyncio.sleep(LEASE_SECONDS * 1.5)
    assert not running.done()
    store.is_refusing = False
    ended = await running
    assert (ended.reason, ended.turns_used, ended.tokens_used) == (Reason.ASSERTED, 1, 100)
    assert len(agent.requests) == 1


async def test_a_finished_turn_of_a_goal_that_was_stopped_counts(world: World, location: str) -> None:
    """Its goal has no worker any more, and needs none for the ledger."""
    goal = await world.store.create("paid")
    store = Refusing(world.store, telic.errors.StoreFull("full"))

    def finish(_: Any) -> Any:
        store.is_refusing = True
        return CLAIM

    running = asyncio.create_task(world.run(goal, ScriptedAgent([finish]), lease_seconds=LEASE_SECONDS))
    await eventually(lambda: store.refused > 2)
    await asyncio.sleep(LEASE_SECONDS * 1.5)
    async with telic.connect_async(location) as other:
        await other.pause(goal.id)
    store.is_refusing = False
    ended = await running
    assert (ended.reason, ended.turns_used) == (Reason.USER, 1)


async def test_a_turn_that_another_worker_took_is_left_to_it(world: World, location: str) -> None:
    """Whoever comes back too late records nothing."""
    goal = await world.store.create("paid")
    store = Refusing(world.store, telic.errors.StoreFull("full"))

    def finish(_: Any) -> Any:
        store.is_refusing = True
        return CLAIM

    running = asyncio.create_task(world.loop(ScriptedAgent([finish]), lease_seconds=LEASE_SECONDS).run(goal.id))
    await eventually(lambda: store.refused > 2)
    async with telic.connect_async(location) as other:

        async def is_free() -> bool:
            return (await other.lease(goal.id)).worker is None

        await until(is_free)
        await other.claim(goal.id, worker="successor")
    store.is_refusing = False
    with pytest.raises(telic.LeaseLost):
        await running
    assert await world.store.turns(goal.id) == []

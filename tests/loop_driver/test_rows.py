"""Where a loop stands is a row: written under the lease, read strictly, begun anew by people only."""

import json
from dataclasses import replace
from typing import Any

import pytest

import telic
from telic import Actor, Budget
from telic.domain.budget import UsageKind
from telic.domain.loop_state import LoopState
from telic.loop.run_context import LoopRecords
from telic.storage.operations.ledger import NewTurn
from telic.storage.operations.loop import KeyedTurn, TurnHold
from telic.testing.contract import SHORT_SECONDS, expire
from tests.loop_driver.world import World
from tests.support.raw import execute

FULL = LoopState(turns=3, failures=2, idle_turns=1, quota_waits=1, verifications=4, session="s", note="n", work="☃")


async def test_every_counter_survives_a_restart(world: World, location: str) -> None:
    """Another process reads what this one wrote."""
    goal = await world.store.create("state")
    lease = await world.store.claim(goal.id, worker="worker")
    await LoopRecords(world.store, goal.id).save(lease, FULL)
    async with telic.connect_async(location) as other:
        found, state = await LoopRecords(other, goal.id).load()
    assert found == goal
    assert state == replace(FULL, seen_events=1)


async def test_nothing_is_written_without_the_lease(world: World) -> None:
    """Neither state nor turn nor hold, by a worker whose lease expired or is another's."""
    goal = await world.store.create("state", token_budget=100)
    records = LoopRecords(world.store, goal.id)
    old = await world.store.claim(goal.id, worker="old", ttl_seconds=SHORT_SECONDS)
    await expire()
    turn = KeyedTurn(NewTurn(telic.TurnUsage(tokens=5)), "loop/turn-1")
    hold = TurnHold("loop/turn-1", "loop/turn-1/lease-1", 50, 1, 60)
    for _ in range(2):
        for write in (
            records.save(old, FULL),
            records.finish_turn(old, turn, FULL),
            records.begin_turn(old, hold),
            records.pause(old, telic.Reason.STALLED, FULL),
        ):
            with pytest.raises(telic.LeaseLost):
                await write
        await world.store.claim(goal.id, worker="new")
    assert await world.state(goal.id) == LoopState(seen_events=1)
    assert await world.store.get(goal.id) == goal
    assert await world.store.holds(goal.id) == []


async def test_a_turns_hold_is_raised_to_what_it_used(world: World) -> None:
    """Never lowered, also beyond the budget, and by the lease's worker alone, as long as it is open."""
    goal = await world.store.create("told", token_budget=100)
    records = LoopRecords(world.store, goal.id)
    lease = await world.store.claim(goal.id, worker="worker")
    hold = await records.begin_turn(lease, TurnHold("loop/turn-1", "loop/turn-1/lease-1", 50, 1, 60))

    async def raised(lease: telic.Lease, tokens: int, cost: int) -> tuple[int, int, int]:
        await records.raise_hold(lease, hold, telic.TurnUsage(tokens=tokens, cost_microunits=cost))
        [found] = await world.store.holds(goal.id)
        return found.reserved.tokens, found.reserved.cost_microunits, found.reserved.turns

    assert await raised(lease, 40, 7) == (50, 7, 1)
    assert await raised(lease, 150, 3) == (150, 7, 1)
    assert await raised(replace(lease, token=lease.token - 1), 200, 9) == (150, 7, 1)
    await records.finish_turn(lease, KeyedTurn(NewTurn(telic.TurnUsage(tokens=60), hold=hold.key), "loop/turn-1"), FULL)
    assert await raised(lease, 200, 9) == (150, 7, 1)
    assert (await world.store.get(goal.id)).tokens_used == 60


@pytest.mark.parametrize("actor", sorted(Actor))
async def test_people_begin_the_counts_anew(world: World, actor: Actor) -> None:
    """By resuming, editing or a new budget; what wakes by itself begins nothing."""
    goal = await world.store.create("state", token_budget=100)
    lease = await world.store.claim(goal.id, worker="worker")
    await LoopRecords(world.store, goal.id).save(lease, FULL)
    await world.store.pause(goal.id, wake_signal="go")
    assert (await world.state(goal.id)).failures == 2
    await world.store.signal("go")
    assert (await world.state(goal.id)).failures == 2
    changes: list[Any] = [
        lambda: world.store.edit(goal.id, text="new", actor=actor),
        lambda: world.store.set_budget(goal.id, Budget(tokens=7), actor=actor),
    ]
    for change in changes:
        await LoopRecords(world.store, goal.id).save(lease, FULL)
        if actor in (Actor.USER, Actor.OPERATOR, Actor.HOST):
            await change()
            state = await world.state(goal.id)
            assert (state.failures, state.idle_turns, state.quota_waits, state.turns) == (0, 0, 0, 3)
        else:
            with pytest.raises(telic.NotAllowed):
                await change()


async def test_a_turn_that_is_taken_over_counts_once_and_what_its_dead_worker_held_at_once(world: World) -> None:
    """What it may have cost is an estimate in the ledger, not the turn, which will be recorded once."""
    goal = await world.store.create("die", budget=Budget(turns=1, tokens=60))
    records = LoopRecords(world.store, goal.id)
    first = await world.store.claim(goal.id, worker="worker")
    await records.begin_turn(first, TurnHold("loop/turn-1", "loop/turn-1/lease-1", 50, 1, 60))
    second = await world.store.claim(goal.id, worker="worker")
    asked = TurnHold("loop/turn-1", "loop/turn-1/lease-2", 50, 1, 60)
    hold = await records.begin_turn(second, asked)
    assert (hold.reserved.turns, hold.reserved.tokens) == (1, 10)
    assert await records.begin_turn(second, asked) == hold
    states = {hold.key: (hold.state.value, hold.reserved.tokens) for hold in await world.store.holds(goal.id)}
    assert states == {"loop/turn-1/lease-1": ("estimated", 50), "loop/turn-1/lease-2": ("open", 10)}
    (estimate,) = await world.store.turns(goal.id)
    assert (estimate.usage.tokens, estimate.is_estimate, estimate.kind) == (50, True, UsageKind.SUB_AGENT)
    found = await world.store.get(goal.id)
    assert (found.turns_used, found.tokens_used, found.estimated_lines) == (0, 50, 1)


async def test_a_dead_workers_estimate_may_reach_the_budget(world: World) -> None:
    """It is in the ledger, and the goal paused, although no other turn may begin."""
    goal = await world.store.create("die", budget=Budget(tokens=60, cost_microunits=100))
    records = LoopRecords(world.store, goal.id)
    first = await world.store.claim(goal.id, worker="worker")
    hold = await records.begin_turn(first, TurnHold("loop/turn-1", "loop/turn-1/lease-1", 50, 10, 60))
    assert (hold.reserved.tokens, hold.reserved.cost_microunits) == (50, 10)
    await records.raise_hold(first, hold, telic.TurnUsage(tokens=50, cost_microunits=100))
    second = await world.store.claim(goal.id, worker="worker")
    with pytest.raises(telic.GoalNotActive):
        await records.begin_turn(second, TurnHold("loop/turn-1", "loop/turn-1/lease-2", 50, 10, 60))
    found = await world.store.get(goal.id)
    assert (found.reason, found.usage.cost_microunits, found.estimated_lines) == (telic.Reason.BUDGET, 100, 1)


GOOD = json.loads(FULL.as_text())
ADDED = {"outages", "asked_pause", "tells_usage"}
"""What the rows of the first release do not have."""


MALFORMED = [
    "",
    "{",
    "[]",
    "7",
    "null",
    "[" * 100_000,
    "{}",
    *(json.dumps({name: value for name, value in GOOD.items() if name != left}) for left in GOOD.keys() - ADDED),
    json.dumps(GOOD | {"more": 1}),
    *(
        json.dumps(GOOD | {name: bad})
        for name in ("turns", "failures", "next_at", "seen_events", "tool_effects")
        for bad in (-1, 2**53, True, 1.0, "1", None)
    ),
    *(json.dumps(GOOD | {"claim": bad}) for bad in ("done", None, 1, "waiting")),
    *(json.dumps(GOOD | {"tells_usage": bad}) for bad in (2, "true", [])),
    *(json.dumps(GOOD | {"note": bad}) for bad in (1, "x" * 4_001, "\ud800", "\0")),
    *(json.dumps(GOOD | {"work": bad}) for bad in (None, [], "x" * 12_001)),
    *(
        json.dumps(GOOD | {name: bad})
        for name in ("passed_hashes", "workspace_hashes")
        for bad in (None, 1, "abc", [1], ["x"], [None], {"a": 1})
    ),
    *(json.dumps(GOOD | {"wake_signal": bad}) for bad in ("", 1, "x" * 201)),
    *(json.dumps(GOOD | {"wake_at": bad}) for bad in ("now", -1, True)),
]


async def test_a_state_that_cannot_be_understood_names_its_goal(world: World, location: str) -> None:
    """Never a default: no loop begins with it."""
    goal = await world.store.create("state")
    await LoopRecords(world.store, goal.id).save(await world.store.claim(goal.id, worker="w"), FULL)
    for text in MALFORMED:
        quoted = text.replace("'", "''")
        execute(location, f"UPDATE loop_states SET state = '{quoted}' WHERE goal_id = '{goal.id}'")
        with pytest.raises(telic.errors.StoreCorrupt, match=goal.id):
            await world.state(goal.id)


async def test_a_state_of_the_first_release_is_read(world: World, location: str) -> None:
    """What it does not have yet begins as in a new one."""
    goal = await world.store.create("state")
    await LoopRecords(world.store, goal.id).save(await world.store.claim(goal.id, worker="w"), FULL)
    text = json.dumps({name: value for name, value in GOOD.items() if name not in ADDED}, ensure_ascii=True)
    execute(location, f"UPDATE loop_states SET state = '{text}' WHERE goal_id = '{goal.id}'")
    found = await world.state(goal.id)
    assert (found.turns, found.failures, found.outages, found.asked_pause) == (3, 2, 0, 0)

"""Races that PostgreSQL settles with an error: the store runs the call again, and users never see it."""

import asyncio
from typing import Any

import psycopg
import pytest

import telic
from telic import GoalStatus, Reason
from tests.postgres.faces import OpenStore, ledger_of


async def all_goals(store: Any) -> list[telic.Goal]:
    return list((await store.list(limit=1000)).goals)


async def test_many_creations_in_one_scope_leave_one_active_goal(open_store: OpenStore, database: str) -> None:
    """Every creation succeeds, exactly one goal is active, and each other was superseded once."""
    async with open_store(database, pool_size=16) as store, open_store(database, pool_size=16) as rival:
        creations = [(store, rival)[number % 2].create(f"goal {number}", key=f"key-{number}") for number in range(60)]
        created = await asyncio.gather(*creations)
        goals = await all_goals(store)
        assert {goal.id for goal in goals} == {goal.id for goal in created}
        active = [goal for goal in goals if goal.status is GoalStatus.ACTIVE]
        assert active == [await store.active()]
        assert {(goal.status, goal.reason, goal.revision) for goal in goals if goal not in active} == {
            (GoalStatus.PAUSED, Reason.SUPERSEDED, 2)
        }
        for goal in goals:
            assert await ledger_of(store, goal.id) == {}


async def test_creations_with_one_key_make_one_goal(open_store: OpenStore, database: str) -> None:
    """However many callers repeat a creation at the same moment, all get the same goal."""
    async with open_store(database, pool_size=16) as store, open_store(database, pool_size=16) as rival:
        for round_number in range(5):
            key = f"round-{round_number}"
            calls = [(store, rival)[number % 2].create("the same goal", key=key) for number in range(24)]
            assert len({goal.id for goal in await asyncio.gather(*calls)}) == 1
        assert len(await all_goals(store)) == 5


async def test_turns_with_one_key_are_counted_once(open_store: OpenStore, database: str) -> None:
    """The unique index on goal and key settles a race of the same turn."""
    async with open_store(database, pool_size=16) as store, open_store(database, pool_size=16) as rival:
        goal = await store.create("one turn, many callers")
        for number in range(5):
            calls = [
                (store, rival)[caller % 2].record_turn(goal.id, tokens=5, key=f"turn-{number}") for caller in range(24)
            ]
            assert {result.turn.number for result in await asyncio.gather(*calls)} == {number + 1}
        assert await ledger_of(store, goal.id) == {f"turn-{number}": 5 for number in range(5)}


async def test_resumes_that_push_each_other_out_leave_one_active_goal(open_store: OpenStore, database: str) -> None:
    """Two goals that take the slot from each other lock each other's rows: deadlocks are run again."""
    async with open_store(database, pool_size=16) as store, open_store(database, pool_size=16) as rival:
        goals = [await store.create(f"goal {number}") for number in range(3)]

        async def swap(caller: int) -> None:
            goal = goals[caller % 3]
            for _ in range(6):
                try:
                    await (store, rival)[caller % 2].resume(goal.id)
                except telic.InvalidTransition as refusal:
                    assert refusal.from_status is GoalStatus.ACTIVE  # noqa: PT017

        await asyncio.gather(*map(swap, range(12)))
        statuses = [(await store.get(goal.id)).status for goal in goals]
        assert statuses.count(GoalStatus.ACTIVE) == 1
        for goal in goals:
            assert await ledger_of(store, goal.id) == {}


async def test_guarded_writes_of_one_revision_have_one_winner(open_store: OpenStore, database: str) -> None:
    """Of many writers that saw the same revision exactly one succeeds; the others get StaleUpdate."""
    async with open_store(database, pool_size=16) as store, open_store(database, pool_size=16) as rival:
        goal = await store.create("revision one")
        for revision in range(1, 6):
            calls = [
                (store, rival)[caller % 2].edit(goal.id, text=f"text {revision} {caller}", expected_revision=revision)
                if caller % 4 < 2
                else (store, rival)[caller % 2].set_budget(
                    goal.id, telic.Budget(tokens=1000 + caller), expected_revision=revision
                )
                for caller in range(16)
            ]
            outcomes = await asyncio.gather(*calls, return_exceptions=True)
            losers = [outcome for outcome in outcomes if isinstance(outcome, telic.StaleUpdate)]
            assert len(losers) == len(outcomes) - 1
            assert {loser.goal.revision for loser in losers} == {revision + 1}


async def test_a_deadlock_with_another_session_is_run_again(open_store: OpenStore, database: str) -> None:
    """Two sessions that wait for each other: whichever the server picks as the victim, no raw error is seen."""
    async with open_store(database, timeout_seconds=8) as store:
        first, second = await store.create("first"), await store.create("second")
        with psycopg.connect(database) as other:
            other.execute("SET deadlock_timeout = '10s'")
            other.execute("SELECT 1 FROM goals WHERE id = %s FOR UPDATE", (second.id,))
            resumption = asyncio.ensure_future(store.resume(first.id))
            await asyncio.sleep(0.3)
            await asyncio.to_thread(_lock_then_let_go, other, first.id)
        assert (await resumption).status is GoalStatus.ACTIVE
        assert (await store.get(second.id)).reason is Reason.SUPERSEDED


def _lock_then_let_go(other: "psycopg.Connection[Any]", goal_id: str) -> None:
    other.execute("SELECT 1 FROM goals WHERE id = %s FOR UPDATE", (goal_id,))
    other.rollback()


@pytest.mark.parametrize("isolation", ["repeatable read", "serializable"])
async def test_a_stricter_default_isolation_costs_no_errors(
    isolation: str, open_store: OpenStore, own_database: str
) -> None:
    """Where the server's default isolation refuses concurrent updates (SQLSTATE 40001), they are run again."""
    with psycopg.connect(own_database, autocommit=True) as admin:
        name = admin.info.dbname
        admin.execute(f"ALTER DATABASE {name} SET default_transaction_isolation = '{isolation}'".encode())
    async with open_store(own_database, pool_size=8) as store, open_store(own_database, pool_size=8) as rival:
        goal = await store.create("strict")
        calls = [(store, rival)[n % 2].record_turn(goal.id, tokens=n, key=f"turn-{n}") for n in range(40)]
        edits = [(store, rival)[n % 2].edit(goal.id, text=f"text {n}") for n in range(10)]
        await asyncio.gather(*calls, *edits)
        assert await ledger_of(store, goal.id) == {f"turn-{n}": n for n in range(40)}
        assert (await store.get(goal.id)).revision == 11

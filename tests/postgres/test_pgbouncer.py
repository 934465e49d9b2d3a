"""Both stores through PgBouncer in transaction mode, which keeps no session between two transactions."""

import asyncio
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

import telic
from telic import GoalStatus
from telic.domain.history import replay
from tests.left_out import needs
from tests.postgres.bouncer import DROPS_SETTINGS, Bouncer, running_bouncer
from tests.postgres.faces import OPENERS, OpenStore, ledger_of, retried
from tests.postgres.test_restarts import loaded
from tests.support.postgres_server import PostgresServer

pytestmark = needs("pgbouncer")

SETTINGS = ("statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout", "synchronous_commit")
VARIANTS = {"refuses settings": "", "drops settings": DROPS_SETTINGS}


@pytest.fixture(scope="module", params=VARIANTS)
def bouncer(request: pytest.FixtureRequest, postgres_url: str) -> Iterator[Bouncer]:
    """A pooler that refuses session settings at connection, and one that drops them without a word."""
    with running_bouncer(postgres_url, VARIANTS[request.param]) as started:
        yield started


@pytest.fixture
def pooled(bouncer: Bouncer, database: str) -> str:
    """The database's URL, led through the pooler."""
    return bouncer.url(database)


async def live_a_goals_life(store: Any, worker: int, turns: int) -> str:
    """Every kind of call on one goal; gives its id."""
    scope = f"worker-{worker}"
    former = await store.create("the former goal", scope=scope, token_budget=10)
    goal = await store.create("the goal", scope=scope, key=f"key-{worker}")
    for number in range(turns):
        await store.record_turn(goal.id, tokens=number, key=f"turn-{number}")
        assert (await store.active(scope=scope)).id == goal.id
        assert (await store.get(former.id)).id == former.id
    goal = await store.edit(goal.id, text=f"edited by {worker}")
    goal = await store.set_budget(goal.id, telic.Budget(tokens=1_000_000), expected_revision=goal.revision)
    with pytest.raises(telic.StaleUpdate):
        await store.pause(goal.id, expected_revision=1)
    with pytest.raises(telic.errors.TurnConflict):
        await store.record_turn(goal.id, tokens=999, key="turn-0")
    await store.resume(former.id)
    assert (await store.record_turn(former.id, tokens=11, key="over")).goal.reason is telic.Reason.BUDGET
    goal = await store.resume(goal.id)
    goal = await store.complete(goal.id, expected_revision=goal.revision)
    listed = (await store.list(scope=scope)).goals
    assert [(item.id, item.status) for item in listed] == [
        (goal.id, GoalStatus.COMPLETED),
        (former.id, GoalStatus.PAUSED),
    ]
    return str(goal.id)


async def check_a_goals_life(witness: Any, goal_id: str, worker: int, turns: int) -> None:
    events, ledger = await witness.events(goal_id), await witness.turns(goal_id)
    goal = await witness.get(goal_id)
    assert replay(goal_id, events, ledger).goal == goal
    assert [event.kind.value for event in events] == [
        "created", "edited", "budget_set", "paused", "resumed", "completed"
    ]  # fmt: skip
    assert {turn.key: turn.usage.tokens for turn in ledger} == {f"turn-{number}": number for number in range(turns)}
    assert goal.text == f"edited by {worker}"


@pytest.mark.parametrize(("colour", "workers", "turns"), [("blocking", 8, 25), ("async", 32, 8)])
async def test_every_call_is_exact_through_the_pooler(
    colour: str, workers: int, turns: int, pooled: str, database: str
) -> None:
    """Many threads or tasks on two server connections: no raw error, no lost or doubled change."""
    async with OPENERS[colour](pooled) as store, OPENERS[colour](database) as witness:
        lives = [live_a_goals_life(store, worker, turns) for worker in range(workers)]
        ids = await asyncio.gather(*lives)
        for worker, goal_id in enumerate(ids):
            await check_a_goals_life(witness, goal_id, worker, turns)


async def test_two_stores_with_other_statements_never_mix_them_up(pooled: str, open_store: OpenStore) -> None:
    """Statements of the same shape on connections of two stores give their own answers, not each other's."""
    async with open_store(pooled, pool_size=4) as first, open_store(pooled, pool_size=4) as second:
        goal = await first.create("mine", scope="mine")

        async def ask(number: int) -> None:
            for _ in range(10):
                by_id, by_scope = (first.get(goal.id), second.active("mine"))
                assert await asyncio.gather(by_id, by_scope) == [goal, goal]
                assert await second.active(goal.id) is None
                with pytest.raises(telic.GoalNotFound):
                    await first.get("01234567-89ab-7def-8123-456789abcdef")

        await asyncio.gather(*map(ask, range(8)))


async def test_no_session_setting_is_left_on_the_servers_connections(
    pooled: str, database: str, open_store: OpenStore
) -> None:
    """Other clients of the pooler find the server's own settings and no prepared statement."""
    async with open_store(pooled, timeout_seconds=3, durability=telic.Durability.NORMAL) as store:
        goal = await store.create("leave no trace")
        for number in range(8):
            await asyncio.gather(*(store.edit(goal.id, text=f"text {number} {n}") for n in range(4)))
            await asyncio.gather(*(store.record_turn(goal.id, tokens=1) for _ in range(4)))
        with pytest.raises(telic.InvalidInput):
            await store.edit(goal.id)
        found = await asyncio.to_thread(_settings_of_both_connections, pooled)
    with psycopg.connect(database) as direct:
        expected = _settings(direct)
    assert found == [expected, expected]


def _settings(connection: "psycopg.Connection[Any]") -> list[Any]:
    values: list[Any] = [connection.execute(f"SHOW {name}".encode()).fetchone() for name in SETTINGS]
    values += connection.execute("SELECT count(*) FROM pg_prepared_statements").fetchall()
    return values


def _settings_of_both_connections(pooled: str) -> list[list[Any]]:
    """Two transactions at once are on the pooler's two server connections."""
    arguments: dict[str, Any] = {"prepare_threshold": None}
    with psycopg.connect(pooled, **arguments) as one, psycopg.connect(pooled, **arguments) as two:
        pids = {connection.execute("SELECT pg_backend_pid()").fetchone() for connection in (one, two)}
        assert len(pids) == 2
        return [_settings(one), _settings(two)]


async def test_a_locked_goal_is_busy_through_the_pooler_too(pooled: str, database: str) -> None:
    """Without session settings each transaction carries its own time-outs, and every call ends in time."""
    await asyncio.gather(*(_meet_a_lock(colour, pooled, database) for colour in OPENERS))


async def _meet_a_lock(colour: str, pooled: str, database: str) -> None:
    async with OPENERS[colour](pooled, timeout_seconds=1) as store:
        goal = await store.create("locked", scope=colour)
        with psycopg.connect(database) as other:
            other.execute("SELECT 1 FROM goals WHERE id = %s FOR UPDATE", (goal.id,))
            with pytest.raises(telic.errors.StoreBusy):
                await store.edit(goal.id, text="busy", key="busy edit")
            with pytest.raises((telic.errors.StoreBusy, telic.OutcomeUnknown)):
                await store.record_turn(goal.id, tokens=4, key="busy turn")
        await retried(lambda: store.edit(goal.id, text="busy", key="busy edit"))
        await retried(lambda: store.record_turn(goal.id, tokens=4, key="busy turn"))
        assert await ledger_of(store, goal.id) == {"busy turn": 4}
        assert (await store.get(goal.id)).revision == 2


@pytest.mark.parametrize(("colour", "settings"), list(zip(OPENERS, VARIANTS.values(), strict=True)))
async def test_restarts_of_the_pooler_and_of_the_server_are_survived(
    colour: str, settings: str, own_server: PostgresServer
) -> None:
    """Whichever of the two goes away, callers see retryable errors only, and every turn is counted once."""
    with running_bouncer(own_server.url(), settings) as bouncer:
        async with OPENERS[colour](bouncer.url(own_server.url()), timeout_seconds=5) as store:
            goal = await store.create("two that may fail")
            async with loaded(store, goal.id) as load:
                await asyncio.to_thread(own_server.kill_and_start)
                await load.until_more(4)
                await asyncio.to_thread(bouncer.stop)
                await asyncio.to_thread(bouncer.start)
                await load.until_more(4)
                await asyncio.to_thread(own_server.kill_and_start)
                await load.until_more(4)

"""The server commits, the client never hears of it: the outcome is unknown, and the key makes the retry exact."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

import telic
from telic import Budget, GoalStatus
from tests.postgres.faces import OpenStore, ledger_of, retried
from tests.support.tcp_proxy import TcpProxy

REPETITIONS = 10


async def call_that_loses_its_reply(proxy: TcpProxy, marker: bytes, call: Callable[[], Awaitable[Any]]) -> str | None:
    """Makes the call, which ends in OutcomeUnknown; gives the error's key."""
    swallowed = proxy.swallowed
    proxy.swallow_reply_to(marker)
    with pytest.raises(telic.OutcomeUnknown) as unknown:
        await call()
    assert proxy.swallowed == swallowed + 1
    return unknown.value.key


async def test_a_turn_whose_reply_was_lost_is_there_once_after_the_retry(
    open_store: OpenStore, proxy: TcpProxy, proxied: str, database: str
) -> None:
    """OutcomeUnknown carries the call's key; the turn is committed, and the retry adds nothing."""
    async with open_store(proxied) as store, open_store(database) as witness:
        goal = await store.create("count every turn")
        for number in range(REPETITIONS):
            key = f"turn-{number}"

            def record(key: str = key, tokens: int = 100 + number) -> Awaitable[telic.TurnResult]:
                return store.record_turn(goal.id, tokens=tokens, key=key)

            assert await call_that_loses_its_reply(proxy, key.encode(), record) == key
            assert (await witness.get(goal.id)).turns_used == number + 1
            assert (await record()).turn.number == number + 1
        assert await ledger_of(witness, goal.id) == {f"turn-{n}": 100 + n for n in range(REPETITIONS)}


async def test_a_key_that_telic_made_is_good_for_the_retry(
    open_store: OpenStore, proxy: TcpProxy, proxied: str
) -> None:
    """Without a key of the caller's, the error's own key leads to the committed turn."""
    async with open_store(proxied) as store:
        goal = await store.create("count every turn")
        key = await call_that_loses_its_reply(proxy, goal.id.encode(), lambda: store.record_turn(goal.id, tokens=1_234))
        result = await store.record_turn(goal.id, tokens=1_234, key=key)
        assert (result.turn.number, result.goal.tokens_used) == (1, 1_234)


async def test_a_creation_whose_reply_was_lost_makes_one_goal(
    open_store: OpenStore, proxy: TcpProxy, proxied: str
) -> None:
    """The retry gives the goal that the first call created."""
    async with open_store(proxied) as store:
        former = await store.create("the former goal")
        for number in range(3):
            key = f"creation-{number}"

            def create(key: str = key) -> Awaitable[telic.Goal]:
                return store.create(f"made by {key}", key=key)

            assert await call_that_loses_its_reply(proxy, key.encode(), create) == key
            goal = await create()
            assert await store.active() == goal
            assert (await store.get(former.id)).reason is telic.Reason.SUPERSEDED
            former = goal
        assert len((await store.list()).goals) == 4


async def test_a_transition_whose_reply_was_lost_happens_once(
    open_store: OpenStore, proxy: TcpProxy, proxied: str
) -> None:
    """Pause and resume each raise the revision by one, however often the call is repeated."""
    async with open_store(proxied) as store:
        goal = await store.create("back and forth")
        for number, status in enumerate([GoalStatus.PAUSED, GoalStatus.ACTIVE, GoalStatus.PAUSED], 2):
            key = f"move-{number}"

            def move(key: str = key, to: GoalStatus = status, seen: telic.Goal = goal) -> Awaitable[telic.Goal]:
                return store.transition(seen.id, to, expected_revision=seen.revision, key=key)

            assert await call_that_loses_its_reply(proxy, key.encode(), move) == key
            goal = await move()
            assert (goal.status, goal.revision) == (status, number)
        assert [event.revision for event in await store.events(goal.id)] == [1, 2, 3, 4]


ATOMIC_CALLS: dict[str, Callable[[Any, str, str], Awaitable[telic.Goal]]] = {
    "edit": lambda store, goal_id, key: store.edit(goal_id, text="the new text", key=key),
    "set_budget": lambda store, goal_id, key: store.set_budget(goal_id, Budget(tokens=7_000), key=key),
    "resume": lambda store, goal_id, key: store.resume(goal_id, budget=Budget(tokens=9_000), key=key),
    "complete": lambda store, goal_id, key: store.complete(goal_id, key=key),
}


@pytest.mark.parametrize("name", ATOMIC_CALLS)
async def test_a_transaction_whose_commit_was_not_answered_happens_once(
    name: str, open_store: OpenStore, proxy: TcpProxy, proxied: str, database: str
) -> None:
    """A COMMIT that reached the server counts, though the connection broke before its answer."""
    call = ATOMIC_CALLS[name]
    async with open_store(database) as witness:
        goal = await witness.create("several statements in one transaction")
        goal = await witness.pause(goal.id)
        async with open_store(proxied) as store:
            lost = await call_that_loses_its_reply(proxy, b"COMMIT", lambda: call(store, goal.id, "atomic-1"))
            assert lost == "atomic-1"
            committed = await witness.get(goal.id)
            assert committed.revision > goal.revision
            assert await call(store, goal.id, "atomic-1") == committed
            assert await witness.get(goal.id) == committed
            assert await ledger_of(witness, goal.id) == {}


@pytest.mark.parametrize("name", ATOMIC_CALLS)
async def test_a_transaction_that_is_cut_before_its_commit_has_written_nothing(
    name: str, open_store: OpenStore, proxy: TcpProxy, proxied: str, database: str
) -> None:
    """Before COMMIT was sent the outcome is known: StoreUnavailable, and the goal is as it was."""
    call = ATOMIC_CALLS[name]
    async with open_store(database) as witness:
        goal = await witness.create("several statements in one transaction")
        goal = await witness.pause(goal.id)
        async with open_store(proxied) as store:
            proxy.swallow_reply_to(b"UPDATE goals")
            with pytest.raises(telic.errors.StoreUnavailable):
                await call(store, goal.id, "atomic-1")
            assert await witness.get(goal.id) == goal
            assert (await call(store, goal.id, "atomic-1")).revision > goal.revision


async def test_a_read_whose_reply_was_lost_is_not_of_unknown_outcome(
    open_store: OpenStore, proxy: TcpProxy, proxied: str
) -> None:
    """What writes nothing is retryable without a key: StoreUnavailable."""
    async with open_store(proxied) as store:
        goal = await store.create("read me")
        for marker, read in ((goal.id, lambda: store.get(goal.id)), ("default", store.active)):
            proxy.swallow_reply_to(marker.encode())
            with pytest.raises(telic.errors.StoreUnavailable):
                await read()
            assert await read() == goal


async def test_a_batch_whose_reply_was_lost_is_exact_for_every_caller(
    open_store: OpenStore, proxy: TcpProxy, proxied: str, database: str
) -> None:
    """Callers that shared the lost connection each learn that their own key's outcome is unknown."""
    async with open_store(proxied, pool_size=2) as store, open_store(database) as witness:
        goal = await store.create("many callers")
        keys = [f"turn-{number:02}" for number in range(40)]
        unknown: list[str] = []

        async def record(key: str) -> None:
            _, errors = await retried(lambda: store.record_turn(goal.id, tokens=10, key=key))
            for error in errors:
                assert isinstance(error, telic.OutcomeUnknown)
                assert error.key == key
                unknown.append(key)

        for marker in (b"turn-07", b"turn-23", b"turn-39"):
            proxy.swallow_reply_to(marker)
        await asyncio.gather(*(record(key) for key in keys))
        assert proxy.swallowed == 3
        assert len(unknown) >= 3
        assert await ledger_of(witness, goal.id) == dict.fromkeys(keys, 10)

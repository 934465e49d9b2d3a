"""A server that is stopped, killed or hangs up: typed retryable errors, and nothing acknowledged is lost."""

import asyncio
import contextlib
import signal
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from typing import Any

import psycopg
import pytest

import telic
from tests.postgres.faces import OpenStore, ledger_of, retried
from tests.support.postgres_server import PostgresServer, running_server

WORKERS = 4


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresServer]:
    """One server for this module, which each test leaves running."""
    with running_server() as started:
        yield started
        started.stop(signal.SIGQUIT)


def _stop_and_start(how: int) -> Callable[[PostgresServer], None]:
    def restart(server: PostgresServer) -> None:
        server.stop(how)
        server.start()

    return restart


RESTARTS: dict[str, Callable[[PostgresServer], None]] = {
    "killed": PostgresServer.kill_and_start,
    "stopped fast": _stop_and_start(signal.SIGINT),
    "stopped at once": _stop_and_start(signal.SIGQUIT),
}


def terminate_clients(url: str, wait_milliseconds: int = 0) -> int:
    """How many connections of stores the server was told to hang up on; it has, where it was waited for."""
    with psycopg.connect(url, autocommit=True) as connection:
        row = connection.execute(
            "SELECT count(pg_terminate_backend(pid, %s)) FROM pg_stat_activity WHERE application_name = 'telic'",
            (wait_milliseconds,),
        ).fetchone()
    assert row is not None
    return int(row[0])


class Load:
    """Workers that record turns one after the other, each retried by its key until it is acknowledged."""

    def __init__(self, store: Any, goal_id: str) -> None:
        self.acknowledged: dict[str, int] = {}
        self.errors: list[telic.GoalError] = []
        self.is_over = False
        self._store = store
        self._goal_id = goal_id

    async def work(self, worker: int) -> None:
        number = 0
        while not self.is_over:
            key, tokens = f"{worker}-{number}", 1 + number % 7
            _, errors = await retried(lambda: self._store.record_turn(self._goal_id, tokens=tokens, key=key))  # noqa: B023
            self.errors += errors
            self.acknowledged[key] = tokens
            number += 1

    async def until_more(self, turns: int) -> None:
        """Waits for so many more turns to be acknowledged."""
        wanted = len(self.acknowledged) + turns
        deadline = time.monotonic() + 240
        while len(self.acknowledged) < wanted:
            assert time.monotonic() < deadline, "the store did not come back"
            await asyncio.sleep(0.005)


@asynccontextmanager
async def loaded(store: Any, goal_id: str) -> AsyncIterator[Load]:
    """Inside, workers record turns; afterwards the ledger is exactly what they were told."""
    load = Load(store, goal_id)
    workers = [asyncio.create_task(load.work(worker)) for worker in range(WORKERS)]
    try:
        await load.until_more(20)
        yield load
    finally:
        load.is_over = True
        await asyncio.gather(*workers)
    assert await ledger_of(store, goal_id) == load.acknowledged


@pytest.mark.parametrize("how", RESTARTS)
async def test_turns_are_exact_across_restarts_of_the_server(
    how: str, open_store: OpenStore, server: PostgresServer
) -> None:
    """Four workers that retry by key see only retryable errors, and each acknowledged turn is counted once."""
    async with open_store(server.url(), timeout_seconds=5) as store:
        goal = await store.create(f"a server {how}")
        async with loaded(store, goal.id) as load:
            for _ in range(3):
                await asyncio.to_thread(RESTARTS[how], server)
                await load.until_more(20)


async def test_an_idle_store_works_at_once_after_a_restart(open_store: OpenStore, server: PostgresServer) -> None:
    """Connections that the server closed while they were idle are noticed before a statement is sent on them."""
    async with open_store(server.url(), pool_size=8) as store:
        goal = await store.create("idle through a restart")
        await asyncio.gather(*(store.set_budget(goal.id, telic.Budget(tokens=n + 1)) for n in range(32)))
        server.stop()
        server.start()
        result = await store.record_turn(goal.id, tokens=1, key="after")
        await asyncio.gather(*(store.set_budget(goal.id, telic.Budget(tokens=n + 9)) for n in range(8)))
        assert result.turn.number == 1


async def test_an_outage_is_told_in_time_and_ends_with_the_servers(
    open_store: OpenStore, server: PostgresServer
) -> None:
    """Calls end at the time-out with StoreUnavailable; soon after the server is back, however late, work goes on."""
    url = server.url()
    async with open_store(url, timeout_seconds=240) as store, open_store(url, timeout_seconds=1) as hasty:
        goal = await store.create("an outage")
        async with loaded(store, goal.id) as load:
            server.stop()
            await asyncio.gather(*(_told_in_time(call) for call in _calls(hasty, goal.id)))
            await asyncio.to_thread(server.start)
            await load.until_more(20)
        assert (await store.get(goal.id)).text == "an outage"
        assert "during" not in {turn.key for turn in await store.turns(goal.id)}


def _calls(store: Any, goal_id: str) -> list[Callable[[], Awaitable[Any]]]:
    return [
        lambda: store.get(goal_id),
        lambda: store.active(),
        lambda: store.record_turn(goal_id, tokens=5, key="during"),
        lambda: store.edit(goal_id, text="during"),
    ]


async def _told_in_time(call: Callable[[], Awaitable[Any]]) -> None:
    """The second of two calls ends with StoreUnavailable while the server is away; the first finds it gone."""
    with contextlib.suppress(telic.errors.StoreUnavailable):
        await call()
    with pytest.raises(telic.errors.StoreUnavailable):
        await call()


async def test_terminated_clients_go_on_with_new_connections(open_store: OpenStore, server: PostgresServer) -> None:
    """An operator who ends every client's session costs callers retryable errors only, and no turn."""
    async with open_store(server.url()) as store:
        goal = await store.create("pg_terminate_backend")
        async with loaded(store, goal.id) as load:
            for _ in range(10):
                assert await asyncio.to_thread(terminate_clients, server.url()) > 0
                await load.until_more(10)
        assert load.errors, "no worker noticed"


async def test_a_client_that_was_terminated_while_idle_works_at_once(
    open_store: OpenStore, server: PostgresServer
) -> None:
    """A session ended by an operator while nothing ran is replaced before use: no error at all."""
    async with open_store(server.url()) as store:
        goal = await store.create("terminated while idle")
        for number in range(5):
            assert await asyncio.to_thread(terminate_clients, server.url(), 5000) > 0
            assert (await store.record_turn(goal.id, tokens=1)).turn.number == number + 1
            assert (await store.edit(goal.id, text=f"text {number}")).text == f"text {number}"

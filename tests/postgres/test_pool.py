"""Connections are shared by threads and tasks, bounded in number, and not inherited by forked processes."""

import asyncio
import os
import signal
import time
import traceback
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest

import telic
from telic.loop.goal_loop import GoalLoop
from telic.loop.worker import Worker
from telic.storage.drivers import postgres_connections
from tests.postgres.faces import OpenStore, Threaded, ledger_of
from tests.support.tcp_proxy import TcpProxy


def sessions(url: str) -> int:
    """How many of the database's sessions are stores'."""
    with psycopg.connect(url) as connection:
        row = connection.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'telic' AND datname = current_database()"
        ).fetchone()
    assert row is not None
    return int(row[0])


async def test_more_callers_than_connections_all_succeed(open_store: OpenStore, database: str) -> None:
    """32 callers on two connections each get through, and there are never more connections than two."""
    async with open_store(database, pool_size=2) as store:
        goal = await store.create("two connections")

        async def work(caller: int) -> None:
            for number in range(4):
                await store.record_turn(goal.id, tokens=1, key=f"{caller}-{number}")
                assert (await store.get(goal.id)).turns_used > 0
            await store.edit(goal.id, text=f"edited by {caller}")

        await asyncio.gather(*map(work, range(32)))
        assert 1 <= await asyncio.to_thread(sessions, database) <= 2
        assert len(await ledger_of(store, goal.id)) == 128
        assert (await store.get(goal.id)).revision == 33


async def test_a_pool_of_one_connection_is_enough(open_store: OpenStore, database: str) -> None:
    """No call needs a second connection while it holds one."""
    async with open_store(database, pool_size=1, timeout_seconds=5) as store:
        goal = await store.create("one connection")
        calls = [store.edit(goal.id, text=f"text {number}") for number in range(8)]
        await asyncio.gather(*calls, *(store.record_turn(goal.id, tokens=1) for _ in range(8)))
        assert (await store.complete(goal.id)).turns_used == 8


async def test_closing_ends_every_session(open_store: OpenStore, database: str) -> None:
    """A closed store leaves no session on the server, and refuses further calls as closed."""
    async with open_store(database, pool_size=4) as store:
        goal = await store.create("closing")
        await asyncio.gather(*(store.edit(goal.id, text=f"text {number}") for number in range(16)))
    deadline = time.monotonic() + 240
    while await asyncio.to_thread(sessions, database):
        assert time.monotonic() < deadline
        await asyncio.sleep(0.01)


async def test_a_closed_store_finishes_calls_and_refuses_new_ones(
    open_store: OpenStore, proxy: TcpProxy, proxied: str, database: str
) -> None:
    """Calls made before the closing are acknowledged and kept; calls made after it raise StoreClosed."""
    async with open_store(database) as witness, open_store(proxied, pool_size=4) as store:
        goal = await store.create("closing time")
        proxy.delay_seconds = 0.01
        keys = [f"turn-{number}" for number in range(24)]
        calls = [asyncio.ensure_future(store.record_turn(goal.id, tokens=1, key=key)) for key in keys]
        await asyncio.sleep(0.005)
        await store.close()
        await store.close()
        outcomes = await asyncio.gather(*calls, return_exceptions=True)
        for call in (store.get(goal.id), store.edit(goal.id, text="too late")):
            with pytest.raises(telic.errors.StoreClosed):
                await call
        done = {key for key, outcome in zip(keys, outcomes, strict=True) if isinstance(outcome, telic.TurnResult)}
        refused = {type(outcome) for outcome in outcomes if isinstance(outcome, BaseException)}
        # A thread may come to its call only after the closing; a task has made it before.
        assert refused <= ({telic.errors.StoreClosed} if isinstance(store, Threaded) else set())
        assert set(await ledger_of(witness, goal.id)) == done


async def test_many_open_files_do_not_matter(open_store: OpenStore, database: str) -> None:
    """A process with more than a thousand open files, whose sockets have high numbers, works like any other."""
    pipes: list[int] = []
    try:
        while not pipes or max(pipes) < 1100:
            pipes += os.pipe()
        async with open_store(database) as store:
            goal = await store.create("high numbers")
            for number in range(3):
                assert (await store.record_turn(goal.id, tokens=1)).turn.number == number + 1
                assert (await store.edit(goal.id, text=f"text {number}")).text == f"text {number}"
    finally:
        for pipe in pipes:
            os.close(pipe)


def fork(work: Callable[[], None]) -> int:
    """The process id of a forked child that does the work and exits with 0 where it succeeded."""
    child = os.fork()
    if child:
        return child
    try:
        work()
        os._exit(0)
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(1)


def succeeds(child: int) -> bool:
    """Whether the child ends well, within minutes."""
    deadline = time.monotonic() + 240
    while time.monotonic() < deadline:
        pid, status = os.waitpid(child, os.WNOHANG)
        if pid:
            return status == 0
        time.sleep(0.01)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return False


def test_a_store_works_on_both_sides_of_a_fork(database: str) -> None:
    """The child opens connections of its own: neither side reads the other's answers or ends its sessions."""
    with telic.connect(database, pool_size=4) as store:
        goal = store.create("forked")

        def record(who: str) -> None:
            for number in range(15):
                assert store.record_turn(goal.id, tokens=1, key=f"{who}-{number}").turn.key == f"{who}-{number}"
                assert store.get(goal.id).id == goal.id

        def record_in_threads(who: str) -> None:
            with ThreadPoolExecutor(4) as threads:
                list(threads.map(lambda number: record(f"{who}-{number}"), range(4)))

        record_in_threads("before")
        assert sessions(database) > 1
        for generation in ("first", "second"):
            child = fork(lambda: record_in_threads(f"{generation} child"))  # noqa: B023
            record_in_threads(f"beside {generation}")
            assert succeeds(child)
        turns = store.turns(goal.id)
        assert len({turn.key for turn in turns}) == len(turns) == store.get(goal.id).turns_used == 15 * 4 * 5


def test_a_forked_child_that_ends_leaves_the_parents_sessions_alone(database: str) -> None:
    """Neither a child's exit nor its closing of the store says good-bye on the parent's connections."""
    with telic.connect(database) as store:
        goal = store.create("forked")
        assert succeeds(fork(store.close))
        assert succeeds(fork(lambda: None))
        before = _backend_ids(database)
        assert store.record_turn(goal.id, tokens=1).turn.number == 1
        assert _backend_ids(database) == before


def _backend_ids(url: str) -> set[int]:
    with psycopg.connect(url) as connection:
        rows = connection.execute(
            "SELECT pid FROM pg_stat_activity WHERE application_name = 'telic' AND datname = current_database()"
        ).fetchall()
    return {pid for (pid,) in rows}


async def test_an_idle_worker_keeps_one_connection(database: str) -> None:
    """The one on which it listens: what it looks with is closed when it was not used for a while."""

    def no_loop(_: telic.Goal) -> GoalLoop:
        raise AssertionError("there is no goal")

    async with telic.connect_async(database) as store:
        worker = Worker(store=store, make_loop=no_loop, name="idle", longest_pause_seconds=3_600)
        working = asyncio.create_task(worker.run())
        count = 0
        for _ in range(600):
            await asyncio.sleep(0.1)
            count = await asyncio.to_thread(sessions, database)
            if count == 1:
                break
        assert count == 1
        worker.stop()
        await working


async def test_a_connection_that_rested_is_opened_anew(database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever calls after a while notices nothing."""
    monkeypatch.setattr(postgres_connections, "_REST_SECONDS", 0.05)
    async with telic.connect_async(database) as store:
        goal = await store.create("rest")
        for _ in range(600):
            if await asyncio.to_thread(sessions, database) == 0:
                break
            await asyncio.sleep(0.1)
        assert await asyncio.to_thread(sessions, database) == 0
        assert await store.get(goal.id) == goal

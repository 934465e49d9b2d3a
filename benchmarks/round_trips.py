"""PostgreSQL far away: how many round trips each hot operation takes where one takes 20 ms."""

import asyncio
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, Final

import psycopg
from tests.support.tcp_proxy import TcpProxy

import telic
from benchmarks import hot
from benchmarks.bench import Bench
from benchmarks.hot import Hot, Target, Targets
from benchmarks.measure import Result, interleave, slower, time_each
from benchmarks.populate import goals_of_postgres, populate_postgres

DELAY_SECONDS: Final = 0.010
"""Each way."""

GOALS: Final = 100
WARM_UP_CALLS: Final = 12
"""Connections are opened and statements prepared."""

OPERATIONS: Final[dict[str, tuple[Hot, ...]]] = {
    "get": (hot.get,),
    "active": (hot.active,),
    "create": (hot.create,),
    "transition": (hot.pause, hot.resume),
    "record_turn": (hot.record_turn,),
}


def run(bench: Bench) -> Iterator[Result]:
    """Every hot operation, blocking and async."""
    url = bench.new_database("far_away")
    populate_postgres(url, GOALS)
    with TcpProxy(bench.postgres.port) as proxy:
        far = proxy.url(url)
        with psycopg.connect(far, autocommit=True, prepare_threshold=0) as plain:
            proxy.delay_seconds = DELAY_SECONDS
            with telic.connect(far) as store:
                for name, operations in OPERATIONS.items():
                    call = partial(_all, partial(_call, store), operations)
                    yield _measure(bench, f"blocking: {name}", call, len(operations), _active_goals(url), plain)
            with asyncio.Runner() as runner:
                async_store = runner.run(_open(far))
                for name, operations in OPERATIONS.items():
                    call = partial(_all, partial(_call_async, runner, async_store), operations)
                    yield _measure(bench, f"async: {name}", call, len(operations), _active_goals(url), plain)
                runner.run(async_store.close())


def _active_goals(url: str) -> Targets:
    return Targets(goals_of_postgres(url, GOALS))


def _measure(
    bench: Bench,
    name: str,
    call: Callable[[Target], None],
    parts: int,
    targets: Targets,
    plain: psycopg.Connection[Any],
) -> Result:
    def by_telic() -> float:
        return time_each(call, targets.take(3)) / parts

    def one_round_trip() -> float:
        return time_each(plain.execute, [b"SELECT 1"] * 3)

    for target in targets.take(WARM_UP_CALLS):
        call(target)
    rounds = interleave([by_telic, one_round_trip], bench.repetitions)
    return slower(f"PostgreSQL 20 ms away, {name}", "SELECT 1", rounds, at_most=1.3, unit="round trips")


def _all(call: Callable[[Hot, Target], object], operations: tuple[Hot, ...], target: Target) -> None:
    for operation in operations:
        call(operation, target._replace(key=f"{operation.__name__}-{target.key}"))


def _call(store: telic.GoalStore, operation: Hot, target: Target) -> None:
    operation(store, target)


def _call_async(runner: asyncio.Runner, store: telic.AsyncGoalStore, operation: Hot, target: Target) -> None:
    async def call() -> None:
        await operation(store, target)

    runner.run(call())


async def _open(url: str) -> telic.AsyncGoalStore:
    return await telic.connect_async(url)

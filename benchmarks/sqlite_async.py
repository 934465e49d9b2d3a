"""Async SQLite against aiosqlite, which runs the same SQL through the standard library's sqlite3."""

import asyncio
import gc
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final

import aiosqlite

import telic
from benchmarks import hot
from benchmarks.bench import Bench
from benchmarks.hot import Hot, Targets
from benchmarks.measure import Result, Work, faster, interleave
from benchmarks.populate import goals_of_sqlite, populate_sqlite
from benchmarks.recorded import recorded
from telic.domain.ids import digest
from telic.storage.drivers.sqlite_transaction import steady_microseconds
from telic.storage.statements import load_statements

GOALS: Final = 1_000
CALLERS: Final = 64
WARM_UP_TURNS: Final = 1_500

Send = Callable[[dict[str, Any]], Awaitable[object]]


class Aiosqlite:
    """The same statements on one connection, whose transactions take turns."""

    def __init__(self, connection: aiosqlite.Connection) -> None:
        self._connection = connection
        self._lock = asyncio.Lock()
        self._statements = {name: text.split(";") for name, text in load_statements("sqlite").items()}

    @classmethod
    async def open(cls, path: Path) -> "Aiosqlite":
        """A connection with the settings that Telic has."""
        connection = await aiosqlite.connect(path, isolation_level=None)
        await connection.create_function("telic_digest", 1, digest, deterministic=True)
        await connection.create_function("telic_now", 0, steady_microseconds)
        for name, value in (("synchronous", "FULL"), ("cache_size", "-65536"), ("foreign_keys", "ON")):
            await connection.execute(f"PRAGMA {name} = {value}")
        return cls(connection)

    async def write(self, statement: str, parameters: dict[str, Any]) -> object:
        """The statement's steps in one transaction."""
        *steps, last = self._statements[statement]
        async with self._lock:
            await self._connection.execute("BEGIN IMMEDIATE")
            for step in steps:
                await self._connection.execute(step, parameters)
            rows = await self._connection.execute_fetchall(last, parameters)
            await self._connection.execute("COMMIT")
        return rows

    async def read(self, statement: str, parameters: dict[str, Any]) -> object:
        """The statement's rows."""
        return await self._connection.execute_fetchall(self._statements[statement][0], parameters)

    async def close(self) -> None:
        """The file is let go."""
        await self._connection.close()


def run(bench: Bench) -> Iterator[Result]:
    """`record_turn` by many callers; `get` and `active` by one."""
    path, other_path = bench.new_file("telic"), bench.new_file("aiosqlite")
    for each in (path, other_path):
        populate_sqlite(each, GOALS)
    goals = goals_of_sqlite(path, GOALS)
    turns, reads = bench.size(20, 5) * CALLERS, bench.size(1_000, 200)
    with asyncio.Runner() as runner:
        store = runner.run(_open(path))
        other = runner.run(Aiosqlite.open(other_path))
        kinds: list[tuple[Hot, Send, int, int]] = [
            (hot.record_turn, partial(other.write, "turns.record"), turns, CALLERS),
            (hot.get, partial(other.read, "goals.get"), reads, 1),
            (hot.active, partial(other.read, "goals.active"), reads, 1),
        ]
        for operation, send, size, callers in kinds:
            works = _works(runner, store, operation, send, size, callers, Targets(goals))
            interleave(works, WARM_UP_TURNS // size + 1)
            who = "one caller" if callers == 1 else f"{callers} callers"
            name = f"SQLite, async, {who}: {operation.__name__}"
            yield faster(name, "aiosqlite, same SQL", interleave(works, bench.repetitions), at_least=5)
        runner.run(store.close())
        runner.run(other.close())


async def _open(path: Path) -> telic.AsyncGoalStore:
    return await telic.connect_async(path)


def _works(
    runner: asyncio.Runner,
    store: telic.AsyncGoalStore,
    operation: Hot,
    send: Send,
    size: int,
    callers: int,
    targets: Targets,
) -> tuple[Work, Work]:
    def by_telic() -> float:
        return runner.run(time_callers(partial(operation, store), targets.take(size), callers))

    def by_other() -> float:
        parameters = [recorded(operation, target) for target in targets.take(size)]
        return runner.run(time_callers(send, parameters, callers))

    return by_telic, by_other


async def time_callers(send: Callable[[Any], Awaitable[object]], arguments: Sequence[Any], callers: int) -> float:
    """The seconds per call while so many callers share the calls, each making one after the other."""
    gc.collect()
    started = time.perf_counter()
    if callers == 1:
        await _call_each(send, arguments)
    else:
        await asyncio.gather(*(_call_each(send, arguments[caller::callers]) for caller in range(callers)))
    return (time.perf_counter() - started) / len(arguments)


async def _call_each(send: Callable[[Any], Awaitable[object]], arguments: Sequence[Any]) -> None:
    for argument in arguments:
        await send(argument)

"""How soon a watcher sees another process's change, and what it costs while there is none."""

import asyncio
import multiprocessing
import random
import statistics
import time
from collections.abc import Iterator
from functools import partial
from typing import Final

import telic
from benchmarks.bench import Bench
from benchmarks.measure import FEWEST_REPETITIONS, Bar, Result, Spread
from telic.storage.drivers.sqlite_changes import QUIET_SECONDS

MEDIAN_MILLISECONDS: Final = 100
WORST_MILLISECONDS: Final = 250
IDLE_PERCENT: Final = 1.0
CROWD: Final = 30
IDLE_PERCENT_OF_CROWD: Final = 2.0
COLOURS: Final = ("blocking", "async")


def run(bench: Bench) -> Iterator[Result]:
    """Both databases, both stores."""
    for database, place in (("SQLite", str(bench.new_file("watched"))), ("PostgreSQL", bench.new_database("watched"))):
        telic.connect(place).close()
        for colour in COLOURS:
            yield from _latency(bench, f"{database}, {colour}", place, colour)
            yield _idle(bench, f"{database}, {colour}", place, colour)
        if database == "SQLite":
            yield _idle_crowd(bench, place)


def _latency(bench: Bench, name: str, place: str, colour: str) -> Iterator[Result]:
    changes = bench.size(100, 25)
    rounds = [_milliseconds(place, colour, changes) for _ in range(bench.size(FEWEST_REPETITIONS, 3))]
    for what, values, most in (
        ("median", [statistics.median(each) for each in rounds], MEDIAN_MILLISECONDS),
        (
            "99th percentile",
            [statistics.quantiles(each, n=100, method="inclusive")[-1] for each in rounds],
            WORST_MILLISECONDS,
        ),
    ):
        yield Result(
            work=f"{name}: another process's change reaches a watcher, {what}",
            reference="the call that makes it",
            ratio=Spread.of(values),
            unit="ms",
            bar=Bar(most, is_floor=False),
            telic=Spread.of(value / 1000 for value in values),
        )


def _milliseconds(place: str, colour: str, changes: int) -> list[float]:
    """From when each change was asked for by another process to when the watcher had it."""
    with telic.connect(place) as store:
        cursor = store.cursor()
    writer = multiprocessing.get_context("spawn").Process(target=_write, args=(place, changes))
    writer.start()
    seen = _watch(place, cursor, changes) if colour == "blocking" else asyncio.run(_watch_async(place, cursor, changes))
    writer.join()
    return seen


def _write(place: str, changes: int) -> None:
    with telic.connect(place) as store:
        for _ in range(changes):
            time.sleep(random.uniform(0.01, 0.05))
            # The scope tells the watcher when its change was asked for: all processes share this clock.
            store.create("change", scope=str(time.monotonic_ns()))


def _since(item: telic.FeedEvent) -> float:
    return (time.monotonic_ns() - int(item.scope)) / 1e6


def _watch(place: str, cursor: str, changes: int) -> list[float]:
    seen: list[float] = []
    with telic.connect(place) as store:
        for item in store.watch(after=cursor):
            seen.append(_since(item))
            if len(seen) == changes:
                break
    return seen


async def _watch_async(place: str, cursor: str, changes: int) -> list[float]:
    seen: list[float] = []
    async with telic.connect_async(place) as store:
        async for item in store.watch(after=cursor):
            seen.append(_since(item))
            if len(seen) == changes:
                break
    return seen


def _idle(bench: Bench, name: str, place: str, colour: str) -> Result:
    seconds = bench.size(4, 1)
    work = partial(_percent, place, seconds) if colour == "blocking" else partial(_percent_async, place, seconds)
    return Result(
        work=f"{name}: a watcher while nothing happens",
        reference="one core",
        ratio=Spread.of(work() for _ in range(bench.size(FEWEST_REPETITIONS, 3))),
        unit="%",
        bar=Bar(IDLE_PERCENT, is_floor=False),
    )


def _idle_crowd(bench: Bench, place: str) -> Result:
    """All of a fleet's idle watchers on one machine together, once the file has been quiet for some seconds."""
    return Result(
        work=f"SQLite, async: {CROWD} watchers while nothing happens",
        reference="one core",
        ratio=Spread.of(asyncio.run(_percent_of_crowd(place, bench.size(8, 4))) for _ in range(3)),
        unit="%",
        bar=Bar(IDLE_PERCENT_OF_CROWD, is_floor=False),
    )


async def _percent_of_crowd(place: str, seconds: float) -> float:
    async with telic.connect_async(place) as store:
        cursor = await store.cursor()

        async def watch() -> None:
            async for _ in store.watch(after=cursor):
                pass

        watches = [asyncio.create_task(watch()) for _ in range(CROWD)]
        await asyncio.sleep(QUIET_SECONDS + 1)
        started, used = time.monotonic(), time.process_time()
        await asyncio.sleep(seconds)
        percent = 100 * (time.process_time() - used) / (time.monotonic() - started)
        for each in watches:
            each.cancel()
        await asyncio.wait(watches)
        return percent


def _percent(place: str, seconds: float) -> float:
    with telic.connect(place) as store:
        started, used = time.monotonic(), time.process_time()
        for _ in store.watch(idle_seconds=seconds):
            pass
        return 100 * (time.process_time() - used) / (time.monotonic() - started)


def _percent_async(place: str, seconds: float) -> float:
    async def watch() -> float:
        async with telic.connect_async(place) as store:
            started, used = time.monotonic(), time.process_time()
            async for _ in store.watch(idle_seconds=seconds):
                pass
            return 100 * (time.process_time() - used) / (time.monotonic() - started)

    return asyncio.run(watch())

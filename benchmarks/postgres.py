"""PostgreSQL against pgbench, which runs the same statement with the same number of round trips."""

import asyncio
import os
import re
import subprocess
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any, Final

from tests.support.postgres_server import binaries

import telic
from benchmarks import hot
from benchmarks.bench import Bench
from benchmarks.hot import Goals, Target, Targets
from benchmarks.measure import Result, Round, Work, faster, interleave
from benchmarks.populate import FIRST_NUMERIC_ID, NUMERIC, goals_of_postgres, populate_postgres
from benchmarks.recorded import recorded
from telic.storage.statements import load_statements

GOALS: Final = 1_000
CALLERS: Final = 32
PGBENCH_CLIENTS: Final = 8
LARGEST_KEY: Final = 2**62

_NO_VARIABLES: Final = {None: "NULL", "": "''"}
"""What pgbench's variables cannot be, and how it is written."""

_SPEED = re.compile(r"^tps = ([0-9.]+) ", re.MULTILINE)


class Pgbench:
    """Prepared runs of `turns.record` on random goals, each with a key of its own."""

    def __init__(self, url: str, script: Path, seconds: int) -> None:
        self._url = url
        self._script = script
        self._seconds = seconds
        turn = recorded(hot.record_turn, Target("", "", "key"))
        given = {name: value for name, value in turn.items() if name not in ("id", "key")}
        self._constants = {name: str(value) for name, value in given.items() if value not in _NO_VARIABLES}
        statement = load_statements("postgres")["turns.record"]
        for name in given.keys() - self._constants.keys():
            statement = re.sub(rf":{name}\b", _NO_VARIABLES[given[name]], statement)
        script.write_text(
            f"\\set id random({FIRST_NUMERIC_ID}, {FIRST_NUMERIC_ID + GOALS - 1})\n"
            f"\\set key random(1, {LARGEST_KEY})\n"
            f"{statement};\n"
        )

    def seconds_each(self, clients: int) -> float:
        """The seconds per turn with so many clients."""
        constants = [f"--define={name}={value}" for name, value in self._constants.items()]
        counts = [f"--client={clients}", f"--jobs={min(clients, os.cpu_count() or 1)}", f"--time={self._seconds}"]
        done = subprocess.run(
            [binaries() / "pgbench", "-n", "-M", "prepared", "-f", self._script, *counts, *constants, self._url],
            check=True,
            capture_output=True,
            text=True,
        )
        speed = _SPEED.search(done.stdout)
        assert speed is not None, done.stdout
        assert "number of failed transactions: 0 " in done.stdout, done.stdout
        return 1 / float(speed[1])


def run(bench: Bench) -> Iterator[Result]:
    """`record_turn`, blocking and async, by one caller and by many."""
    url = bench.new_database("pgbench")
    populate_postgres(url, GOALS, NUMERIC)
    goals = goals_of_postgres(url, GOALS)
    seconds = bench.size(2, 1)
    pgbench = Pgbench(url, bench.folder / "record_turn.sql", seconds)
    with asyncio.Runner() as runner, telic.connect(url) as blocking:
        store = runner.run(_open(url))
        works: list[Work] = [
            partial(pgbench.seconds_each, 1),
            partial(_blocking, blocking, Targets(goals), seconds),
            lambda: runner.run(_async(store, goals, 1, seconds)),
            partial(pgbench.seconds_each, PGBENCH_CLIENTS),
            lambda: runner.run(_async(store, goals, CALLERS, seconds)),
        ]
        interleave(works, 1)
        rounds = interleave(works, bench.size(11, 9))
        runner.run(store.close())
    yield from _results(rounds)


def _results(rounds: list[Round]) -> Iterator[Result]:
    alone, many = "pgbench, 1 client", f"pgbench, {PGBENCH_CLIENTS} clients"
    name = "PostgreSQL, {}: record_turn"
    yield faster(name.format("blocking, one caller"), alone, [(each[1], each[0]) for each in rounds], at_least=0.8)
    yield faster(name.format("async, one caller"), alone, [(each[2], each[0]) for each in rounds], at_least=0.7)
    yield faster(name.format(f"async, {CALLERS} callers"), many, [(each[4], each[3]) for each in rounds], at_least=1)


async def _open(url: str) -> telic.AsyncGoalStore:
    return await telic.connect_async(url)


def _blocking(store: telic.GoalStore, targets: Targets, seconds: float) -> float:
    started = time.perf_counter()
    count = 0
    while time.perf_counter() < started + seconds:
        hot.record_turn(store, next(targets))
        count += 1
    return (time.perf_counter() - started) / count


async def _async(store: telic.AsyncGoalStore, goals: Goals, callers: int, seconds: float) -> float:
    started = time.perf_counter()
    deadline = started + seconds
    counts = await asyncio.gather(*(_call_until(deadline, store, goals[caller::callers]) for caller in range(callers)))
    return (time.perf_counter() - started) / sum(counts)


async def _call_until(deadline: float, store: Any, goals: Goals) -> int:
    count = 0
    for target in Targets(goals):
        await hot.record_turn(store, target)
        count += 1
        if time.perf_counter() > deadline:
            break
    return count

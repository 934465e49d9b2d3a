"""Whether hot operations take longer in a large database than in a small one."""

import random
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

import psycopg

import telic
from benchmarks import hot
from benchmarks.bench import CACHE, Bench
from benchmarks.hot import Goals, Hot, Targets
from benchmarks.measure import Result, Work, interleave, slower, time_each
from benchmarks.populate import (
    TURNS_PER_GOAL,
    goals_of_postgres,
    goals_of_sqlite,
    populate_postgres,
    populate_sqlite,
    schema_digest,
)
from benchmarks.recorded import recorded
from benchmarks.sqlite_blocking import ApswLoop

FEW: Final = 1_000
TOUCHED: Final = 1_000
"""As many distinct goals in both databases, in the large one spread over all of it."""

WARM_UP_PASSES: Final = 3
"""PostgreSQL writes a page as a whole when it first changes after a checkpoint."""

AT_MOST: Final = 1.25

# Passes over all touched goals warm these up; creations warm up on the goals next to them.
OPERATIONS: Final[dict[str, tuple[Hot, ...]]] = {
    "get": (hot.get,),
    "active": (hot.active,),
    "record_turn": (hot.record_turn,),
    "transition": (hot.pause, hot.resume),
}


GoalsOf = Callable[[Any, int, int, int], Goals]
"""Reads so many active goals of a place, one in a step, from an offset."""


@dataclass(frozen=True, slots=True)
class Side:
    """One of the two databases, open, with the goals to touch and their neighbours."""

    store: telic.GoalStore
    touched: Goals
    neighbours: Goals


def run(bench: Bench) -> Iterator[Result]:
    """The five hot operations on SQLite and on PostgreSQL."""
    many = bench.size(1_000_000, 50_000)
    small_file, many_file = bench.new_file("small"), large_file(many)
    populate_sqlite(small_file, FEW)
    yield from _compare(bench, "SQLite", many, [small_file, many_file], goals_of_sqlite)
    yield _limit(bench, many, small_file, many_file)
    small_url, large_url = bench.new_database("growth_small"), large_database(bench, many)
    populate_postgres(small_url, FEW)
    yield from _compare(bench, "PostgreSQL", many, [small_url, large_url], goals_of_postgres)


def large_file(goals: int) -> Path:
    """A stored database of this many goals, made where there is none."""
    path = CACHE / f"growth-{goals}-{schema_digest('sqlite')}" / "goals.db"
    if not path.exists():
        for outdated in CACHE.glob(f"growth-{goals}-*"):
            shutil.rmtree(outdated)
        unfinished = path.parent / "unfinished.db"
        unfinished.parent.mkdir(parents=True, exist_ok=True)
        unfinished.unlink(missing_ok=True)
        populate_sqlite(unfinished, goals)
        unfinished.rename(path)
    return path


def large_database(bench: Bench, goals: int) -> str:
    name = f"growth_{goals}_{schema_digest('postgres')}"
    if name not in _databases(bench, name):
        for outdated in _databases(bench, f"growth_{goals}_%"):
            bench.administer(f"DROP DATABASE {outdated}")
        bench.administer("DROP DATABASE IF EXISTS growth_unfinished")
        bench.administer("CREATE DATABASE growth_unfinished")
        populate_postgres(bench.postgres.url("growth_unfinished"), goals)
        bench.administer(f"ALTER DATABASE growth_unfinished RENAME TO {name}")
    return bench.postgres.url(name)


def _databases(bench: Bench, pattern: str) -> list[str]:
    with psycopg.connect(bench.postgres.url()) as connection:
        rows = connection.execute("SELECT datname FROM pg_database WHERE datname LIKE %s", (pattern,)).fetchall()
    return [name for (name,) in rows]


def _compare(
    bench: Bench,
    database: str,
    many: int,
    places: Sequence[Path | str],
    goals_of: GoalsOf,
) -> Iterator[Result]:
    touched = bench.size(TOUCHED, 200)
    with telic.connect(places[0]) as small, telic.connect(places[1]) as large:
        sides = [
            Side(small, *_active_goals(goals_of, places[0], FEW // touched, touched)),
            Side(large, *_active_goals(goals_of, places[1], many // touched, touched)),
        ]
        name = f"{database}, {many:,} goals and {many * TURNS_PER_GOAL:,} turns: {{}}"
        reference = f"{FEW:,} goals"
        for operation, steps in OPERATIONS.items():
            works = [_repeated(side, steps) for side in reversed(sides)]
            interleave(works, WARM_UP_PASSES)
            yield slower(name.format(operation), reference, interleave(works, bench.repetitions), AT_MOST)
        works = [_creations(side, bench.repetitions) for side in reversed(sides)]
        yield slower(name.format("create"), reference, interleave(works, bench.repetitions), AT_MOST)


def _limit(bench: Bench, many: int, small: Path, large: Path) -> Result:
    """How much longer SQLite itself takes where the goals that are touched no longer fit the processor's caches."""
    works = []
    for path, goals in ((large, many), (small, FEW)):
        touched = bench.size(TOUCHED, 200)
        loop = ApswLoop(path)
        targets = Targets(_active_goals(goals_of_sqlite, path, goals // touched, touched)[0])
        parameters = [recorded(hot.get, target) for target in targets.take(touched)]
        works.append(partial(time_each, loop.reads("goals.get"), parameters))
    interleave(works, 1)
    rounds = interleave(works, bench.repetitions)
    return slower(f"the apsw loop, {many:,} goals: get", f"the apsw loop, {FEW:,} goals", rounds)


def _active_goals(goals_of: GoalsOf, place: Any, step: int, touched: int) -> tuple[Goals, Goals]:
    """Goals to touch, and as many next to them."""
    # Former runs have left goals behind that are no longer active: look where they did not.
    for offset in random.sample(range(step), step):
        goals, neighbours = (goals_of(place, touched, step, (offset + shift) % step) for shift in (0, 1))
        if len(goals) == len(neighbours) == touched:
            return goals, neighbours
    raise AssertionError(f"not enough active goals are left in {place}: remove .build")


def _repeated(side: Side, steps: tuple[Hot, ...]) -> Work:
    """Does each step to all touched goals."""
    targets = Targets(side.touched)

    def work() -> float:
        each = [time_each(partial(step, side.store), targets.take(len(side.touched))) for step in steps]
        return sum(each) / len(each)

    return work


def _creations(side: Side, repetitions: int) -> Work:
    """Creates a goal in the scope of each touched goal, in as many parts as there are repetitions."""
    targets = Targets(side.touched)
    for target in Targets(side.neighbours).take(len(side.neighbours)):
        hot.create(side.store, target)
    size = len(side.touched) // repetitions

    def work() -> float:
        return time_each(partial(hot.create, side.store), targets.take(size))

    return work

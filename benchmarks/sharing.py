"""Holds against the same statements without Telic, and whether taking a due goal depends on how many there are."""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final

import psycopg

import telic
from benchmarks import growth
from benchmarks.bench import Bench
from benchmarks.hot import Hot, Target, Targets
from benchmarks.measure import Result, Work, faster, interleave, slower, time_each
from benchmarks.populate import goals_of_postgres, goals_of_sqlite, populate_postgres, populate_sqlite
from benchmarks.recorded import recorded
from benchmarks.sqlite_blocking import WARM_UP_COMMITS, ApswLoop
from telic.storage.statements import load_statements, number_parameters, parameter_names

GOALS: Final = 1_000
CALLERS: Final = 32
CLAIMS: Final = 50
AT_LEAST: Final = 0.8
AT_MOST: Final = 1.25

InLoop = Callable[[dict[str, Any]], object]


def hold(store: telic.GoalStore, target: Target) -> telic.Hold:
    """Budget is reserved for a turn."""
    return store.hold(target.goal_id, tokens=1_500, key=target.key)


def settle(store: telic.GoalStore, target: Target) -> telic.TurnResult:
    """The turn is accounted, and its hold settled."""
    return store.record_turn(target.goal_id, tokens=1_500, hold=target.key, key=target.key)


STEPS: Final[tuple[Hot, ...]] = (hold, settle)
STATEMENTS: Final = ("holds.place", "turns.record")


def run(bench: Bench) -> Iterator[Result]:
    """A hold and the turn that settles it on the four stores; `claim_due` in a small and in a large database."""
    yield from _on_sqlite(bench)
    yield from _on_postgres(bench)
    many = bench.size(1_000_000, 50_000)
    small_file = bench.new_file("small")
    populate_sqlite(small_file, growth.FEW)
    yield _claims(bench, "SQLite", many, [growth.large_file(many), small_file])
    small_url = bench.new_database("sharing_small")
    populate_postgres(small_url, growth.FEW)
    yield _claims(bench, "PostgreSQL", many, [growth.large_database(bench, many), small_url])


def _on_sqlite(bench: Bench) -> Iterator[Result]:
    paths = [bench.new_file(name) for name in ("telic", "apsw")]
    for path in paths:
        populate_sqlite(path, GOALS)
    loop = ApswLoop(paths[1])
    in_loop = [loop.writes(statement) for statement in STATEMENTS]
    targets = Targets(goals_of_sqlite(paths[0], GOALS))
    yield from _both(bench, "SQLite", str(paths[0]), in_loop, "apsw loop, same SQL", targets)
    loop.connection.close()


def _on_postgres(bench: Bench) -> Iterator[Result]:
    urls = [bench.new_database(name) for name in ("sharing", "sharing_loop")]
    for url in urls:
        populate_postgres(url, GOALS)
    with psycopg.connect(urls[1], autocommit=True) as connection:
        in_loop = [_psycopg_loop(connection, statement) for statement in STATEMENTS]
        targets = Targets(goals_of_postgres(urls[0], GOALS))
        yield from _both(bench, "PostgreSQL", urls[0], in_loop, "psycopg loop, same SQL", targets)


def _psycopg_loop(connection: "psycopg.Connection[Any]", statement: str) -> InLoop:
    """Runs the named statement, prepared, in a transaction of its own."""
    text = load_statements("postgres")[statement]
    names, sql = parameter_names(text), number_parameters(text).encode()
    cursor: Any = psycopg.RawCursor(connection)
    return lambda parameters: cursor.execute(sql, [parameters[name] for name in names], prepare=True).fetchall()


def _both(
    bench: Bench, database: str, place: str, in_loop: Sequence[InLoop], reference: str, targets: Targets
) -> Iterator[Result]:
    size = bench.size(200, 64)

    def by_loop() -> float:
        parameters = [[recorded(step, target) for step in STEPS] for target in targets.take(size)]
        return time_each(partial(_run_steps, in_loop), parameters)

    with telic.connect(place) as store:
        works = [partial(_blocking, store, targets, size), by_loop]
        interleave(works, WARM_UP_COMMITS // size + 1)
        rounds = interleave(works, bench.repetitions)
    yield faster(f"{database}, blocking: hold and settle", reference, rounds, AT_LEAST)
    with asyncio.Runner() as runner:
        opened = runner.run(_opened(place))
        works = [partial(_async, runner, opened, targets, size), by_loop]
        interleave(works, WARM_UP_COMMITS // size + 1)
        rounds = interleave(works, bench.repetitions)
        runner.run(opened.close())
    yield faster(f"{database}, async, {CALLERS} callers: hold and settle", reference, rounds, AT_LEAST)


def _run_steps(in_loop: Sequence[InLoop], parameters: list[dict[str, Any]]) -> None:
    for step, given in zip(in_loop, parameters, strict=True):
        step(given)


def _blocking(store: telic.GoalStore, targets: Targets, size: int) -> float:
    return time_each(partial(_take_turn, store), targets.take(size))


def _take_turn(store: telic.GoalStore, target: Target) -> None:
    for step in STEPS:
        step(store, target)


async def _opened(place: str) -> telic.AsyncGoalStore:
    return await telic.connect_async(place)


def _async(runner: asyncio.Runner, store: telic.AsyncGoalStore, targets: Targets, size: int) -> float:
    shares = [targets.take(max(1, size // CALLERS)) for _ in range(CALLERS)]
    return time_each(lambda shares: runner.run(_take_turns(store, shares)), [shares]) / sum(map(len, shares))


async def _take_turns(store: Any, shares: list[list[Target]]) -> None:
    async def take(share: list[Target]) -> None:
        for target in share:
            for step in STEPS:
                await step(store, target)

    await asyncio.gather(*map(take, shares))


def _claims(bench: Bench, database: str, many: int, places: Sequence[str | Path]) -> Result:
    """Claiming a due goal and letting it go; the large database comes first."""
    with telic.connect(places[0]) as large, telic.connect(places[1]) as small:
        works: list[Work] = [partial(_claim_and_release, store) for store in (large, small)]
        interleave(works, 3)
        rounds = interleave(works, bench.repetitions)
    return slower(f"{database}, {many:,} due goals: claim_due", f"{growth.FEW:,} due goals", rounds, AT_MOST)


def _claim_and_release(store: telic.GoalStore) -> float:
    def claim(_number: int) -> None:
        (lease,) = store.claim_due(worker="benchmark")
        store.release_lease(lease)

    return time_each(claim, range(CLAIMS))

"""Blocking SQLite against a bare apsw loop that runs the same SQL in the same transactions."""

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, Final

import apsw

import telic
from benchmarks import hot
from benchmarks.bench import Bench
from benchmarks.hot import Hot, Target, Targets
from benchmarks.measure import Result, Work, faster, interleave, time_each
from benchmarks.populate import goals_of_sqlite, populate_sqlite
from benchmarks.recorded import recorded
from telic.domain.ids import digest
from telic.storage.drivers.sqlite_transaction import steady_microseconds
from telic.storage.statements import load_statements

GOALS: Final = 1_000
WARM_UP_COMMITS: Final = 1_000
"""A write-ahead log is slower while it grows."""

InLoop = Callable[[dict[str, Any]], object]
Works = tuple[Work, Work]


class ApswLoop:
    """What a program without Telic would do: prepared parameters, one statement text, one transaction."""

    def __init__(self, path: Path) -> None:
        self.connection = apsw.Connection(str(path), statementcachesize=200)
        self.connection.set_busy_timeout(10_000)
        self.connection.config(apsw.SQLITE_DBCONFIG_DEFENSIVE, 1)
        self.connection.config(apsw.SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0)
        self.connection.config(apsw.SQLITE_DBCONFIG_ENABLE_FKEY, 1)
        # Without it SQLite compiles some statements anew at each execution, to look at the bound values.
        self.connection.config(apsw.SQLITE_DBCONFIG_ENABLE_QPSG, 1)
        self.connection.create_scalar_function("telic_digest", digest, 1, deterministic=True)
        self.connection.create_scalar_function("telic_now", steady_microseconds, 0)
        self.connection.execute("PRAGMA synchronous = FULL; PRAGMA cache_size = -65536")
        self.statements = load_statements("sqlite")

    def writes(self, statement: str) -> InLoop:
        """Runs the named statement in a transaction of its own."""
        execute, sql = self.connection.execute, self.statements[statement]

        def write(parameters: dict[str, Any]) -> object:
            execute("BEGIN IMMEDIATE")
            rows = execute(sql, parameters).fetchall()
            execute("COMMIT")
            return rows

        return write

    def reads(self, statement: str) -> InLoop:
        """Runs the named statement."""
        execute, sql = self.connection.execute, self.statements[statement]
        return lambda parameters: execute(sql, parameters).fetchall()


def run(bench: Bench) -> Iterator[Result]:
    """`record_turn`, `create`, `get` and `active` at the default durability."""
    path, other_path = bench.new_file("telic"), bench.new_file("apsw")
    for each in (path, other_path):
        populate_sqlite(each, GOALS)
    loop = ApswLoop(other_path)
    targets = Targets(goals_of_sqlite(path, GOALS))
    size = bench.size(250, 100)
    with telic.connect(path) as store:
        for write, statement in ((hot.record_turn, "turns.record"), (hot.create, "goals.create")):
            works = _writes(store, write, loop.writes(statement), targets, size)
            interleave(works, WARM_UP_COMMITS // size + 1)
            yield _compared(bench, write, works)
        for read, statement in ((hot.get, "goals.get"), (hot.active, "goals.active")):
            works = _reads(store, read, loop.reads(statement), targets.take(GOALS), bench.size(5, 1))
            interleave(works, 1)
            yield _compared(bench, read, works)
    loop.connection.close()


def _compared(bench: Bench, operation: Hot, works: Works) -> Result:
    rounds = interleave(works, bench.repetitions)
    return faster(f"SQLite, blocking: {operation.__name__}", "apsw loop, same SQL", rounds, at_least=0.8)


def _writes(store: telic.GoalStore, operation: Hot, in_loop: InLoop, targets: Targets, size: int) -> Works:
    def by_telic() -> float:
        return time_each(partial(operation, store), targets.take(size))

    def by_loop() -> float:
        return time_each(in_loop, [recorded(operation, target) for target in targets.take(size)])

    return by_telic, by_loop


def _reads(store: telic.GoalStore, operation: Hot, in_loop: InLoop, targets: list[Target], passes: int) -> Works:
    parameters = [recorded(operation, target) for target in targets]
    return (
        lambda: time_each(partial(operation, store), targets * passes),
        lambda: time_each(in_loop, parameters * passes),
    )

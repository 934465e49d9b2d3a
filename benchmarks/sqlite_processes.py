"""Several processes that record turns on one SQLite file: whether all get their share, and soon."""

import multiprocessing
import time
from collections.abc import Iterator
from multiprocessing.synchronize import Barrier
from pathlib import Path
from typing import Final

import telic
from benchmarks import hot
from benchmarks.bench import Bench
from benchmarks.hot import Goals, Targets
from benchmarks.measure import Bar, Result, Spread
from benchmarks.populate import goals_of_sqlite, populate_sqlite

PROCESSES: Final = 8
GOALS: Final = 80

Outcome = tuple[int, float]
"""How many turns a process recorded, and the longest that one took."""


def run(bench: Bench) -> Iterator[Result]:
    """Jain's index of fairness, and the worst wait of any process."""
    path = bench.new_file("processes")
    populate_sqlite(path, GOALS)
    goals = goals_of_sqlite(path, GOALS)
    seconds = bench.size(5, 2)
    contests = [_contest(path, goals, seconds) for _ in range(9)]
    each = Spread.of([seconds / sum(count for count, _ in contest) for contest in contests])
    work, reference = f"SQLite, {PROCESSES} processes on one file: record_turn, {{}}", "each other"
    yield Result(
        work=work.format("Jain fairness"),
        reference=reference,
        ratio=Spread.of([_fairness([count for count, _ in contest]) for contest in contests]),
        unit="",
        bar=Bar(0.9, is_floor=True),
        telic=each,
    )
    yield Result(
        work=work.format("worst wait"),
        reference=reference,
        ratio=Spread.of([1000 * max(wait for _, wait in contest) for contest in contests]),
        unit="ms",
        bar=Bar(100, is_floor=False),
        telic=each,
    )


def _fairness(counts: list[int]) -> float:
    return sum(counts) ** 2 / (len(counts) * sum(count * count for count in counts))


def _contest(path: Path, goals: Goals, seconds: float) -> list[Outcome]:
    context = multiprocessing.get_context("spawn")
    start, outcomes = context.Barrier(PROCESSES), context.SimpleQueue()
    arguments = [(path, goals[number::PROCESSES], seconds, start, outcomes) for number in range(PROCESSES)]
    processes = [context.Process(target=_record_turns, args=each) for each in arguments]
    for process in processes:
        process.start()
    results: list[Outcome] = [outcomes.get() for _ in processes]
    for process in processes:
        process.join()
    return results


def _record_turns(
    path: Path, goals: Goals, seconds: float, start: Barrier, outcomes: "multiprocessing.SimpleQueue[Outcome]"
) -> None:
    count, worst = 0, 0.0
    with telic.connect(path) as store:
        start.wait()
        before = time.perf_counter()
        deadline = before + seconds
        for target in Targets(goals):
            hot.record_turn(store, target)
            now = time.perf_counter()
            count, worst, before = count + 1, max(worst, now - before), now
            if now > deadline:
                break
    outcomes.put((count, worst))

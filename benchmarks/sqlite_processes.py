"""Several processes that record turns on one SQLite file: whether all get their share, and soon."""

import multiprocessing
import time
from collections.abc import Iterator
from functools import partial
from multiprocessing.synchronize import Barrier
from pathlib import Path
from typing import Final

import telic
from benchmarks import hot
from benchmarks.bench import Bench
from benchmarks.hot import Goals, Targets
from benchmarks.measure import FEWEST_REPETITIONS, Bar, Result, Spread
from benchmarks.populate import goals_of_sqlite, populate_sqlite

PROCESSES: Final = 8
GOALS: Final = 80
FEW: Final = 8
CROWDS: Final = (30, 60)

Outcome = tuple[int, float]
"""How many turns a process recorded, and the longest that one took."""


def run(bench: Bench) -> Iterator[Result]:
    """Jain's index of fairness, and the worst wait of any process, beside that of one alone."""
    path = bench.new_file("processes")
    populate_sqlite(path, GOALS)
    goals = goals_of_sqlite(path, GOALS)
    seconds = bench.size(5, 2)
    works = [partial(_contest, path, goals, seconds, processes) for processes in (PROCESSES, 1)]
    contests = [tuple(work() for work in works) for _ in range(FEWEST_REPETITIONS)]
    name = f"SQLite, {PROCESSES} processes on one file: record_turn, {{}}"
    yield Result(
        work=name.format("Jain fairness"),
        reference="one process: time per turn",
        ratio=Spread.of(_fairness(many) for many, _ in contests),
        unit="",
        bar=Bar(0.9, is_floor=True),
        telic=Spread.of(_seconds_each(many, seconds) for many, _ in contests),
        other=Spread.of(_seconds_each(alone, seconds) for _, alone in contests),
    )
    yield Result(
        work=name.format("worst wait"),
        reference="one process: worst wait",
        ratio=Spread.of(1000 * _worst(many) for many, _ in contests),
        unit="ms",
        bar=Bar(100, is_floor=False),
        telic=Spread.of(_worst(many) for many, _ in contests),
        other=Spread.of(_worst(alone) for _, alone in contests),
    )
    for crowd in CROWDS:
        yield from _crowd(bench, path, goals, crowd)


def _crowd(bench: Bench, path: Path, goals: Goals, crowd: int) -> Iterator[Result]:
    """A crowd against a few, in turn: more writers must not make all of them slow, nor leave one behind."""
    seconds = bench.size(5, 2)
    contests = [
        (_contest(path, goals, seconds, crowd), _contest(path, goals, seconds, FEW))
        for _ in range(bench.size(FEWEST_REPETITIONS, 3))
    ]
    name = f"SQLite, {crowd} processes on one file: record_turn, {{}}"
    many, few = ([contest[place] for contest in contests] for place in (0, 1))
    yield Result(
        work=name.format("throughput"),
        reference=f"{FEW} processes: throughput",
        ratio=Spread.of(_turns(each) / _turns(fewer) for each, fewer in contests),
        unit="",
        bar=Bar(0.5, is_floor=True),
        telic=Spread.of(_seconds_each(each, seconds) for each in many),
        other=Spread.of(_seconds_each(each, seconds) for each in few),
    )
    yield Result(
        work=name.format("Jain fairness"),
        reference=f"{FEW} processes: time per turn",
        ratio=Spread.of(_fairness(each) for each in many),
        unit="",
        bar=Bar(0.9, is_floor=True),
        telic=Spread.of(_seconds_each(each, seconds) for each in many),
        other=Spread.of(_seconds_each(each, seconds) for each in few),
    )
    yield Result(
        work=name.format("worst wait"),
        reference=f"{FEW} processes: worst wait",
        ratio=Spread.of(1000 * _worst(each) for each in many),
        unit="ms",
        bar=Bar(3000, is_floor=False),
        telic=Spread.of(_worst(each) for each in many),
        other=Spread.of(_worst(each) for each in few),
    )


def _turns(contest: list[Outcome]) -> int:
    return sum(count for count, _ in contest)


def _seconds_each(contest: list[Outcome], seconds: float) -> float:
    return seconds / _turns(contest)


def _worst(contest: list[Outcome]) -> float:
    return max(wait for _, wait in contest)


def _fairness(contest: list[Outcome]) -> float:
    counts = [count for count, _ in contest]
    return sum(counts) ** 2 / (len(counts) * sum(count * count for count in counts))


def _contest(path: Path, goals: Goals, seconds: float, count: int) -> list[Outcome]:
    context = multiprocessing.get_context("spawn")
    start, outcomes = context.Barrier(count), context.SimpleQueue()
    arguments = [(path, goals[number::count], seconds, start, outcomes) for number in range(count)]
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

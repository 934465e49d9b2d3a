"""What a completed turn costs its agent, against one bare write of the same line: with its store, and without."""

import os
import statistics
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import telic
from benchmarks.bench import Bench
from benchmarks.measure import Bar, Result, Spread, Work, interleave
from telic.accounting.turn_record import TurnRecord

MOST_MICROSECONDS: Final = 20
USAGE: Final = telic.ModelUsage(
    input_tokens=12_000,
    cached_input_tokens=9_000,
    output_tokens=800,
    reasoning_tokens=300,
    active_microseconds=4_200_000,
    cost_microunits=31_000,
)


def run(bench: Bench) -> Iterator[Result]:
    """The caller's side alone; that every turn was stored is checked afterwards."""
    path = bench.new_file("accounting")
    with telic.connect(path) as store:
        goal = store.create("account for it")
        with telic.GoalAccounting(store, journal_folder=path.parent / "journals") as accounting:
            rounds = _rounds(bench, path, accounting, lambda: accounting.flush(600))
            yield _result("on_turn_complete, SQLite, stored meanwhile", rounds)
            works = [_median(bench, lambda: accounting.snapshot()), _median(bench, lambda: store.active())]
            yield _result(
                "snapshot, SQLite, nothing changed", interleave(works, bench.repetitions), "store.active()", None
            )
        assert store.get(goal.id).turns_used == bench.size(200, 50) * (bench.repetitions + 2)
    with telic.connect(path) as gone:
        accounting = telic.GoalAccounting(gone, journal_folder=path.parent / "journals")
        gone.close()
        yield _result("on_turn_complete, its store away", _rounds(bench, path, accounting, lambda: True))
        accounting.close(0)


def _rounds(
    bench: Bench, path: Path, accounting: telic.GoalAccounting, settle: Callable[[], bool]
) -> list[tuple[float, ...]]:
    snapshot = accounting.snapshot()
    assert snapshot is not None
    line = TurnRecord(f"{'0' * 16}-1000", snapshot.id, snapshot.scope, telic.types.SystemClock().now(), USAGE).encoded()
    handle = os.open(path.with_name("bare"), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    complete = _median(bench, lambda: accounting.on_turn_complete(USAGE))

    def completed() -> float:
        seconds = complete()
        assert settle()
        return seconds

    try:
        works = [completed, _median(bench, lambda: os.write(handle, line))]
        interleave(works, 2)
        return interleave(works, bench.repetitions)
    finally:
        os.close(handle)


def _median(bench: Bench, call: Callable[[], object]) -> Work:
    """What one call of many took, the median: calls one by one, as a turn ends one by one."""

    def work() -> float:
        times: list[float] = []
        for _ in range(bench.size(200, 50)):
            started = time.perf_counter()
            call()
            times.append(time.perf_counter() - started)
        return statistics.median(times)

    return work


def _result(
    work: str,
    rounds: list[tuple[float, ...]],
    reference: str = "os.write of the same line",
    most: float | None = MOST_MICROSECONDS,
) -> Result:
    telic_times, others = (Spread.of(times) for times in zip(*rounds, strict=True))
    return Result(
        work=work,
        reference=reference,
        ratio=Spread.of([1e6 * ours for ours, _ in rounds]),
        unit="µs",
        bar=None if most is None else Bar(most, is_floor=False),
        telic=telic_times,
        other=others,
    )

"""A fleet of workers, each a process of its own, on one store: how soon it is done, and what it costs to wait."""

import asyncio
import multiprocessing
import tempfile
import time
from collections.abc import Iterator
from functools import partial
from multiprocessing.synchronize import Barrier, Event
from pathlib import Path
from typing import Final

import telic
from benchmarks.bench import Bench
from benchmarks.measure import Bar, Result, Spread, interleave
from telic.domain.budget import ModelUsage
from telic.domain.criteria import Criterion
from telic.domain.decision import LoopPolicy
from telic.domain.events import EventKind
from telic.domain.goal import Goal
from telic.domain.loop_state import Claim
from telic.loop.agents.protocol import TurnReport, TurnRequest
from telic.loop.goal_loop import GoalLoop
from telic.loop.run_context import LoopSettings
from telic.loop.worker import Worker
from telic.storage.drivers.sqlite_changes import QUIET_SECONDS

MANY: Final = 30
FEW: Final = 10
TURNS: Final = 3
TURN_SECONDS: Final = 0.25
IDLE_PERCENT: Final = 2.0


def run(bench: Bench) -> Iterator[Result]:
    """Both databases."""
    for database in ("SQLite", "PostgreSQL"):
        place = str(bench.new_file("fleet")) if database == "SQLite" else bench.new_database("fleet")
        telic.connect(place).close()
        yield _faster(bench, database, place)
        yield _idle(bench, database, place)


def _faster(bench: Bench, database: str, place: str) -> Result:
    """Three times the workers finish the same goals sooner; each turn waits, as one that asks a model does."""
    goals = bench.size(200, 30)
    works = [partial(_seconds_to_finish, place, goals, workers) for workers in (MANY, FEW)]
    rounds = interleave(works, bench.size(3, 2))
    return Result(
        work=f"{database}: {MANY} workers finish {goals} goals of {TURNS} turns and one check",
        reference=f"{FEW} workers",
        ratio=Spread.of(few / many for many, few in rounds),
        bar=Bar(1.0, is_floor=True),
        telic=Spread.of(many / goals for many, _ in rounds),
        other=Spread.of(few / goals for _, few in rounds),
    )


def _idle(bench: Bench, database: str, place: str) -> Result:
    """All of an idle fleet together, once the store has been quiet for some seconds."""
    return Result(
        work=f"{database}: {MANY} workers while nothing is due",
        reference="one core",
        ratio=Spread.of(_percent_of_idle_fleet(place, bench.size(10, 4)) for _ in range(bench.size(3, 2))),
        unit="%",
        bar=Bar(IDLE_PERCENT, is_floor=False),
    )


class ThreeTurns:
    """An agent whose turns take a while, and that claims to be done with its last."""

    async def turn(self, request: TurnRequest) -> TurnReport:
        """The report of the turn, after the time that one takes."""
        await asyncio.sleep(TURN_SECONDS)
        is_last = request.turn_number >= TURNS
        usage = ModelUsage(input_tokens=100, output_tokens=10)
        return TurnReport(text="", usage=usage, tool_effects=1, claim=Claim.COMPLETE if is_last else Claim.WORKING)


def _seconds_to_finish(place: str, goals: int, workers: int) -> float:
    fleet = _Fleet(place, workers)
    with telic.connect(place) as store:
        cursor = store.cursor()
        for number in range(goals):
            store.create(f"goal {number}", scope=f"{time.time_ns()}", criteria=[Criterion.command(["true"])])
        fleet.start.wait()
        started = time.perf_counter()
        completed = (item for item in store.watch(after=cursor) if item.event.kind is EventKind.COMPLETED)
        for _ in range(goals):
            next(completed)
        seconds = time.perf_counter() - started
    fleet.end()
    return seconds


def _percent_of_idle_fleet(place: str, seconds: float) -> float:
    fleet = _Fleet(place, MANY)
    fleet.start.wait()
    time.sleep(QUIET_SECONDS + 6)
    before = fleet.cpu_seconds()
    time.sleep(seconds)
    used = fleet.cpu_seconds() - before
    fleet.end()
    return 100 * used / seconds


class _Fleet:
    """Worker processes that have the store open, and begin when everybody waits at `start`."""

    def __init__(self, place: str, workers: int) -> None:
        context = multiprocessing.get_context("spawn")
        self.start, self._stop = context.Barrier(workers + 1), context.Event()
        self._processes = [
            context.Process(target=_work, args=(place, f"worker-{number}", self.start, self._stop))
            for number in range(workers)
        ]
        for process in self._processes:
            process.start()

    def cpu_seconds(self) -> float:
        """All processor time that the workers have used so far."""
        return sum(_cpu_seconds(process.pid or 0) for process in self._processes)

    def end(self) -> None:
        """No worker is left."""
        self._stop.set()
        for process in self._processes:
            process.join()


def _cpu_seconds(pid: int) -> float:
    # The times of all threads, in nanoseconds: those in /proc/PID/stat are counted in hundredths of a second.
    tasks = Path(f"/proc/{pid}/task").glob("*/schedstat")
    return sum(int(task.read_text().split()[0]) for task in tasks) / 1e9


def _work(place: str, name: str, start: Barrier, stop: Event) -> None:
    asyncio.run(_work_until(place, name, start, stop))


async def _work_until(place: str, name: str, start: Barrier, stop: Event) -> None:
    with tempfile.TemporaryDirectory() as folder:
        async with telic.connect_async(place) as store:
            settings = LoopSettings(workspace=Path(folder), worker=name)

            def loop_of(_goal: Goal) -> GoalLoop:
                # Checked first, the goal would be done without any turn.
                return GoalLoop(store, ThreeTurns(), settings, LoopPolicy(verify_first=False))

            worker = Worker(store=store, make_loop=loop_of, name=name)
            await asyncio.to_thread(start.wait)
            running = asyncio.create_task(worker.run())
            await asyncio.to_thread(stop.wait)
            worker.stop()
            await running

"""The dashboard: how soon the list of a million goals answers, and what live pages cost while turns are recorded."""

import asyncio
import itertools
import os
import random
import statistics
import subprocess
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from tests.support.dashboards import TOKEN, running_dashboard

import telic
from benchmarks.bench import Bench
from benchmarks.growth import large_file
from benchmarks.measure import FEWEST_REPETITIONS, Bar, Result, Spread
from benchmarks.populate import goals_of_sqlite, populate_sqlite

LIST_MILLISECONDS: Final = 100
LIVE_PERCENT: Final = 50
TURNS_PER_SECOND: Final = 50
HEADERS: Final = f"Authorization: Bearer {TOKEN}\r\n"


def run(bench: Bench) -> Iterator[Result]:
    """Both bars."""
    yield from _list(bench)
    yield from _live(bench)


def _list(bench: Bench) -> Iterator[Result]:
    goals = bench.size(1_000_000, 50_000)
    path = large_file(goals)
    scope = goals_of_sqlite(path, 1)[0][1]
    looks = [
        "/",
        "/?order=oldest",
        "/?order=changed",
        "/?status=active",
        "/?status=paused&order=changed",
        f"/?scope={scope}",
        "/?search=part+77",
        "/?search=no+such+words",
        "/?search=no+such+words&order=changed",
        "/?worker=nobody",
    ]
    with running_dashboard(str(path)) as dashboard:
        rounds = [
            asyncio.run(_milliseconds(dashboard.address, [*looks, *_deep(goals)]))
            for _ in range(bench.size(FEWEST_REPETITIONS, 3))
        ]
    for what, values, most in (
        ("median", [statistics.median(each) for each in rounds], None),
        (
            "99th percentile",
            [statistics.quantiles(each, n=100, method="inclusive")[-1] for each in rounds],
            LIST_MILLISECONDS,
        ),
    ):
        yield Result(
            work=f"dashboard, {goals:,} goals: the list, filtered, sorted and searched, {what}",
            reference="the request",
            ratio=Spread.of(values),
            unit="ms",
            bar=None if most is None else Bar(most, is_floor=False),
            telic=Spread.of(value / 1000 for value in values),
        )


def _deep(goals: int) -> list[str]:
    """Pages far from the first."""
    return [f"/?cursor=newest-{random.randint(1, goals)}" for _ in range(10)]


async def _milliseconds(address: str, looks: Sequence[str]) -> list[float]:
    """How long each answer takes, on one connection; each look comes ten times, in random order."""
    host, port = address.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    each = []
    for path in random.sample([*looks] * 10, len(looks) * 10):
        started = time.perf_counter()
        writer.write(f"GET {path} HTTP/1.1\r\nHost: {host}:{port}\r\n{HEADERS}\r\n".encode())
        head = await reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200"), head
        length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
        await reader.readexactly(length)
        each.append((time.perf_counter() - started) * 1000)
    writer.close()
    await writer.wait_closed()
    return each


def _live(bench: Bench) -> Iterator[Result]:
    pages, seconds = bench.size(200, 20), bench.size(10, 3)
    path = bench.new_file("live")
    populate_sqlite(path, 10_000)
    goals = goals_of_sqlite(path, 10_000)
    shown = goals[: pages // 2]
    paths = [f"/live/goals/{goal_id}" for goal_id, _ in shown] + ["/live/"] * (pages - len(shown))
    with running_dashboard(str(path)) as dashboard:
        used = asyncio.run(
            _core_percents(
                dashboard.address, dashboard.process, paths, path, [goal_id for goal_id, _ in shown], seconds
            )
        )
    yield Result(
        work=f"dashboard: {pages} live pages, {pages // 2} of them of goals, while {TURNS_PER_SECOND} turns a second"
        " are recorded for those",
        reference="one core",
        ratio=Spread.of(used),
        unit="%",
        bar=Bar(LIVE_PERCENT, is_floor=False),
    )


async def _core_percents(
    address: str,
    process: "subprocess.Popen[str]",
    paths: Sequence[str],
    store: Path,
    goals: Sequence[str],
    seconds: int,
) -> list[float]:
    """How much of a core the server needs, second by second, while every page hears of what changes."""
    heard, begun = [0] * len(paths), [asyncio.Event() for _ in paths]
    readers = [
        asyncio.create_task(_follow(address, path, heard, place, begun[place])) for place, path in enumerate(paths)
    ]
    await asyncio.wait_for(asyncio.gather(*(each.wait() for each in begun)), 60)
    writer = asyncio.create_task(_record(store, goals))
    await asyncio.sleep(1)
    before = list(heard)
    percents = []
    for _ in range(seconds):
        started, cpu = time.perf_counter(), _cpu_seconds(process.pid)
        await asyncio.sleep(1)
        percents.append(100 * (_cpu_seconds(process.pid) - cpu) / (time.perf_counter() - started))
    # A page of a list of other goals may have nothing to hear; those of goals do.
    assert all(after > former for after, former in zip(heard[: len(goals)], before, strict=False))
    for task in [writer, *readers]:
        task.cancel()
    await asyncio.gather(writer, *readers, return_exceptions=True)
    return percents


async def _follow(address: str, path: str, heard: list[int], place: int, begun: asyncio.Event) -> None:
    host, port = address.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port), limit=2**24)
    writer.write(f"GET {path} HTTP/1.1\r\nHost: {host}:{port}\r\n{HEADERS}\r\n".encode())
    try:
        while chunk := await reader.read(2**20):
            heard[place] += 1
            if b"event: fragments" in chunk:
                begun.set()
    finally:
        writer.close()


async def _record(store: Path, goals: Sequence[str]) -> None:
    """Turns, at an even pace, one goal after another; those of the list's first page among them."""
    async with telic.connect_async(store) as opened:
        newest = [goal.id for goal in (await opened.list(limit=len(goals))).goals]
        for number, goal_id in enumerate(
            itertools.cycle([each for pair in zip(goals, newest, strict=False) for each in pair])
        ):
            started = time.perf_counter()
            await opened.record_turn(goal_id, tokens=1_500, key=f"live-{number}")
            await asyncio.sleep(max(0.0, 1 / TURNS_PER_SECOND - (time.perf_counter() - started)))


def _cpu_seconds(process_id: int) -> float:
    """What the process has used of the processors so far."""
    fields = Path(f"/proc/{process_id}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

"""The table, the page and the plot."""

import platform
from collections.abc import Sequence
from datetime import UTC, datetime
from os import cpu_count
from pathlib import Path
from typing import TYPE_CHECKING, Final

import apsw
import psycopg

import telic
from benchmarks.measure import Result, Spread

if TYPE_CHECKING:
    from benchmarks.bench import Bench

HEADINGS: Final = ("work", "reference in the same run", "Telic", "reference", "ratio", "bar", "reached")
_UNITS: Final = ((1.0, "s"), (1e-3, "ms"), (1e-6, "µs"))


def line(result: Result) -> str:
    """One result on one line."""
    return " | ".join(_cells(result))


def table(results: Sequence[Result]) -> str:
    """All results as a Markdown table."""
    rows = [HEADINGS, *(_cells(result) for result in results)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |" for row in rows
    ]
    lines.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    return "\n".join(lines)


def _cells(result: Result) -> tuple[str, ...]:
    return (
        result.work,
        result.reference,
        _duration(result.telic),
        _duration(result.other),
        f"{_figures(result.ratio, 1)} {result.unit}".rstrip(),
        _bar(result),
        "" if result.bar is None else "yes" if result.is_reached else "**no**",
    )


def _bar(result: Result) -> str:
    if result.bar is None:
        return ""
    return f"{'≥' if result.bar.is_floor else '≤'} {result.bar.value:g} {result.unit}".rstrip()


def _duration(spread: Spread | None) -> str:
    if spread is None:
        return ""
    scale, unit = next((pair for pair in _UNITS if spread.median >= pair[0]), _UNITS[-1])
    return f"{_figures(spread, scale)} {unit}"


def _figures(spread: Spread, scale: float) -> str:
    low, median, high = (_short(value / scale) for value in (spread.low, spread.median, spread.high))
    return f"{median} ({low}–{high})"


def _short(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def write(folder: Path, results: Sequence[Result], bench: "Bench") -> None:
    """The page and the plot are in the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    draw(folder / "benchmarks.png", results)
    (folder / "benchmarks.md").write_text(_PAGE.format(machine=_machine(bench), table=table(results)))


_PAGE: Final = """# Benchmarks

Written by `make bench`. Each figure is a median with its quartiles in brackets; times are per operation. A ratio
is the median of the ratios of single rounds: Telic and its reference take turns within one run (A, B, A, B, …),
so that what disturbs the machine disturbs both. Ratios travel between machines, times do not.

{machine}

![How far each measurement is from its bar](benchmarks.png)

{table}

## What was measured

- **apsw loop**: the same SQL text with parameters made beforehand, `BEGIN IMMEDIATE` and `COMMIT` around writes,
  the same pragmas and digest function, and nothing else. Both databases hold 1,000 goals and sync on every commit.
- **aiosqlite**: the same SQL, one statement per call as it demands, on one connection; an `asyncio.Lock` keeps
  transactions apart. It runs in the same process on a file of its own.
- **pgbench**: `-M prepared` with the same statement on random goals out of 1,000, on the same server, which syncs
  (`fsync` and `synchronous_commit` on), over TCP on one machine.
- **Processes**: all record turns on one file as fast as they can. Jain's index of fairness is 1 when all get the
  same share and 1/n when one gets all. The worst wait is the longest single call of all processes; the
  reference is one process alone, whose worst wait is what the disk's slowest sync took.
- **20 ms away**: a proxy delays each direction by 10 ms; one round trip is a `SELECT 1` through the same proxy.
- **Growth**: one goal per scope and five turns per goal in both databases; the same number of goals, spread evenly
  over the table in random order, is touched in both. `transition` pauses each and then resumes each. In the large
  database these goals' pages no longer fit the processor's caches, which also slows the bare apsw loop: see its row.
- **quote**: five calls on one text. It is held to a time, since that is what is promised.
- **Hold and settle**: two transactions, `holds.place` and `turns.record`, in a loop over apsw or psycopg with the
  same SQL, prepared. 32 tasks call the async stores, and still one loop runs at a time.
- **claim_due** takes the goal that was served longest ago and lets it go, where every goal of the database is due.
- **Watching**: a process makes changes at random moments; the time runs from just before it asks for one to when a
  watcher in another process has it. PostgreSQL notifies; SQLite's file is looked at 25 times a second.
- **MCP**: requests go through pipes one at a time, and the time runs from the write of one to the end of its answer.
  The bare server is the SDK's own, on its own transport, with one tool that gives back a short text.
- **Observers**: the same calls on the same file by a store with one and by a store without; spans leave through a batch
  processor to an exporter that takes them at once.
- **Peers** do comparable work, not equal work: they have no ledger hash, no history and no budget check. The
  LangGraph store reads a record, adds to its counters and puts it back, which loses updates when two do it at once.
"""


def _machine(bench: "Bench") -> str:
    with psycopg.connect(bench.postgres.url()) as connection:
        postgres = connection.info.parameter_status("server_version")
    facts = {
        "date": f"{datetime.now(UTC):%Y-%m-%d}",
        "Telic": telic.__version__ if hasattr(telic, "__version__") else "this checkout",
        "cores": f"{cpu_count()} ({_processor()})",
        "system": f"{platform.system()} {platform.release()}",
        "Python": platform.python_version(),
        "SQLite": f"{apsw.sqlite_lib_version()} (apsw)",
        "PostgreSQL": str(postgres),
    }
    return "\n".join(f"- {name}: {value}" for name, value in facts.items())


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.machine()
    models = [text.partition(":")[2].strip() for text in lines if text.startswith("model name")]
    return models[0] if models else platform.machine()


_TICKS: Final = (0.1, 0.2, 0.5, 0.8, 1, 1.25, 1.5, 2, 3, 5, 10, 20, 50)


def draw(path: Path, results: Sequence[Result]) -> None:
    """A plot of how many times better than its bar each result is."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot, ticker

    judged = [result for result in results if result.bar is not None][::-1]
    figure, axes = pyplot.subplots(figsize=(10, 1 + 0.26 * len(judged)), layout="constrained")
    for position, result in enumerate(judged):
        _draw_one(axes, position, result)
    axes.set_yticks(range(len(judged)), [f"{result.work}  ({_bar(result)})" for result in judged], fontsize=7)
    axes.axvline(1, color="black", linewidth=1)
    axes.set_xscale("log")
    axes.xaxis.set_major_locator(ticker.FixedLocator(_TICKS))
    axes.xaxis.set_major_formatter(ticker.FuncFormatter(lambda value, _: f"{value:g}"))
    axes.xaxis.set_minor_locator(ticker.NullLocator())
    axes.grid(axis="x", which="both", alpha=0.2)
    axes.set_xlabel("times better than the bar (median and quartiles); left of the line a bar is missed")
    axes.set_title("Telic against its limits")
    figure.savefig(path, dpi=130)
    pyplot.close(figure)


def _draw_one(axes: object, position: int, result: Result) -> None:
    assert result.bar is not None
    ends = sorted(result.bar.margin(value) for value in (result.ratio.low, result.ratio.high))
    colour = "tab:blue" if result.is_reached else "tab:red"
    axes.plot(ends, [position] * 2, color=colour, linewidth=3, alpha=0.4)
    axes.plot([result.bar.margin(result.ratio.median)], [position], "o", color=colour, markersize=5)

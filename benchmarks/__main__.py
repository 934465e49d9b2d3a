"""`python -m benchmarks`: measure everything, print one table, write docs/benchmarks.md and its plot."""

import argparse
import sys
from pathlib import Path

from benchmarks import (
    accounting,
    dashboard,
    growth,
    peers,
    postgres,
    prompt,
    protocol,
    report,
    round_trips,
    sharing,
    sqlite_async,
    sqlite_blocking,
    sqlite_processes,
    start_up,
    telemetry,
    watching,
    workers,
)
from benchmarks.bench import REPOSITORY, open_bench
from benchmarks.measure import Result

THEMES = {
    module.__name__.rpartition(".")[2]: module
    for module in (
        sqlite_blocking,
        sqlite_async,
        sqlite_processes,
        postgres,
        round_trips,
        growth,
        sharing,
        watching,
        workers,
        dashboard,
        start_up,
        accounting,
        telemetry,
        prompt,
        protocol,
        peers,
    )
}


def main() -> int:
    """0 where every bar is reached, else 1."""
    arguments = _parse()
    results: list[Result] = []
    with open_bench(quick=arguments.quick) as bench:
        folder = arguments.into or (None if arguments.quick or arguments.only else REPOSITORY / "docs")
        for name in arguments.only or THEMES:
            print(f"{name} …", file=sys.stderr, flush=True)
            for result in THEMES[name].run(bench):
                print(report.line(result), flush=True)
                results.append(result)
            if folder is not None:
                # After each theme, so that a run that is cut short leaves what it measured.
                report.write(folder, results, bench)
        print(report.table(results))
    return 0 if all(result.is_reached for result in results) else 1


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--only", nargs="+", choices=THEMES, metavar="NAME", help=f"of {', '.join(THEMES)}")
    parser.add_argument("--quick", action="store_true", help="small sizes: a look, no figures to quote")
    parser.add_argument(
        "--into", type=Path, metavar="FOLDER", help="where the page and the plot go; a full run's go to docs/"
    )
    return parser.parse_args()


sys.exit(main())

"""The command that adds up what goals consumed."""

from collections.abc import Callable, Sequence
from operator import attrgetter
from pathlib import Path
from typing import Final

import click
from click.core import ParameterSource

from telic.domain.ids import short_ids
from telic.domain.jsonable import report_to_json
from telic.domain.report import UsageGrouping, UsageReport, UsageSum
from telic.interfaces.cli import options, plot
from telic.interfaces.cli.options import parse_since
from telic.interfaces.cli.session import Session, command
from telic.wording.amounts import show_used
from telic.wording.words import first_words

_COLUMNS: Final[dict[str, tuple[str, Callable[[UsageSum], int]]]] = {
    "turns": ("turns", attrgetter("usage.turns")),
    "tokens": ("tokens", attrgetter("usage.tokens")),
    "input": ("tokens", attrgetter("usage.input_tokens")),
    "cached": ("tokens", attrgetter("usage.cached_input_tokens")),
    "output": ("tokens", attrgetter("usage.output_tokens")),
    "reasoning": ("tokens", attrgetter("usage.reasoning_tokens")),
    "time": ("active_microseconds", attrgetter("usage.active_microseconds")),
    "cost": ("cost_microunits", attrgetter("usage.cost_microunits")),
    "estimated": ("tokens", attrgetter("estimated.tokens")),
    "held": ("tokens", attrgetter("held.tokens")),
    "uncertain": ("tokens", attrgetter("uncertain.tokens")),
}
"""Each column's unit and value. What is held and uncertain is known by goal only."""

_ALWAYS: Final = frozenset({"turns", "tokens"})
_KNOWN: Final = frozenset({"estimated", "held", "uncertain"})
"""What is in the store itself, however little is known of what was used."""
_NAMELESS: Final = "(not named)"


@click.command()
@options.goal_id
@click.option(
    "--by",
    type=click.Choice([by.value for by in UsageGrouping]),
    default=UsageGrouping.GOAL.value,
    show_default=True,
    help="What is added up; a day is one in UTC.",
)
@click.option("--all-scopes", is_flag=True, help="Goals of every scope; so it is --by scope, unless --scope is given.")
@click.option("--since", metavar="TIME", help="Only from then on: 2026-12-31, 2026-12-31T18:00Z, or 7d ago.")
@click.option("--until", metavar="TIME", help="Only before then.")
@click.option("--limit", type=int, default=20, show_default=True, help="At most so many lines; the total has all.")
@click.option("--plot", "file", type=click.Path(path_type=Path), help="Draw the tokens into a .png or .svg file.")
@command()
def usage(
    session: Session,
    goal_id: str | None,
    by: str,
    all_scopes: bool,
    since: str | None,
    until: str | None,
    limit: int,
    file: Path | None,
) -> None:
    """Add up what goals consumed, by goal, scope, kind of usage, model or day."""
    if file is not None:
        plot.require(file)
    grouping = UsageGrouping(by)
    goal = None if goal_id is None else session.goal(goal_id)
    report = session.store.usage(
        by=grouping,
        scope=session.scope if goal is None and not (all_scopes or _is_everywhere(grouping)) else None,
        goal_id=None if goal is None else goal.id,
        since=parse_since(since),
        until=parse_since(until),
        limit=limit,
    )
    labels = _labels(report)
    if file is not None:
        plot.draw(report, labels, file)
    if session.terminal.as_json:
        session.terminal.json(report_to_json(report))
        return
    _show(session, report, labels)
    if file is not None:
        session.terminal.hint(f"the plot is in {file}")


def _is_everywhere(grouping: UsageGrouping) -> bool:
    source = click.get_current_context().get_parameter_source("scope")
    return grouping is UsageGrouping.SCOPE and source is not ParameterSource.COMMANDLINE


def _labels(report: UsageReport) -> list[str]:
    names = [_NAMELESS if group.name is None else group.name for group in report.groups]
    return short_ids(names) if report.by is UsageGrouping.GOAL and names else names


def _show(session: Session, report: UsageReport, labels: Sequence[str]) -> None:
    if not report.groups:
        session.terminal.line("nothing was recorded")
        session.terminal.hint("--all-scopes looks everywhere; telic record ID --tokens N accounts a turn")
        return
    columns = [name for name in _COLUMNS if _is_shown(session, report, name)]
    rows = [
        [label, *_cells(columns, group.sum), *_text(session, report, group.name)]
        for label, group in zip(labels, report.groups, strict=True)
    ]
    text = ["text"] if report.by is UsageGrouping.GOAL else []
    total = ["total", *_cells(columns, report.total), *("" for _ in text)]
    session.terminal.table([report.by.value, *columns, *text], [*rows, total], numbers=columns, has_total=True)
    if report.left_out:
        session.terminal.hint(f"{report.left_out:,} smaller ones are in the total only; --limit N shows more")


def _is_shown(session: Session, report: UsageReport, name: str) -> bool:
    """On a terminal, only columns that say something: it is narrow."""
    return name in _ALWAYS or not session.terminal.is_screen or _COLUMNS[name][1](report.total) > 0


def _cells(columns: Sequence[str], of: UsageSum) -> list[str]:
    return [
        show_used(unit, value(of), estimated_lines=0 if name in _KNOWN else of.estimated.lines)
        for name in columns
        for unit, value in [_COLUMNS[name]]
    ]


def _text(session: Session, report: UsageReport, name: str | None) -> list[str]:
    return [first_words(session.store.get(str(name)).text, 30)] if report.by is UsageGrouping.GOAL else []


COMMANDS = (usage,)

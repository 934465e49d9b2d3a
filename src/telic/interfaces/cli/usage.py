"""The command that adds up what goals consumed, and its plot: a bar for each group."""

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from importlib import import_module
from operator import attrgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click
from click.core import ParameterSource

from telic.domain.base_errors import needs_extra
from telic.domain.errors import InvalidInput
from telic.domain.ids import short_ids
from telic.domain.jsonable import report_to_json
from telic.domain.report import UsageGrouping, UsageReport, UsageSum
from telic.interfaces.cli import options
from telic.interfaces.cli.options import FILE, MOMENT_OR_AGO
from telic.interfaces.cli.session import Session, command
from telic.prompt.escape import visible
from telic.wording.amounts import first_words, show_amount, show_used

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Each column's unit and value. What is held and uncertain is known by goal only.
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

_ALWAYS: Final = frozenset({"turns", "tokens"})
# What is in the store itself, however little is known of what was used.
_KNOWN: Final = frozenset({"estimated", "held", "uncertain"})
_NAMELESS: Final = "(not named)"

_DRAWN: Final = ("tokens", "cost", "time", "turns")
_FORMATS: Final = {".png": "png", ".svg": "svg"}
_INK: Final = "#3b6ea5"
_GREY: Final = "#666666"
_LABEL_CHARS: Final = 40
_MOST_BARS: Final = 30
_MOST_DATES: Final = 6


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
@click.option(
    "--since", type=MOMENT_OR_AGO, metavar="TIME", help="Only from then on: 2026-12-31, or 7d for seven days ago."
)
@click.option("--until", type=MOMENT_OR_AGO, metavar="TIME", help="Only before then.")
@click.option("--limit", type=int, default=20, show_default=True, help="At most so many lines; the total has all.")
@click.option("--plot", "file", type=FILE, help="Draw it into a .png or .svg file.")
@click.option("--of", "drawn", type=click.Choice(_DRAWN), default="tokens", show_default=True, help="What is drawn.")
@command()
def usage(
    session: Session, goal_id: str | None, by: str, all_scopes: bool, file: Path | None, drawn: str, **bounds: Any
) -> None:
    """Add up what goals consumed, by goal, scope, kind of usage, model or day."""
    if file is not None:
        _require_plot(file)
    grouping = UsageGrouping(by)
    goal = None if goal_id is None else session.goal(goal_id)
    source = click.get_current_context().get_parameter_source("scope")
    # To add up by scope only makes sense everywhere, unless somebody names one.
    everywhere = all_scopes or (grouping is UsageGrouping.SCOPE and source is not ParameterSource.COMMANDLINE)
    report = session.store.usage(
        by=grouping,
        scope=None if goal is not None or everywhere else session.scope,
        goal_id=session.target_id,
        **bounds,
    )
    labels = [_NAMELESS if group.name is None else group.name for group in report.groups]
    labels = short_ids(labels) if grouping is UsageGrouping.GOAL and labels else labels
    if file is not None:
        _draw(_Drawing.of(session, report, labels, drawn), file)
    if session.terminal.as_json:
        session.terminal.json(report_to_json(report))
        return
    _show(session, report, labels)
    if file is not None:
        session.hint(f"the plot is in {file}")


def _show(session: Session, report: UsageReport, labels: Sequence[str]) -> None:
    if not report.groups:
        session.terminal.line("nothing was recorded")
        session.hint("--all-scopes looks everywhere; telic record {id} --tokens N accounts a turn")
        return
    # A terminal is narrow: there, only columns that say something.
    is_wide = not session.terminal.is_screen
    columns = [name for name, (_, value) in _COLUMNS.items() if is_wide or name in _ALWAYS or value(report.total) > 0]
    by_goal = report.by is UsageGrouping.GOAL
    rows = [
        [label, *_cells(columns, each.sum), *([_first_words_of(session, each.name)] if by_goal else [])]
        for label, each in zip(labels, report.groups, strict=True)
    ]
    total = ["total", *_cells(columns, report.total), *[""] * by_goal]
    titles = [report.by.value, *columns, *["text"] * by_goal]
    session.terminal.table(titles, [*rows, total], numbers=columns, has_total=True)
    if report.left_out:
        session.hint(f"{report.left_out:,} smaller ones are in the total only; --limit N shows more")


def _first_words_of(session: Session, goal_id: str | None) -> str:
    return first_words(session.store.get(str(goal_id)).text, 30)


def _cells(columns: Sequence[str], of: UsageSum) -> list[str]:
    return [
        show_used(unit, value(of), estimated_lines=0 if name in _KNOWN else of.estimated.lines)
        for name in columns
        for unit, value in [_COLUMNS[name]]
    ]


def _require_plot(file: Path) -> None:
    if file.suffix.lower() not in _FORMATS:
        raise InvalidInput(f"a plot's file ends in {' or '.join(_FORMATS)}, not in {file.suffix!r}")
    # Before the store is asked: a report can take long.
    with needs_extra("plot", "drawing a plot"):
        import_module("matplotlib")


@dataclass(frozen=True, slots=True)
class _Drawing:
    """The bars of a plot, each with its label, and what all of them are together."""

    title: str
    unit: str
    by_day: bool
    labels: Sequence[str]
    values: Sequence[int]

    @classmethod
    def of(cls, session: Session, report: UsageReport, labels: Sequence[str], drawn: str) -> "_Drawing":
        """Return the bars of the report's groups, the longest first; what is left out is a bar of its own."""
        unit, value = _COLUMNS[drawn]
        by_day, whole = report.by is UsageGrouping.DAY, value(report.total)
        groups = sorted(zip(labels, report.groups, strict=True), key=lambda each: 0 if by_day else -value(each[1].sum))
        groups = groups if by_day else groups[:_MOST_BARS]
        shown, values = [label for label, _ in groups], [value(group.sum) for _, group in groups]
        if report.by is UsageGrouping.GOAL:
            shown = [f"{label} {_first_words_of(session, group.name)}" for label, group in groups]
        title = f"{drawn.capitalize()} by {report.by}: {show_amount(unit, sum(values))}"
        if (left := whole - sum(values)) > 0:
            title += f" of {show_amount(unit, whole)}"
            shown, values = (shown, values) if by_day else ([*shown, "others"], [*values, left])
        return cls(title, unit, by_day, shown, values)


def _draw(drawing: _Drawing, file: Path) -> None:
    from matplotlib.figure import Figure

    by_day = drawing.by_day
    figure = Figure(figsize=(7, 3.2 if by_day else 1.2 + 0.3 * max(len(drawing.labels), 2)), layout="constrained")
    axes = figure.subplots()
    (_draw_days if by_day else _draw_bars)(axes, drawing)
    axes.set_title(drawing.title, parse_math=False, loc="left", fontsize=11, color="#222222")
    for side in ("top", "right", "left" if by_day else "bottom"):
        axes.spines[side].set_visible(False)
    axes.tick_params(length=0, labelsize=8, labelcolor=_GREY)
    try:
        with warnings.catch_warnings():
            # A character that the font lacks is drawn as a box; that is no news for standard error.
            warnings.simplefilter("ignore")
            figure.savefig(file, format=_FORMATS[file.suffix.lower()], dpi=160)
    except OSError as error:
        raise InvalidInput(f"{file} cannot be written: {error.strerror}") from error


def _draw_days(axes: "Axes", drawing: _Drawing) -> None:
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    days = [date.fromisoformat(label).toordinal() for label in drawing.labels]
    axes.bar(days, [float(value) for value in drawing.values], width=0.8, color=_INK)
    step = max(1, (days[-1] - days[0]) // (_MOST_DATES - 1)) if days else 1
    dates = range(days[0], days[-1] + 1, step) if days else range(0)
    axes.set_xticks(list(dates), [date.fromordinal(day).isoformat() for day in dates])
    axes.yaxis.set_major_locator(MaxNLocator(integer=True))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: show_amount(drawing.unit, round(value))))
    axes.grid(axis="y", color="#dddddd", linewidth=0.6)
    axes.set_axisbelow(True)


def _draw_bars(axes: "Axes", drawing: _Drawing) -> None:
    shown = [first_words(visible(label), _LABEL_CHARS) for label in drawing.labels]
    places = list(range(len(shown)))
    bars = axes.barh(places, [float(value) for value in drawing.values], height=0.65, color=_INK)
    # Like a name, an amount is no formula, whatever dollars it has.
    amounts = [show_amount(drawing.unit, value) for value in drawing.values]
    for text in axes.bar_label(bars, amounts, padding=4, fontsize=8, color=_GREY):
        text.set_parse_math(False)
    axes.set_yticks(places, shown, parse_math=False)
    axes.invert_yaxis()
    axes.set_xticks([])
    axes.margins(x=0.15)


COMMANDS = (usage,)

"""A small plot of a report: the tokens of each group."""

import warnings
from collections.abc import Sequence
from datetime import date
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Final

from telic.domain.base_errors import needs_extra
from telic.domain.errors import InvalidInput
from telic.domain.report import UsageGrouping, UsageReport
from telic.prompt.escape import visible
from telic.wording.words import first_words

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_FORMATS: Final = {".png": "png", ".svg": "svg"}
_INK: Final = "#3b6ea5"
_GREY: Final = "#666666"
_LABEL_CHARS: Final = 28
_MOST_BARS: Final = 30
_MOST_DATES: Final = 6


def require(file: Path) -> None:
    """Raise an error unless a plot can be drawn into such a file.

    Raises:
        InvalidInput: its name has another ending.
        MissingExtra: the library is not installed.
    """
    if file.suffix.lower() not in _FORMATS:
        raise InvalidInput(f"a plot's file ends in {' or '.join(_FORMATS)}, not in {file.suffix!r}")
    with needs_extra("plot", "drawing a plot"):
        import_module("matplotlib")


def draw(report: UsageReport, labels: Sequence[str], file: Path) -> None:
    """The file has the plot; a former one of this name is gone.

    Raises:
        InvalidInput: the file cannot be written.
    """
    from matplotlib.figure import Figure

    bars = min(len(labels), _MOST_BARS)
    by_day = report.by is UsageGrouping.DAY
    figure = Figure(figsize=(7, 3.2 if by_day else 1.2 + 0.3 * max(bars, 2)), layout="constrained")
    axes = figure.subplots()
    (_draw_days if by_day else _draw_bars)(axes, report, labels)
    axes.set_title(f"Tokens by {report.by}: {report.total.usage.tokens:,}", loc="left", fontsize=11, color="#222222")
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


def _draw_days(axes: "Axes", report: UsageReport, labels: Sequence[str]) -> None:
    from matplotlib.ticker import FuncFormatter

    days = [date.fromisoformat(label).toordinal() for label in labels]
    axes.bar(days, [float(group.sum.usage.tokens) for group in report.groups], width=0.8, color=_INK)
    step = max(1, (days[-1] - days[0]) // (_MOST_DATES - 1)) if days else 1
    dates = range(days[0], days[-1] + 1, step) if days else range(0)
    axes.set_xticks(list(dates), [date.fromordinal(day).isoformat() for day in dates])
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
    axes.grid(axis="y", color="#dddddd", linewidth=0.6)
    axes.set_axisbelow(True)


def _draw_bars(axes: "Axes", report: UsageReport, labels: Sequence[str]) -> None:
    groups = report.groups[:_MOST_BARS]
    shown = [first_words(visible(label), _LABEL_CHARS) for label in labels[:_MOST_BARS]]
    places = list(range(len(groups)))
    bars = axes.barh(places, [float(group.sum.usage.tokens) for group in groups], height=0.65, color=_INK)
    axes.bar_label(bars, [f"{group.sum.usage.tokens:,}" for group in groups], padding=4, fontsize=8, color=_GREY)
    # A name is no formula, whatever dollars it has.
    axes.set_yticks(places, shown, parse_math=False)
    axes.invert_yaxis()
    axes.set_xticks([])
    axes.margins(x=0.15)

"""The course of a goal's usage as a drawing: numbers for SVG attributes, no words of others."""

from dataclasses import dataclass
from itertools import accumulate
from typing import Final

from telic.domain.clock import Instant, to_datetime
from telic.domain.views import GoalOverview
from telic.wording.amounts import show_short

WIDTH: Final = 720
HEIGHT: Final = 220
_LEFT: Final = 52
_RIGHT: Final = 12
_TOP: Final = 14
_BOTTOM: Final = 26
_FLOOR: Final = HEIGHT - _BOTTOM
_STEPS: Final = 4
_MINUTE: Final = 60_000_000
_DAY: Final = 1_440 * _MINUTE


@dataclass(frozen=True, slots=True)
class Tick:
    """A mark on an axis: where, and what it says."""

    at: float
    label: str


@dataclass(frozen=True, slots=True)
class Sum:
    """The usage up to a moment."""

    until: Instant
    lines: int
    tokens: int
    total: int


@dataclass(frozen=True, slots=True)
class Plot:
    """Tokens used so far over time: a line that only rises, the area below it, the budget where it is near."""

    line: str
    area: str
    last: tuple[float, float]
    across: tuple[Tick, ...]
    up: tuple[Tick, ...]
    budget_at: float | None
    sums: tuple[Sum, ...]


def draw_plot(overview: GoalOverview) -> Plot | None:
    """Return the drawing of the goal's tokens; None while there is nothing to draw."""
    sums = _sums(overview)
    if not sums:
        return None
    budget = overview.goal.token_budget
    highest = sums[-1].total
    # A budget that is far above would press the line to the floor.
    is_near = budget is not None and budget <= max(highest, 1) * 3
    ceiling = _round_up(max(highest, (budget or 0) if is_near else 0, 1))
    begin = min(overview.goal.created_at, sums[0].until)
    span = max(1, sums[-1].until - begin)
    places: list[tuple[float, float]] = [(_LEFT, _y(sums[0].total - sums[0].tokens, ceiling))]
    places += [(_x((each.until - begin) / span), _y(each.total, ceiling)) for each in sums]
    (x, y), *rest = places
    line = f"M{x:g} {y:g}" + "".join(f" H{across:g} V{up:g}" for across, up in rest)
    return Plot(
        line=line,
        area=f"{line} V{_FLOOR} H{_LEFT} Z",
        last=places[-1],
        across=_across(begin, span),
        up=tuple(
            Tick(_y(ceiling * n // _STEPS, ceiling), show_short("tokens", ceiling * n // _STEPS))
            for n in range(_STEPS + 1)
        ),
        budget_at=_y(budget, ceiling) if budget is not None and is_near else None,
        sums=sums,
    )


def _sums(overview: GoalOverview) -> tuple[Sum, ...]:
    points = overview.usage
    before = overview.goal.tokens_used - sum(point.tokens for point in points)
    totals = list(accumulate((point.tokens for point in points), initial=before))[1:]
    return tuple(
        Sum(point.until, point.lines, point.tokens, total) for point, total in zip(points, totals, strict=True)
    )


def _x(fraction: float) -> float:
    return round(_LEFT + fraction * (WIDTH - _LEFT - _RIGHT), 1)


def _y(value: int, ceiling: int) -> float:
    return round(_FLOOR - value / ceiling * (_FLOOR - _TOP), 1)


def _round_up(value: int) -> int:
    # The quarters of these are round too.
    size: int = 10 ** (len(str(value)) - 1)
    return next(size * n // 10 for n in (10, 12, 16, 20, 24, 32, 40, 48, 60, 80, 100) if size * n >= value * 10)


def _across(begin: int, span: int) -> tuple[Tick, ...]:
    # A label that says the same as the one before is left out. The first has the day, the last the zone.
    is_short = span < _DAY
    pattern = "%b %d" if not is_short else "%H:%M:%S" if span < _STEPS * _MINUTE else "%H:%M"
    moments = [to_datetime(Instant(begin + span * n // _STEPS)) for n in range(_STEPS + 1)]
    labels = [moment.strftime(pattern) for moment in moments]
    shown = [n for n, label in enumerate(labels) if n == 0 or label != labels[n - 1]]
    if is_short:
        labels[0] = f"{moments[0]:%b %d} {labels[0]}"
    labels[shown[-1]] += " UTC"
    return tuple(Tick(_x(n / _STEPS), labels[n]) for n in shown)

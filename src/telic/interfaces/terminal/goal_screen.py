"""One goal's page: all there is to know about it, live."""

from collections.abc import Iterator, Sequence
from typing import ClassVar, Final

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.widgets import Sparkline, Static

from telic.domain.clock import Clock
from telic.domain.goal import Goal
from telic.domain.views import CriterionStanding, budget_uses
from telic.interfaces.terminal.action_screen import ActingScreen, ScreenHost
from telic.interfaces.terminal.formatting import COLOURS, full_standing, literal, literal_lines, show_budget_use
from telic.services.insight import GoalDetails, GoalReader, usage_series
from telic.wording.amounts import show_age, show_time
from telic.wording.goals import (
    criteria_in_sum,
    criterion_lines,
    describe_event,
    describe_lease,
    reserved_lines,
    wait_of,
)

_MOST_TEXT_LINES: Final = 60
_MOST_TEXT_CHARS: Final = 2_000
_MOST_LINE_CHARS: Final = 500
_MOST_EVIDENCE_LINES: Final = 200
_MOST_COLUMNS: Final = 200
_MOST_EVENT_CHARS: Final = 120


class GoalScreen(ActingScreen):
    """The page of one goal."""

    DEFAULT_CSS = """
    GoalScreen VerticalScroll { height: 1fr; padding: 0 1; scrollbar-size-vertical: 1; }
    GoalScreen Static { height: auto; }
    GoalScreen #text { border-left: thick $primary; padding-left: 1; margin: 1 0; }
    GoalScreen .title { text-style: bold; margin-top: 1; }
    GoalScreen Sparkline { height: 3; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "app.pop_screen", "back", key_display="esc"),
        Binding("a", "operate('approve')", "approve"),
        Binding("x", "operate('reject')", "reject"),
        Binding("j", "scroll_line(1)", show=False),
        Binding("k", "scroll_line(-1)", show=False),
    ]

    def __init__(self, host: ScreenHost, goal: Goal, clock: Clock) -> None:
        super().__init__(host)
        self._goal = goal
        self._reader = GoalReader(goal.id, clock)
        self._parts = {name: Static(id=name) for name in ("facts", "text", "budgets", "checks", "lease", "history")}
        self._titles = {name: Static(classes="title") for name in ("usage", "checks", "lease", "history")}
        self._plot = Sparkline()
        self._body = VerticalScroll()

    def compose(self) -> ComposeResult:
        """The goal's parts from top to bottom, and the keys."""
        parts, titles = self._parts, self._titles
        yield Static(Content.styled(f"telic top · goal {literal(self._goal.id)}", "bold"), id="heading")
        with self._body:
            yield parts["facts"]
            yield parts["text"]
            yield parts["budgets"]
            yield titles["usage"]
            yield self._plot
            for name in ("checks", "lease", "history"):
                yield titles[name]
                yield parts[name]
        yield from self.compose_foot()

    def on_mount(self) -> None:
        """The page is asked for."""
        self._body.focus()
        self.look_soon()

    @property
    def chosen(self) -> Goal | None:
        """The goal, as it is shown."""
        return self._reader.details.goal if self._reader.details is not None else None

    @property
    def shown_checks(self) -> Sequence[CriterionStanding]:
        """Its criteria, as they are shown."""
        return self._reader.details.criteria if self._reader.details is not None else ()

    @property
    def ordinary_line(self) -> str:
        """When the goal was read, and whether it may be changed."""
        who = f"as {self.host.operator}" if self.host.operator is not None else "read-only"
        return f"live · {who}" if self._reader.details is not None else "the store is asked"

    async def look(self) -> None:
        """The page shows what the store has. Raises as `GoalReader.read`."""
        self._show(await self.host.live.ask(self._reader.read))
        self.show_line()

    def _show(self, details: GoalDetails) -> None:
        goal = details.goal
        text = literal_lines(goal.text, most_lines=_MOST_TEXT_LINES, most_chars=_MOST_TEXT_CHARS)
        self._parts["facts"].update(self._facts(details))
        self._parts["text"].update(Content("\n".join(text)))
        self._parts["budgets"].update(_lines(show_budget_use(goal, use) for use in budget_uses(goal)))
        self._show_usage(details)
        checks = [line for each in details.criteria for line in criterion_lines(each)]
        self._show_part("checks", f"criteria: {criteria_in_sum(details.criteria)}", checks[:_MOST_EVIDENCE_LINES])
        lease = [describe_lease(details.lease), *(line for _, line in reserved_lines(goal, details.total))]
        self._show_part("lease", "lease and holds", lease)
        self._show_part("history", "history, latest first", _history(details))

    def _facts(self, details: GoalDetails) -> Content:
        goal = details.goal
        ages = f"{show_age(details.at - goal.created_at)} old, changed {show_age(details.at - goal.updated_at)} ago"
        facts = [f"scope {goal.scope} · {ages}"]
        if goal.note:
            facts.append(f"note: {goal.note}")
        if goal.is_waiting:
            facts.append(f"wakes {wait_of(goal)}")
        return Content.assemble((full_standing(goal), f"bold ${COLOURS[goal.status]}"), "\n", _lines(facts))

    def _show_usage(self, details: GoalDetails) -> None:
        columns = max(1, min(_MOST_COLUMNS, self._body.size.width - 3))
        # One column of the terminal is one part of the time.
        series = usage_series(details.overview.usage, columns)
        self._plot.display = self._titles["usage"].display = series is not None
        if series is not None:
            self._plot.data = list(series.tokens)
            span = f"{show_time(series.since)} – {show_time(series.until)}"
            self._titles["usage"].update(Content(f"tokens, {span}, peak {max(series.tokens):,}"))

    def action_scroll_line(self, lines: int) -> None:
        """The page is scrolled by so many lines."""
        self._body.scroll_relative(y=lines, animate=False)

    def _show_part(self, name: str, title: str, lines: Sequence[str]) -> None:
        self._parts[name].display = self._titles[name].display = bool(lines)
        self._titles[name].update(Content(literal(title)))
        self._parts[name].update(_lines(lines))


def _lines(lines: Sequence[str] | Iterator[str]) -> Content:
    bounded = (line if len(line) <= _MOST_LINE_CHARS else f"{line[: _MOST_LINE_CHARS - 1]}…" for line in lines)
    return Content("\n".join(map(literal, bounded)))


def _history(details: GoalDetails) -> list[str]:
    lines = [
        f"{show_time(each.at)}  {each.kind:<10} by {each.actor:<8} {describe_event(each, _MOST_EVENT_CHARS)}".rstrip()
        for each in details.events
    ]
    if details.events and details.events[-1].number > 1:
        lines.append(f"… {details.events[-1].number - 1:,} earlier ones: telic events tells them")
    return lines

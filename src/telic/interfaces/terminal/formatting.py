"""Goals in the signs and colours of the screens: as lines, and as a table with a cursor that stays on its goal."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar, Final

from rich.cells import cell_len
from rich.text import Text
from textual import events
from textual.binding import Binding, BindingType
from textual.coordinate import Coordinate
from textual.widgets import DataTable

from telic.domain.budget import LIMIT_NAMES
from telic.domain.clock import Instant
from telic.domain.errors import GoalError, StaleUpdate
from telic.domain.goal import Goal, GoalStatus
from telic.domain.ids import short_ids
from telic.domain.lease import LeaseState
from telic.domain.views import BudgetUse, tightest
from telic.prompt.escape import JOINERS, visible
from telic.services.next_steps import Effect, effect_of, next_on_screen
from telic.wording.amounts import first_words, humanize, show_age, show_amount, show_percent, show_used
from telic.wording.goals import status_of, used_of

SIGNS: Final = {
    GoalStatus.ACTIVE: "▶",
    GoalStatus.PAUSED: "‖",
    GoalStatus.COMPLETED: "✓",
    GoalStatus.CLEARED: "✗",
}
# A theme's variables: each theme, light or dark, has its own.
COLOURS: Final = {
    GoalStatus.ACTIVE: "success",
    GoalStatus.PAUSED: "warning",
    GoalStatus.COMPLETED: "primary",
    GoalStatus.CLEARED: "error",
}

_FULL: Final = "█"
_EMPTY: Final = "░"


def standing(goal: Goal) -> str:
    """Return the status by its sign and, since a reason belongs to one status only, the reason where there is one."""
    return f"{SIGNS[goal.status]} {humanize(goal.reason or goal.status)}"


def full_standing(goal: Goal) -> str:
    """Return status, reason and revision."""
    return f"{SIGNS[goal.status]} {status_of(goal)}, revision {goal.revision}"


def bar(fraction: float, cells: int) -> str:
    """Return a bar of so many cells, as full as the fraction says."""
    full = max(0, min(cells, int(fraction * cells)))
    return _FULL * full + _EMPTY * (cells - full)


def show_budget_use(goal: Goal, use: BudgetUse) -> str:
    """Return the use of one limit on a line of its own."""
    name, shown = f"{LIMIT_NAMES[use.name]:<12}", used_of(goal, use.name)
    if use.fraction is None:
        return f"{name} {shown}"
    return f"{name} {bar(use.fraction, 20)} {show_percent(use.fraction):>5}  {shown}"


def refusal(error: GoalError) -> str:
    """Return what became of what was asked for, why, and what to do now."""
    if effect_of(error) is Effect.UNKNOWN:
        return f"{next_on_screen(error)}: {error}"
    why = str(error)
    if isinstance(error, StaleUpdate):
        # The line is short, and the goal is in sight: who it is need not be said.
        why = f"somebody changed the goal meanwhile; it is {status_of(error.goal)} at revision {error.goal.revision}"
    return f"not done: {why}; {next_on_screen(error)}"


_MOST_MARKS: Final = 3
_EMOJI_STYLES: Final = frozenset("\ufe0e\ufe0f")


def literal(text: str) -> str:
    """The text on one line with every hidden character written out, and nothing that leaves its cell.

    Marks without a letter before them, and more than three on one, are written out too: they would pile up over the
    lines above. Emoji styles are left out: terminals disagree on how wide they make a character.
    """
    shown = visible(text)
    if shown.isascii():
        return shown
    pieces: list[str] = []
    marks = _MOST_MARKS
    for character in shown:
        if character in _EMOJI_STYLES:
            continue
        if cell_len(character) > 0:
            marks = _MOST_MARKS if character.isspace() else 0
        else:
            marks += 1
        is_shown = marks <= _MOST_MARKS or cell_len(character) > 0
        pieces.append(character if is_shown else character.encode("ascii", "backslashreplace").decode())
    return "".join(pieces)


def literal_lines(text: str, *, most_lines: int, most_chars: int) -> list[str]:
    """The text line by line, each literal; what is over the bounds is left out, and the last line says so."""
    kept = text[:most_chars].replace("\r\n", "\n").split("\n")
    lines = [literal(line) for line in kept[:most_lines]]
    is_whole = len(text) <= most_chars and len(kept) <= most_lines
    return lines if is_whole else [*lines, f"… ({len(text):,} characters in all; telic show tells them)"]


def cell(text: str, width: int, style: str = "", *, is_number: bool = False) -> Text:
    """The text in a cell of a table: no markup in it, no wider than the cell less one column of space."""
    # At most three marks stand on one letter, so no character after these can be seen.
    shown = Text(literal(text[: 4 * width]), style=style, no_wrap=True, end="")
    shown.truncate(max(1, width - 1), overflow="ellipsis")
    if shown.plain[-2:-1] in JOINERS:
        # What it joined has been cut off.
        shown.plain = f"{shown.plain[:-2]}…"
    if is_number:
        shown.pad_left(max(0, width - 1 - shown.cell_len))
    return shown


_LEAST_TEXT_WIDTH: Final = 8


@dataclass(frozen=True, slots=True)
class Column:
    """A column of the list, its width with the space after it; shown on screens of `screen_width` and wider."""

    title: str
    width: int
    screen_width: int
    value: Callable[[LeaseState, Instant], str]
    is_number: bool = False


def _budget(row: LeaseState, _: Instant) -> str:
    use = tightest(row.goal)
    if use is None or use.fraction is None:
        return ""
    return f"{bar(use.fraction, 6)} {show_percent(use.fraction):>4}"


def _tokens(goal: Goal) -> str:
    return show_used("tokens", goal.tokens_used, estimated_lines=goal.estimated_lines)


COLUMNS: Final = (
    Column("id", 14, 150, lambda row, _: short_ids([row.goal.id])[0]),
    Column("status", 14, 0, lambda row, _: standing(row.goal)),
    Column("budget", 12, 0, _budget),
    Column("tokens", 14, 120, lambda row, _: _tokens(row.goal), is_number=True),
    Column("turns", 8, 110, lambda row, _: show_amount("turns", row.goal.turns_used), is_number=True),
    Column("age", 5, 50, lambda row, now: show_age(now - row.goal.created_at), is_number=True),
    Column("changed", 8, 110, lambda row, now: show_age(now - row.goal.updated_at), is_number=True),
    Column("worker", 13, 60, lambda row, _: row.worker or ""),
    Column("scope", 12, 45, lambda row, _: row.goal.scope),
)
_TEXT: Final = "text"


class GoalTable(DataTable[Text]):
    """The rows of a page; the cursor stays on its goal when rows move."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("j", "cursor_down", show=False),
        Binding("k", "cursor_up", show=False),
    ]

    def __init__(self) -> None:
        super().__init__(cell_padding=0, cursor_type="row", zebra_stripes=True)
        self._now: Instant | None = None
        self._rows: dict[str, LeaseState] = {}
        self._width = 0

    @property
    def chosen(self) -> Goal | None:
        """The goal under the cursor, as it is shown."""
        if not self._rows:
            return None
        key = self.coordinate_to_cell_key(self.cursor_coordinate).row_key.value
        return self._rows[key].goal if key in self._rows else None

    def start_over(self) -> None:
        """The next page is shown from its top."""
        self._rows = {}

    def show_rows(self, rows: Sequence[LeaseState], now: Instant) -> None:
        """The table shows these rows, in their order, with their ages."""
        chosen, scroll_y = self.chosen, self.scroll_y
        # To fill the table again costs far more than to change some cells, and moves what is looked at.
        is_same = [row.goal.id for row in rows] == list(self._rows) and self._width == self.size.width
        self._now = now
        self._rows = {row.goal.id: row for row in rows}
        if is_same:
            self._update_cells()
            return
        with self.app.batch_update():
            self._fill()
            if chosen is not None and chosen.id in self._rows:
                self.move_cursor(row=list(self._rows).index(chosen.id), scroll=False)
                self.scroll_to(y=scroll_y, animate=False, force=True)

    def _fill(self) -> None:
        self.clear(columns=True)
        self._width = self.size.width
        for column in self._columns_shown():
            self.add_column(cell(column.title, column.width, "bold", is_number=column.is_number), width=column.width)
        self.add_column(Text(_TEXT, style="bold"), width=self._text_width())
        for goal_id, row in self._rows.items():
            self.add_row(*self._cells(row), key=goal_id)

    def _update_cells(self) -> None:
        for place, row in enumerate(self._rows.values()):
            for old, (column, new) in zip(self.get_row_at(place), enumerate(self._cells(row)), strict=True):
                if old != new or old.style != new.style:
                    self.update_cell_at(Coordinate(place, column), new)

    def _columns_shown(self) -> list[Column]:
        return [column for column in COLUMNS if self._width >= column.screen_width]

    def _text_width(self) -> int:
        taken = sum(column.width for column in self._columns_shown())
        return max(_LEAST_TEXT_WIDTH, self._width - taken - self.styles.scrollbar_size_vertical)

    def _cells(self, row: LeaseState) -> list[Text]:
        assert self._now is not None
        cells: list[Text] = []
        for column in self._columns_shown():
            value = column.value(row, self._now)
            style = self.app.theme_variables[COLOURS[row.goal.status]] if column.title == "status" else ""
            cells.append(cell(value, column.width, style, is_number=column.is_number))
        return [*cells, cell(first_words(row.goal.text, 4 * self._text_width()), self._text_width())]

    def on_resize(self, _: events.Resize) -> None:
        """As many columns are shown as there is room for."""
        if self._now is not None and self._width != self.size.width:
            self.show_rows(list(self._rows.values()), self._now)

"""Goals in the signs and colours of the screens, and others' words as literal text that stays within its cells."""

from typing import Final

from rich.cells import cell_len
from rich.text import Text

from telic.domain.errors import BudgetExceeded, GoalError, StaleUpdate
from telic.domain.goal import Goal, GoalStatus
from telic.domain.views import BudgetUse
from telic.prompt.escape import JOINERS, visible
from telic.wording.amounts import LIMIT_NAMES, show_percent
from telic.wording.goals import status_of, used_of
from telic.wording.words import spoken

SIGNS: Final = {
    GoalStatus.ACTIVE: "▶",
    GoalStatus.PAUSED: "‖",
    GoalStatus.COMPLETED: "✓",
    GoalStatus.CLEARED: "✗",
}
COLOURS: Final = {
    GoalStatus.ACTIVE: "success",
    GoalStatus.PAUSED: "warning",
    GoalStatus.COMPLETED: "primary",
    GoalStatus.CLEARED: "error",
}
"""A theme's variables: each theme, light or dark, has its own."""

_FULL: Final = "█"
_EMPTY: Final = "░"


def standing(goal: Goal) -> str:
    """Return the status by its sign and, since a reason belongs to one status only, the reason where there is one."""
    return f"{SIGNS[goal.status]} {spoken(goal.reason or goal.status)}"


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
    """Return why nothing was done, and what to do now."""
    match error:
        case StaleUpdate():
            now = f"{status_of(error.goal)} at revision {error.goal.revision}"
            return f"nothing was done: somebody changed the goal meanwhile; it is {now}"
        case BudgetExceeded():
            return f"nothing was done: {error}; b sets a larger budget"
        case _:
            return f"not done: {error}"


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
        pieces.append(character if marks <= _MOST_MARKS or cell_len(character) > 0 else _written_out(character))
    return "".join(pieces)


def _written_out(character: str) -> str:
    code = ord(character)
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


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

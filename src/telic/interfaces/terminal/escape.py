"""Others' words on the screen: as literal text that stays within its cells."""

from typing import Final

from rich.cells import cell_len
from rich.text import Text

from telic.prompt.characters import JOINERS
from telic.prompt.escape import visible

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

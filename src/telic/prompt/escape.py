"""The one way out for any text that somebody else wrote: as one JSON string, or as text with nothing hidden in it."""

import re
from typing import Final

from telic.prompt.characters import JOINERS, hidden_characters, joins, risky_runs

_SEPARATOR: Final = " "
_ESCAPED_SEPARATOR: Final = "\\u0020"
_JOINER: Final = re.compile(f"[{''.join(sorted(JOINERS))}]")


def quote(text: str) -> str:
    """The text is one JSON string on one line, with nothing in it that could end, forge or hide anything.

    For prompts, results of tools and whatever else a model reads. Every control, formatting, private, unassigned
    and invisible character, every line break, `< > & " \\ ` and the backtick, whatever looks like an angle bracket
    or becomes one of these when normalised, and every mark that could combine with what stands before it, is
    written as `\\uXXXX`. `json.loads` gives the text back. At most six characters for one, twelve beyond the basic
    plane.
    """
    pieces = risky_runs(is_ascii=text.isascii()).split(text)
    # The separator is never risky, so all runs are escaped in one go and still known apart.
    pieces[1::2] = _escape_all(_SEPARATOR.join(pieces[1::2])).split(_ESCAPED_SEPARATOR) if len(pieces) > 1 else []
    return f'"{"".join(pieces)}"'


def _escape_all(text: str) -> str:
    """Each UTF-16 unit of the text as `\\uXXXX`; lone surrogates, which a file's name can hold, as themselves."""
    return "\\u" + text.encode("utf-16-be", "surrogatepass").hex("-", 2).replace("-", "\\u")


def visible(text: str) -> str:
    """The text with every hidden character written out, as `\\x1b`, `\\u202e` or `\\U000e0001`.

    For people: terminals, pages, logs. Line breaks count as hidden. Words in any script and emoji stay as they are,
    with the joiners that their writing needs, so this is no protection for prompts.
    """
    if text.isascii() and text.isprintable():
        return text
    hidden = hidden_characters(text)
    shown = text.translate({ord(character): _written_out(ord(character)) for character in hidden - JOINERS})
    if hidden.isdisjoint(JOINERS):
        return shown
    return _JOINER.sub(lambda found: found[0] if joins(shown, found.start()) else _written_out(ord(found[0])), shown)


def _written_out(code: int) -> str:
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"

"""Tells the options of a `/goal` command from its text, of which it keeps every character.

Options stand before the text or after it. Words in backquotes or double quotes are never options.
"""

import re
from dataclasses import dataclass
from typing import Final

from telic.domain.errors import InvalidCommand
from telic.services.chat.grammar_words import TAKES_VALUE, option_meant_by
from telic.wording.amounts import first_words

_SPACE: Final = re.compile(r"\s*")
_WORD: Final = re.compile(r"\S+")
_OPTION: Final = re.compile(r"(?P<dashes>--|[-–—―])(?P<name>[^\W\d_][^=\s]*)(?P<equals>=)?")
_ENDS_OPTIONS: Final = frozenset({"--", "–", "—", "―"})
_SEPARATOR: Final = re.compile(r"\r\n|\s|$")
_PLAIN: Final = re.compile(r"[^\s`\"“]+")
_BACKQUOTES: Final = re.compile(r"`+")
_CLOSING: Final = {'"': '"', "'": "'", "“": '”“"', "”": '”"', "„": '“”"', "‘": "’‘'", "’": "’'"}
_CURLY: Final = re.compile(r"[“”]")
_DOUBLE_QUOTED: Final = re.compile(r'"((?:[^"\\]|\\.)*)"', re.DOTALL)
_ESCAPED: Final = re.compile(r'\\(["\\])')


@dataclass(frozen=True, slots=True)
class Option:
    """One option. `is_smart` where a chat program has rewritten its dashes or its quotes."""

    name: str
    value: str | None
    is_quoted: bool
    is_smart: bool


@dataclass(frozen=True, slots=True)
class Scanned:
    """The options and the text of a command. A text behind `--` is verbatim, and so never a command."""

    options: tuple[Option, ...]
    text: str
    is_verbatim: bool


def scan(body: str) -> Scanned:
    """Return the options and the text in it.

    Raises:
        InvalidCommand: an option is unknown, lacks its value, or stands inside the text.
    """
    return _Scanner(body).scan()


def part_refused(text: str, what: str) -> InvalidCommand:
    """Return an error about a part of a command, with the part in it, shortened."""
    return InvalidCommand(f"{first_words(text)} {what}")


class _Scanner:
    def __init__(self, body: str) -> None:
        self._body = body
        self._position = 0
        self._options: list[Option] = []
        self._start: int | None = None
        self._end = 0
        self._is_text_over = False

    def scan(self) -> Scanned:
        while word := self._next_word():
            if self._start is None and word in _ENDS_OPTIONS:
                return self._verbatim(self._position + len(word))
            option = _option(word)
            if option is not None:
                self._take_option(*option)
            else:
                self._take_text(word)
        text = "" if self._start is None else self._body[self._start : self._end]
        return Scanned(tuple(self._options), text, is_verbatim=False)

    def _next_word(self) -> str:
        self._position = self._skip_space(self._position)
        match = _WORD.match(self._body, self._position)
        return match.group() if match else ""

    def _skip_space(self, position: int) -> int:
        match = _SPACE.match(self._body, position)
        return match.end() if match else position

    def _verbatim(self, position: int) -> Scanned:
        separator = _SEPARATOR.match(self._body, position)
        assert separator is not None
        return Scanned(tuple(self._options), self._body[separator.end() :], is_verbatim=True)

    def _take_text(self, word: str) -> None:
        if self._is_text_over:
            last = f"--{self._options[-1].name}"
            raise part_refused(
                word, f"comes after {last}: options go before the text or after it, and {_QUOTING.format(last)}"
            )
        if self._start is None:
            self._start = self._position
        self._position = self._end = self._end_of_text_word()

    def _end_of_text_word(self) -> int:
        position = self._position
        while position < len(self._body) and not self._body[position].isspace():
            plain = _PLAIN.match(self._body, position)
            position = plain.end() if plain else self._end_of_span(position)
        return position

    def _end_of_span(self, position: int) -> int:
        # Where the span in backquotes or double quotes ends; just after its mark where it is no span.
        ticks = _BACKQUOTES.match(self._body, position)
        if ticks is not None:
            end = self._body.find(ticks.group(), ticks.end())
            return ticks.end() if end < 0 else end + len(ticks.group())
        # A quote behind a letter or digit is an inch or an apostrophe.
        if position and self._body[position - 1].isalnum():
            return position + 1
        closing = "”" if self._body[position] == "“" else '"'
        line_end = self._body.find("\n", position)
        end = self._body.find(closing, position + 1, len(self._body) if line_end < 0 else line_end)
        if end < 0 or (closing == '"' and self._body[end - 1].isspace()):
            # A quote behind white space opens the next span: this one was left open.
            return position + 1
        return end + 1

    def _take_option(self, name: str, is_smart: bool, length: int, has_equals: bool) -> None:
        self._is_text_over = self._start is not None
        self._position += length
        if not TAKES_VALUE[name] and not (has_equals and name == "replace"):
            if has_equals:
                raise InvalidCommand(f"--{name} takes no value")
            self._options.append(Option(name, None, is_quoted=False, is_smart=is_smart))
            return
        value, mark = self._take_value(name, has_equals)
        is_quoted = mark in _CLOSING
        is_smart = (is_quoted and mark not in "\"'") or is_smart
        self._options.append(Option(name, value, is_quoted, is_smart))

    def _take_value(self, name: str, has_equals: bool) -> tuple[str, str]:
        """Return the value, and its first character as typed."""
        start = self._position if has_equals else self._skip_space(self._position)
        word = _WORD.match(self._body, start)
        if word is None or (not has_equals and _option(word.group()) is not None):
            raise InvalidCommand(f"--{name} needs a value: --{name} {_EXAMPLES[name]}")
        mark = self._body[start]
        if mark not in _CLOSING:
            self._position = word.end()
            return word.group(), mark
        value, self._position = self._quoted(name, start)
        if not _SEPARATOR.match(self._body, self._position):
            raise InvalidCommand(f"--{name}: a space must follow the closing quote")
        return value, mark

    def _quoted(self, name: str, start: int) -> tuple[str, int]:
        mark = self._body[start]
        if mark == '"':
            match = _DOUBLE_QUOTED.match(self._body, start)
            if match is not None:
                return _ESCAPED.sub(r"\1", match.group(1)), match.end()
        else:
            end = _closing_quote(self._body, start)
            if end is not None:
                return self._body[start + 1 : end], end + 1
        raise InvalidCommand(f"--{name}: the quote {mark} is not closed")


def _closing_quote(body: str, start: int) -> int | None:
    # Where the quote that opens at `start` closes; curly ones may stand inside each other, and in words.
    mark = body[start]
    if mark == "'":
        end = body.find(mark, start + 1)
        return None if end < 0 else end
    depth = 0
    for match in _CURLY.finditer(body, start) if mark == "“" else ():
        depth += 1 if match.group() == mark else -1
        if depth == 0:
            return match.start()
    closing = re.compile(rf"[{_CLOSING[mark]}](?=\s|$)").search(body, start + 1)
    return None if closing is None else closing.start()


def _option(word: str) -> tuple[str, bool, int, bool] | None:
    """Return the option's name, whether its dashes are smart, its length, and if `=` follows; None for other words.

    Raises:
        InvalidCommand: the word begins as an option and is none.
    """
    match = _OPTION.match(word)
    if match is None:
        return None
    dashes, name = match["dashes"], match["name"].lower()
    if name in TAKES_VALUE and dashes != "-":
        return name, dashes != "--", match.end(), match["equals"] is not None
    if name in TAKES_VALUE:
        raise part_refused(word, f"has one hyphen, options have two: write --{name}; {_AS_TEXT}")
    meant = option_meant_by(name)
    if dashes == "--" or (meant is not None and dashes != "-"):
        guess = "" if meant is None else f" (did you mean --{meant}?)"
        raise part_refused(match.group(), f"is no option{guess}; {_AS_TEXT}")
    return None


_AS_TEXT: Final = "if it belongs to the goal's text, put -- in front of the text: /goal create -- TEXT"
_QUOTING: Final = 'a value of several words goes in quotes: {} "…"'
_EXAMPLES: Final = {
    "budget": "2M",
    "turns": "40",
    "check": '"pytest -q"',
    "judge": '"Does the guide cover every option?"',
    "approve": '"May this go live?"',
    "note": '"waiting for the keys"',
    "cursor": "CURSOR",
    "replace": "ID",
}

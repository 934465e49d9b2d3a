"""Values as people read them on a page."""

import re
from typing import Final

from telic.domain.clock import Instant, to_datetime
from telic.domain.jsonable import time_to_json
from telic.prompt import escape
from telic.wording.amounts import show_amount, write_limit
from telic.wording.words import first_words

_MICRO: Final = 1_000_000
_UNITS: Final = ((1_000_000_000, "G"), (1_000_000, "M"), (1_000, "k"))
_NAMES: Final = {"tokens": "tokens", "turns": "turns", "active_microseconds": "time", "cost_microunits": "cost"}
_BREAKS: Final = re.compile("(\r?\n|\t)")


def visible(text: object) -> str:
    """The text with every hidden character written out but for the line breaks and tabs that a page can show."""
    parts = _BREAKS.split(str(text))
    parts[::2] = map(escape.visible, parts[::2])
    return "".join(parts)


def words(text: str, max_chars: int = 160) -> str:
    """The beginning of the text on one line."""
    return visible(first_words(text[: max_chars * 4], max_chars))


def compact(number: int) -> str:
    """The number in three digits or so: `1.5M`."""
    for size, unit in _UNITS:
        if number >= size:
            return f"{number / size:.3g}{unit}" if number < 1_000 * size else f"{number // size:,}{unit}"
    return str(number)


def amount(value: int, name: str) -> str:
    """The amount in its unit, short."""
    return compact(value) if name in ("tokens", "turns") else show_amount(name, value)


def exact(value: int, name: str) -> str:
    """The amount in its unit, in full."""
    return show_amount(name, value)


def written(value: int, name: str) -> str:
    """The limit as somebody would type it."""
    return write_limit(name, value)


def limit_name(name: str) -> str:
    """What the limit is on, in a word."""
    return _NAMES[name]


def spoken(word: object) -> str:
    """A name of the domain as a person says it."""
    return str(word).replace("_", " ")


def when(instant: Instant) -> str:
    """The moment in UTC."""
    return f"{to_datetime(instant):%Y-%m-%d %H:%M:%S} UTC"


def machine_time(instant: Instant) -> str:
    """The moment as a `datetime` attribute has it."""
    return str(time_to_json(instant))


def duration(microseconds: int) -> str:
    """The duration in its largest unit; what is not past yet counts as none."""
    seconds = max(0, microseconds) // _MICRO
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds // size} {unit}"
    return f"{seconds} s"


FILTERS: Final = {
    function.__name__: function
    for function in (visible, words, compact, amount, exact, written, limit_name, spoken, when, machine_time, duration)
}

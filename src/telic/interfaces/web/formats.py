"""Values as people read them on a page: the words of all surfaces, as filters of templates."""

import re
from typing import Final

from telic.domain.goal import Goal
from telic.domain.jsonable import time_to_json
from telic.prompt import escape
from telic.wording.amounts import LIMIT_NAMES, show_amount, show_percent, show_short, write_limit
from telic.wording.goals import status_of, used_of
from telic.wording.words import first_words, show_age, show_time, spoken

_BREAKS: Final = re.compile("(\r?\n|\t)")


def visible(text: object) -> str:
    """Return the text with every hidden character written out but for the line breaks and tabs that a page can show."""
    parts = _BREAKS.split(str(text))
    parts[::2] = map(escape.visible, parts[::2])
    return "".join(parts)


def words(text: str, max_chars: int = 160) -> str:
    """Return the beginning of the text on one line."""
    return visible(first_words(text[: max_chars * 4], max_chars))


def used(goal: Goal, name: str, *, noun: str = "", in_full: bool = False) -> str:
    """Return what the goal used of a limit, if it has one, each in its unit, and whether some of it is estimated."""
    return used_of(goal, name, noun=noun, show=show_amount if in_full else show_short)


FILTERS: Final = {
    "visible": visible,
    "words": words,
    "amount": lambda value, name: show_short(name, value),
    "exact": lambda value, name: show_amount(name, value),
    "used": used,
    "written": lambda value, name: write_limit(name, value),
    "percent": show_percent,
    "limit_name": lambda name: LIMIT_NAMES[name],
    "spoken": spoken,
    "status_of": status_of,
    "when": show_time,
    "machine_time": time_to_json,
    "age": show_age,
}

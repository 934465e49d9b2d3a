"""Values as people read them on a page: the words of all surfaces, as filters of templates."""

import re
from typing import Final

from telic.domain.jsonable import time_to_json
from telic.prompt import escape
from telic.wording.amounts import LIMIT_NAMES, show_amount, show_percent, show_short, show_use, write_limit
from telic.wording.goals import status_of
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


FILTERS: Final = {
    "visible": visible,
    "words": words,
    "amount": lambda value, name: show_short(name, value),
    "exact": lambda value, name: show_amount(name, value),
    "use": lambda value, name, limit: show_use(name, value, limit),
    "written": lambda value, name: write_limit(name, value),
    "percent": show_percent,
    "limit_name": lambda name: LIMIT_NAMES[name],
    "spoken": spoken,
    "status_of": status_of,
    "when": show_time,
    "machine_time": time_to_json,
    "age": show_age,
}

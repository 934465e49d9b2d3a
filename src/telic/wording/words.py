"""Long texts in few words, and times."""

from telic.domain.clock import Instant, to_datetime

_JOINERS = "\u200c\u200d"


def first_words(text: str, max_chars: int = 60) -> str:
    """The text on one line of at most `max_chars` characters; an ellipsis stands for the rest."""
    line = " ".join(text.split())
    # A joiner that has lost what it joins would be shown as a number.
    return line if len(line) <= max_chars else line[: max_chars - 1].rstrip(_JOINERS) + "…"


def show_time(instant: Instant) -> str:
    """The instant to the second, in UTC."""
    return to_datetime(instant).strftime("%Y-%m-%d %H:%M:%SZ")

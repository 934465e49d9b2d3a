"""Long texts in few words, numbers with their nouns, times, durations and ages: one voice for whatever people read."""

from telic.domain.clock import MICRO, Instant, to_datetime

_JOINERS = "\u200c\u200d"
_UNITS = (("d", 86_400), ("h", 3_600), ("m", 60))


def first_words(text: str, max_chars: int = 60) -> str:
    """Return the text on one line of at most `max_chars` characters; an ellipsis stands for the rest."""
    line = " ".join(text.split())
    # A joiner that has lost what it joins would be shown as a number.
    return line if len(line) <= max_chars else line[: max_chars - 1].rstrip(_JOINERS) + "…"


def spoken(name: object) -> str:
    """Return a name of the domain as a person says it: `usage limit`."""
    return str(name).replace("_", " ")


def counted(number: int, noun: str) -> str:
    """Return the number with its noun: `1 hold`, `2 holds`."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def show_time(instant: Instant) -> str:
    """Return the instant to the second, in UTC."""
    return to_datetime(instant).strftime("%Y-%m-%d %H:%M:%SZ")


def show_duration(microseconds: int) -> str:
    """Return the duration in its two largest units; one that is not over yet is never 0, and none is negative."""
    # An instant of another machine may lie before this one's clock, so a difference can be negative.
    seconds, rest = divmod(max(0, microseconds), MICRO)
    if not seconds:
        return f"{rest / MICRO:.1g}s" if rest else "0s"
    hours, rest = divmod(seconds, 3600)
    minutes, seconds = divmod(rest, 60)
    return f"{hours}h{minutes:02}m" if hours else f"{minutes}m{seconds:02}s" if minutes else f"{seconds}s"


def show_age(microseconds: int) -> str:
    """Return the age in its largest unit; clocks that disagree make none negative."""
    seconds = max(0, microseconds) // MICRO
    return next((f"{seconds // size}{unit}" for unit, size in _UNITS if seconds >= size), f"{seconds}s")

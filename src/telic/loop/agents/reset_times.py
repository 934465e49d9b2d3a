"""When a provider's window opens again, from the sentence that says so."""

import re
from collections.abc import Iterator
from contextlib import suppress
from datetime import timedelta
from typing import Final

from telic.domain.clock import Instant, from_datetime, to_datetime
from telic.loop.agents.wall_times import wall_time

_OPENS: Final = re.compile(
    r"again|resets?|retry(?:ing)?|renews?|available|regain access|wait|until|limit reached(?=\|)", re.I
)
_LINK: Final = re.compile(
    r"(?:[\s\"'\\:=,|·∙~_(-]|at|on(?!e)|in|after|for|about|around|is|by|time(?:stamp)?|date|delay|seconds)*", re.I
)
"""What stands between the word and the time: `resets at`, `reset_at":`, `quotaResetDelay: `."""
_EPOCH: Final = re.compile(r"(\d{9,11})(\d{3})?(?![\d.:/-])")
_NUMBER: Final = r"(?:\d+(?:\.\d+)?|an?\b|one\b)"
_DELAY: Final = re.compile(
    rf"(?:{_NUMBER}[ -]?(?:weeks?|days?|hours?|hrs?|minutes?|mins?|seconds?|secs?|[wdhms])(?![a-z])[ ,]*(?:and )?)+"
    r"(?![ ,]*ago)",
    re.I,
)
_PART: Final = re.compile(rf"({_NUMBER})[ -]?([wdhms])", re.I)
_UNITS: Final = {"w": "weeks", "d": "days", "h": "hours", "m": "minutes", "s": "seconds"}
_SECONDS: Final = re.compile(
    r"(?:seconds|retry[-_]after)[\"']?\s*[:=]\s*[\"']?(\d+(?:\.\d+)?)[\"']?(?![\d.:]|\s*\w)", re.I
)


def reset_time(text: str, now: Instant) -> Instant | None:
    """The instant that the text names, or None; of several the first that is ahead, since asking again harms little.

    A time without a zone is this machine's, as its commands print it.
    """
    found = [each for each in _all_times(text, now) if each is not None]
    ahead = [each for each in found if each > now]
    return min(ahead) if ahead else max(found, default=None)


def instant_of_seconds(value: object) -> Instant | None:
    """The instant of so many seconds since 1970, or None where that is no time between 2001 and 5138."""
    plausible = isinstance(value, int | float) and not isinstance(value, bool) and 1e9 <= value < 1e11
    return Instant(int(value * 1_000_000)) if isinstance(value, int | float) and plausible else None


def _all_times(text: str, now: Instant) -> Iterator[Instant | None]:
    for match in _SECONDS.finditer(text):
        yield _later(now, {"seconds": float(match[1])})
    for match in _OPENS.finditer(text):
        link = _LINK.match(text, match.end())
        start = match.end() if link is None else link.end()
        yield _epoch(text, start) or _after_delay(text, start, now) or _named(text, start, now)


def _epoch(text: str, start: int) -> Instant | None:
    match = _EPOCH.match(text, start)
    return None if match is None else instant_of_seconds(int(match[1]))


def _after_delay(text: str, start: int, now: Instant) -> Instant | None:
    match = _DELAY.match(text, start)
    if match is None:
        return None
    parts = _PART.findall(match[0])
    return _later(now, {_UNITS[unit.lower()]: float(number) if number[0].isdigit() else 1 for number, unit in parts})


def _later(now: Instant, parts: dict[str, float]) -> Instant | None:
    with suppress(OverflowError):
        return from_datetime(to_datetime(now) + timedelta(**parts))
    return None


def _named(text: str, start: int, now: Instant) -> Instant | None:
    with suppress(ValueError, OverflowError, OSError, KeyError):
        return wall_time(text, start, now)
    return None

"""When a provider's window opens again, from the sentence that says so."""

import re
from datetime import datetime, timedelta, tzinfo
from typing import Final
from zoneinfo import ZoneInfo

from telic.domain.clock import Instant, from_datetime, to_datetime

_EPOCH_SECONDS: Final = re.compile(r"limit reached\|(\d{9,11})")
_DELAY: Final = re.compile(
    r"(?:again|resets?|retry) (?:in|after) "
    r"((?:\d+(?:\.\d+)? ?(?:days?|hours?|hrs?|minutes?|mins?|seconds?|secs?|[dhms](?![a-z]))[ ,]*(?:and )?)+)",
    re.I,
)
_PART: Final = re.compile(r"(\d+(?:\.\d+)?) ?([dhms])", re.I)
_UNITS: Final = {"d": "days", "h": "hours", "m": "minutes", "s": "seconds"}
_MOMENT: Final = re.compile(
    r"(?:again|resets?)(?: at)? (?:([A-Z][a-z]{2})[a-z]* (\d{1,2})(?:st|nd|rd|th)?,?(?: (\d{4}),?)?(?: at)? )?"
    r"(1[0-2]|0?[1-9])(?::([0-5]\d)(?::([0-5]\d))?)? ?([ap])\.?m\b\.?(?: \(([^)]*)\))?",
    re.I,
)
_JUST_PAST: Final = timedelta(minutes=30)
_SOON: Final = timedelta(minutes=1)
_MONTHS: Final = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")


def reset_time(text: str, now: Instant) -> Instant | None:
    """The instant that the text names, or None. A time without a zone is this machine's, as its commands print it."""
    try:
        return _epoch(text) or _after_delay(text, now) or _moment(text, now)
    except (ValueError, OverflowError, OSError, KeyError):
        return None


def instant_of_seconds(value: object) -> Instant | None:
    """The instant of so many seconds since 1970, or None where that is no time between 2001 and 5138."""
    plausible = isinstance(value, int | float) and not isinstance(value, bool) and 1e9 <= value < 1e11
    return Instant(int(value * 1_000_000)) if isinstance(value, int | float) and plausible else None


def _epoch(text: str) -> Instant | None:
    match = _EPOCH_SECONDS.search(text)
    return None if match is None else instant_of_seconds(int(match[1]))


def _after_delay(text: str, now: Instant) -> Instant | None:
    match = _DELAY.search(text)
    if match is None:
        return None
    parts = {_UNITS[unit.lower()]: float(number) for number, unit in _PART.findall(match[1])}
    return from_datetime(to_datetime(now) + timedelta(**parts))


def _moment(text: str, now: Instant) -> Instant | None:
    match = _MOMENT.search(text)
    if match is None:
        return None
    month, day, year, hour, minute, second, half, zone = match.groups()
    clock = timedelta(hours=int(hour) % 12 + (12 if half.lower() == "p" else 0), minutes=int(minute or 0))
    # A minute without its seconds was cut off: it opens somewhere within it.
    clock += timedelta(seconds=int(second or 0)) if second or not minute else timedelta(minutes=1)
    place: tzinfo | None = ZoneInfo(zone) if zone else None
    here = to_datetime(now).astimezone(place)
    if month is None:
        return _next(here, clock, place)
    named = datetime(int(year or here.year), _MONTHS.index(month.lower()) + 1, int(day)) + clock
    if year is None and named < here.replace(tzinfo=None) - timedelta(days=1):
        named = named.replace(year=here.year + 1)
    return from_datetime(_in_place(named, place))


def _next(here: datetime, clock: timedelta, place: tzinfo | None) -> Instant:
    """The next time that the clock shows this; soon where it showed it just before: windows open late at times."""
    moment = _in_place(datetime(here.year, here.month, here.day) + clock, place)
    if here - _JUST_PAST <= moment <= here:
        return from_datetime(here + _SOON)
    tomorrow = datetime(here.year, here.month, here.day) + timedelta(days=1) + clock
    return from_datetime(moment if moment > here else _in_place(tomorrow, place))


def _in_place(naive: datetime, place: tzinfo | None) -> datetime:
    return naive.astimezone() if place is None else naive.replace(tzinfo=place)

"""When a provider's window opens again, from the sentence that says so.

The sentence names an epoch, a delay, or a time by calendar and clock: `Oct 6, 1pm (Europe/Berlin)`, `Mon 09:00`,
`11/28, 3pm`.
"""

import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from datetime import date, datetime, time, timedelta, timezone, tzinfo
from typing import Final
from zoneinfo import ZoneInfo

from telic.domain.clock import MICRO, Instant, from_datetime, to_datetime

_MONTHS: Final = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_DAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_MONTH: Final = rf"(?:{'|'.join(_MONTHS)})[a-z]*\.?"
_ZONES: Final = {
    0: ("Z", "UTC", "GMT"),
    1: ("BST", "WEST", "CET"),
    2: ("CEST", "EET"),
    3: ("EEST", "MSK"),
    5.5: ("IST",),
    8: ("SGT", "HKT"),
    9: ("JST", "KST"),
    10: ("AEST",),
    11: ("AEDT",),
    12: ("NZST",),
    13: ("NZDT",),
    -4: ("EDT",),
    -5: ("EST", "CDT"),
    -6: ("CST", "MDT"),
    -7: ("MST", "PDT"),
    -8: ("PST",),
}
_HOURS_AHEAD: Final = {name: hours for hours, names in _ZONES.items() for name in names}
_REGIONS: Final = {
    "PT": "America/Los_Angeles",
    "PACIFIC": "America/Los_Angeles",
    "MT": "America/Denver",
    "CT": "America/Chicago",
    "ET": "America/New_York",
    "EASTERN": "America/New_York",
}
_HERE: Final = frozenset({"LOCAL", "YOUR", "YOUR LOCAL"})
_OFFSET: Final = r"(?:UTC|GMT)?([+-])(\d{1,2})(?::?(\d\d))?"
_ABBREVIATIONS: Final = "|".join(sorted({*_HOURS_AHEAD, *_REGIONS}, key=len, reverse=True))
_ZONE: Final = (
    rf"\((?!in )(?P<bracket>[^()]*)\)|(?P<offset>{_OFFSET})(?!\w)"
    rf"|(?-i:(?P<zone>{_ABBREVIATIONS}|[A-Z][a-z]+/[\w/+-]+))(?!\w)"
)
_ORDINAL: Final = r"(?:st|nd|rd|th)?"
_YEAR: Final = r"(?P<year{}>\d{{4}})(?![\d:])"
_PART: Final = re.compile(
    r"[\s,]*(?:(?:at|on|next|this)\s+)*(?:"
    r"(?P<iso_day>(?P<iso>\d{4}-\d\d-\d\d)(?:T(?=\d))?)"
    rf"|(?P<month_day>(?P<month>{_MONTH}) (?P<day>\d{{1,2}}){_ORDINAL}(?![\d:])(?:,? {_YEAR.format('')})?)"
    rf"|(?P<day_month>(?P<day_>\d{{1,2}}){_ORDINAL}(?: of)? (?P<month_>{_MONTH})(?:,? {_YEAR.format('_')})?)"
    r"|(?P<numbers>(?P<first>\d{1,2})/(?P<other>\d{1,2})(?:/(?P<short_year>\d{4}|\d\d))?(?![\d/:]))"
    r"|(?P<weekday>(?:mon|tues?|wed(?:nes)?|thu(?:rs?)?|fri|sat(?:ur)?|sun)(?:day)?\b)"
    r"|(?P<near>today|tonight|tomorrow)"
    r"|(?P<word>noon|midnight)"
    r"|(?P<clock>(?P<hour>\d{1,2})(?=:\d|\s?[ap]\.?m\b)(?::(?P<minute>[0-5]\d)(?::(?P<second>[0-5]\d)(?:\.\d+)?)?)?"
    r"(?:\s?(?P<half>[ap])\.?m\b\.?)?)"
    rf"|(?P<place>{_ZONE}))",
    re.I,
)
_JUST_PAST: Final = timedelta(minutes=30)
_SOON: Final = timedelta(minutes=1)

Parts = Mapping[str, str]


def wall_time(text: str, start: int, now: Instant) -> Instant | None:
    """Return the instant that is named at this place of the text, or None; of two that are possible the next one.

    Raises:
        ValueError, OverflowError, OSError, KeyError: there is no such day, hour or zone.
    """
    parts = _parts(text, start)
    place = _place(parts)
    here = to_datetime(now).astimezone(place)
    clocks = _clocks(parts)
    if not clocks and not _has_day(parts):
        return None
    return min(_at(parts, clock, here, place) for clock in clocks or (timedelta(),))


def _parts(text: str, start: int) -> Parts:
    """Return what stands there one after another: at most one day, one time and one zone of each spelling."""
    parts: dict[str, str] = {}
    while (match := _PART.match(text, start)) is not None:
        found = {name: value for name, value in match.groupdict().items() if value is not None}
        if found.keys() & parts.keys():
            break
        parts |= found
        start = match.end()
    return parts


def _has_day(parts: Parts) -> bool:
    return bool(parts.keys() & {"iso", "month", "month_", "first", "weekday", "near"})


def _clocks(parts: Parts) -> tuple[timedelta, ...]:
    """Return the times of day that can be meant: an hour of one digit may be one of the afternoon as well."""
    if "word" in parts:
        return (timedelta(hours=12 if parts["word"].lower() == "noon" else 24 if _is_end_of_day(parts) else 0),)
    if "hour" not in parts:
        return ()
    hour, half = int(parts["hour"]), parts.get("half", "").lower()
    if hour > 23 or (half and not 1 <= hour <= 12):
        raise ValueError("there is no such hour")
    exact = timedelta(hours=hour % 12 + (12 if half == "p" else 0) if half else hour) + _past_the_hour(parts)
    is_open = not half and hour > 0 and len(parts["hour"]) == 1
    return (exact, exact + timedelta(hours=12)) if is_open else (exact,)


def _is_end_of_day(parts: Parts) -> bool:
    return parts.get("near", "").lower() in ("today", "tonight")


def _past_the_hour(parts: Parts) -> timedelta:
    minute, second = parts.get("minute"), parts.get("second")
    # A minute without its seconds was cut off: it opens somewhere within it.
    return timedelta(minutes=int(minute or 0), seconds=int(second or 0) if second or not minute else 60)


def _place(parts: Parts) -> tzinfo | None:
    """Return the zone, or None for this machine's."""
    named = parts.get("offset") or parts.get("bracket") or parts.get("zone") or ""
    name = re.sub(r"\s*time$", "", named.strip(), flags=re.I)
    short = name.upper()
    if not short or short in _HERE:
        return None
    if short in _HOURS_AHEAD:
        return timezone(timedelta(hours=_HOURS_AHEAD[short]))
    offset = re.fullmatch(_OFFSET, short)
    return ZoneInfo(_REGIONS.get(short, name)) if offset is None else _fixed(*offset.groups("0"))


def _fixed(sign: str, hours: str, minutes: str) -> tzinfo:
    ahead = timedelta(hours=int(hours), minutes=int(minutes))
    return timezone(-ahead if sign == "-" else ahead)


def _at(parts: Parts, clock: timedelta, here: datetime, place: tzinfo | None) -> Instant:
    day = _day(parts, here, clock)
    if day is not None:
        return from_datetime(_in_place(day, clock, place))
    wanted = _DAYS.index(parts["weekday"][:3].lower()) if "weekday" in parts else here.weekday()
    first = here.date() + timedelta(days=(wanted - here.weekday()) % 7)
    moment = _in_place(first, clock, place)
    if here - _JUST_PAST <= moment <= here:
        # The clock showed it just before: windows open late at times.
        return from_datetime(here + _SOON)
    again = timedelta(days=7 if "weekday" in parts else 1)
    return from_datetime(moment if moment > here else _in_place(first + again, clock, place))


def _day(parts: Parts, here: datetime, clock: timedelta) -> date | None:
    """Return the day that is named; without its year the one that is not past. None for any, or a weekday."""
    if "iso" in parts:
        return date.fromisoformat(parts["iso"])
    if "near" in parts:
        return here.date() + timedelta(days=parts["near"].lower() == "tomorrow")
    if "first" in parts:
        return _day_of_numbers(parts, here, clock)
    month = parts.get("month") or parts.get("month_")
    if month is None:
        return None
    year, day = parts.get("year") or parts.get("year_"), int(parts.get("day") or parts["day_"])
    return _next_date(year, _MONTHS.index(month[:3].lower()) + 1, day, here, clock)


def _day_of_numbers(parts: Parts, here: datetime, clock: timedelta) -> date:
    # Agents write American English, month/day. Where the day could be the first number too, the earlier date that is
    # ahead is taken: asking too soon is refused once more, while waiting too long stops a goal for weeks.
    first, other, year = int(parts["first"]), int(parts["other"]), parts.get("short_year")
    year = f"20{year}" if year is not None and len(year) == 2 else year
    found: list[date] = []
    for month, day in ((first, other), (other, first)):
        with suppress(ValueError):
            found.append(_next_date(year, month, day, here, clock))
    if not found:
        raise ValueError("there is no such day")
    return min((each for each in found if each >= here.date()), default=max(found))


def _next_date(year: str | None, month: int, day: int, here: datetime, clock: timedelta) -> date:
    named = date(int(year or here.year), month, day)
    is_past = datetime.combine(named, time.min) + clock < here.replace(tzinfo=None) - timedelta(days=1)
    return named.replace(year=here.year + 1) if year is None and is_past else named


def _in_place(day: date, clock: timedelta, place: tzinfo | None) -> datetime:
    naive = datetime.combine(day, time.min) + clock
    return naive.astimezone() if place is None else naive.replace(tzinfo=place)


_OPENS: Final = re.compile(
    r"again|resets?|retry(?:ing)?|renews?|available|regain access|wait|until|limit reached(?=\|)", re.I
)
_LINK: Final = re.compile(
    r"(?:[\s\"'\\:=,|·∙~_(-]|at|on(?!e)|in|after|from|for|about|around|is|by|time(?:stamp)?|date|delay|seconds)*", re.I
)
"""The text between the word and the time: `resets at`, `reset_at":`, `quotaResetDelay: `."""
_EPOCH: Final = re.compile(r"(\d{9,11})(\d{3})?(?![\d.:/-])")
_COUNT: Final = re.compile(r"\d+/\d+\b(?!/\d|,?\s*(?:at\s+)?\d)")
"""Which of how many tries it is, and no day: `retrying 2/5`."""
_NUMBER: Final = r"(?:\d+(?:\.\d+)?|an?\b|one\b)"
_DELAY: Final = re.compile(
    rf"(?:{_NUMBER}[ -]?(?:weeks?|days?|hours?|hrs?|minutes?|mins?|seconds?|secs?|[wdhms])(?![a-z])[ ,]*(?:and )?)+"
    r"(?![ ,]*ago)",
    re.I,
)
_DELAY_PART: Final = re.compile(rf"({_NUMBER})[ -]?([wdhms])", re.I)
_UNITS: Final = {"w": "weeks", "d": "days", "h": "hours", "m": "minutes", "s": "seconds"}
_SECONDS: Final = re.compile(
    r"(?:seconds|retry[-_]after)[\"']?\s*[:=]\s*[\"']?(\d+(?:\.\d+)?)[\"']?(?![\d.:]|\s*\w)", re.I
)


def reset_time(text: str, now: Instant) -> Instant | None:
    """Return the instant that the text names, or None; of several the first that is ahead.

    A time without a zone is this machine's, as its commands print it.
    """
    # Of several the first, since asking too soon harms little.
    found = [each for each in _all_times(text, now) if each is not None]
    ahead = [each for each in found if each > now]
    return min(ahead) if ahead else max(found, default=None)


def instant_of_seconds(value: object) -> Instant | None:
    """Return the instant of so many seconds since 1970, or None where that is no time between 2001 and 5138."""
    plausible = isinstance(value, int | float) and not isinstance(value, bool) and 1e9 <= value < 1e11
    return Instant(int(value * MICRO)) if isinstance(value, int | float) and plausible else None


def _all_times(text: str, now: Instant) -> Iterator[Instant | None]:
    for match in _SECONDS.finditer(text):
        yield _later(now, {"seconds": float(match[1])})
    for match in _OPENS.finditer(text):
        link = _LINK.match(text, match.end())
        start = match.end() if link is None else link.end()
        if _COUNT.match(text, start) and match[0].lower().startswith(("retry", "again", "wait")):
            continue
        yield _epoch(text, start) or _after_delay(text, start, now) or _named(text, start, now)


def _epoch(text: str, start: int) -> Instant | None:
    match = _EPOCH.match(text, start)
    return None if match is None else instant_of_seconds(int(match[1]))


def _after_delay(text: str, start: int, now: Instant) -> Instant | None:
    match = _DELAY.match(text, start)
    if match is None:
        return None
    parts = _DELAY_PART.findall(match[0])
    return _later(now, {_UNITS[unit.lower()]: float(number) if number[0].isdigit() else 1 for number, unit in parts})


def _later(now: Instant, parts: dict[str, float]) -> Instant | None:
    with suppress(OverflowError):
        return from_datetime(to_datetime(now) + timedelta(**parts))
    return None


def _named(text: str, start: int, now: Instant) -> Instant | None:
    with suppress(ValueError, OverflowError, OSError, KeyError):
        return wall_time(text, start, now)
    return None

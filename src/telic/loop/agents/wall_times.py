"""Times by the calendar and the clock, as hosts and providers write them: `Oct 6, 1pm (Europe/Berlin)`, `Mon 09:00`."""

import re
from collections.abc import Mapping
from datetime import date, datetime, time, timedelta, timezone, tzinfo
from typing import Final
from zoneinfo import ZoneInfo

from telic.domain.clock import Instant, from_datetime, to_datetime

_MONTHS: Final = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_DAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_MONTH: Final = rf"(?:{'|'.join(_MONTHS)})[a-z]*\.?"
_HOURS_AHEAD: Final = {
    "Z": 0,
    "UTC": 0,
    "GMT": 0,
    "BST": 1,
    "WEST": 1,
    "CET": 1,
    "CEST": 2,
    "EET": 2,
    "EEST": 3,
    "MSK": 3,
    "IST": 5.5,
    "SGT": 8,
    "HKT": 8,
    "JST": 9,
    "KST": 9,
    "AEST": 10,
    "AEDT": 11,
    "NZST": 12,
    "NZDT": 13,
    "EDT": -4,
    "EST": -5,
    "CDT": -5,
    "CST": -6,
    "MDT": -6,
    "MST": -7,
    "PDT": -7,
    "PST": -8,
}
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
    """The instant that is named at this place of the text, or None; of what could be two times the next one.

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
    return bool(parts.keys() & {"iso", "month", "month_", "weekday", "near"})


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
    month = parts.get("month") or parts.get("month_")
    if month is None:
        return None
    year = parts.get("year") or parts.get("year_")
    number, day = _MONTHS.index(month[:3].lower()) + 1, int(parts.get("day") or parts["day_"])
    named = date(int(year or here.year), number, day)
    is_past = datetime.combine(named, time.min) + clock < here.replace(tzinfo=None) - timedelta(days=1)
    return named.replace(year=here.year + 1) if year is None and is_past else named


def _in_place(day: date, clock: timedelta, place: tzinfo | None) -> datetime:
    naive = datetime.combine(day, time.min) + clock
    return naive.astimezone() if place is None else naive.replace(tzinfo=place)

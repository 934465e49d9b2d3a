"""Moments as people write them: `2026-12-31`, `2026-12-31T18:00Z`, `7d` ago or from now."""

import re
from datetime import UTC, datetime
from typing import Final

from telic.domain.clock import Instant, SystemClock, from_datetime
from telic.domain.errors import InvalidInput, InvalidNumber
from telic.wording.amounts import parse_amount

_DATE: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_HELP: Final = "write 2026-12-31 (in UTC) or 2026-12-31T18:00Z"


def parse_moment(text: str, help: str = _HELP) -> Instant:
    """The moment that the text names: a date in UTC, or a date with time and offset.

    Raises:
        InvalidInput: it names none, or leaves open in which zone.
    """
    try:
        moment = datetime.fromisoformat(text.strip())
        if _DATE.fullmatch(text.strip()):
            moment = moment.replace(tzinfo=UTC)
        if moment.tzinfo is None:
            raise InvalidInput(f"{text!r} has no offset from UTC: end it in Z, or +01:00")
        return from_datetime(moment)
    except (ValueError, OverflowError) as error:
        if isinstance(error, InvalidInput):
            raise
        raise InvalidInput(f"{text!r} is no moment: {help}") from None


def parse_since(text: str | None) -> Instant | None:
    """The moment that the text names, or that was so long ago."""
    if text is None:
        return None
    try:
        ago = parse_amount("active_microseconds", text)
    except InvalidNumber:
        return parse_moment(text, f"{_HELP}, or 7d for seven days ago")
    return Instant(max(0, SystemClock().now() - ago))


def later_than(now: Instant, text: str) -> Instant:
    """The moment so much later."""
    return Instant(now + parse_amount("active_microseconds", text))

"""A provider's limit, from the sentence in which a host tells of it."""

import re
from datetime import timedelta
from typing import Final

from telic.domain.clock import Instant
from telic.loop.agents.protocol import QuotaReached
from telic.loop.agents.refusals import is_busy, is_limit
from telic.loop.agents.reset_times import reset_time

_WINDOWS: Final = (
    (re.compile(r"month", re.IGNORECASE), timedelta(days=32)),
    (re.compile(r"\b(?:weekly|opus|sonnet) (?:usage )?(?:limit|quota)|seven_day", re.IGNORECASE), timedelta(days=8)),
    (
        re.compile(r"\b(?:daily|hour|session) (?:usage )?(?:limit|quota)|for \d+ hours?\b|five_hour", re.IGNORECASE),
        timedelta(hours=25),
    ),
)
"""How far ahead a limit's window can open, by what the provider calls it: of several the longest, of none a month's."""
_LONGEST: Final = timedelta(days=32)


def quota_of(said: str | None, now: Instant) -> QuotaReached | None:
    """The limit that an error tells of, or None where it tells of another failure, or there is none.

    A limit that names no time, or a rate within a minute, is asked again after a while.
    """
    if not said or not (is_limit(said) or is_busy(said)):
        return None
    return QuotaReached(resets_at=plausible_reset(reset_time(said, now), said, now), is_brief=not is_limit(said))


def plausible_reset(resets_at: Instant | None, said: str, now: Instant) -> Instant | None:
    """The time, or None where no window of the limit that the text names opens that late: then it was misread."""
    named = [longest for pattern, longest in _WINDOWS if pattern.search(said)]
    longest = max(named, default=_LONGEST)
    return None if resets_at is None or resets_at - now > longest // timedelta(microseconds=1) else resets_at

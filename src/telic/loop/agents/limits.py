"""A provider's limit, from the sentence in which a host tells of it."""

import re
from datetime import timedelta
from typing import Final

from telic.domain.clock import Instant
from telic.loop.agents.protocol import QuotaReached
from telic.loop.agents.refusals import is_busy, is_limit
from telic.loop.agents.reset_times import reset_time

_MONTHLY: Final = re.compile(r"month", re.IGNORECASE)
_SHORTER: Final = re.compile(
    r"\b(?:hour|session|daily|weekly|opus|sonnet) (?:usage )?(?:limit|quota)|(?:five_hour|seven_day)", re.IGNORECASE
)
_LONGEST: Final = timedelta(days=32)
_LONGEST_WEEK: Final = timedelta(days=8)
"""How far ahead a limit's window can open: a month's, and a week's where the provider names that, or a shorter one."""


def quota_of(said: str | None, now: Instant) -> QuotaReached | None:
    """The limit that an error tells of, or None where it tells of another failure, or there is none.

    A limit that names no time, or a rate within a minute, is asked again after a while.
    """
    if not said or not (is_limit(said) or is_busy(said)):
        return None
    return QuotaReached(resets_at=plausible_reset(reset_time(said, now), said, now), is_brief=not is_limit(said))


def plausible_reset(resets_at: Instant | None, said: str, now: Instant) -> Instant | None:
    """The time, or None where no window of the limit that the text names opens that late: then it was misread."""
    is_shorter = _SHORTER.search(said) is not None and _MONTHLY.search(said) is None
    longest = _LONGEST_WEEK if is_shorter else _LONGEST
    return None if resets_at is None or resets_at - now > longest // timedelta(microseconds=1) else resets_at

"""A provider's limit, from the sentence in which a host tells of it."""

from telic.domain.clock import Instant
from telic.loop.agents.protocol import QuotaReached
from telic.loop.agents.refusals import is_busy, is_limit
from telic.loop.agents.reset_times import reset_time


def quota_of(said: str | None, now: Instant) -> QuotaReached | None:
    """The limit that an error tells of, or None where it tells of another failure, or there is none.

    A limit that names no time, or a rate within a minute, is asked again after a while.
    """
    if not said or not (is_limit(said) or is_busy(said)):
        return None
    return QuotaReached(resets_at=reset_time(said, now), is_brief=not is_limit(said))

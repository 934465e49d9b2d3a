"""What agents' hosts and their providers say when they refuse to go on: a limit, a full or a missing conversation."""

import re
from datetime import timedelta
from typing import Final

from telic.domain.clock import Instant
from telic.loop.agents.protocol import QuotaReached
from telic.loop.agents.reset_times import reset_time

_LIMIT: Final = re.compile(
    r"usage limit (?:has been )?reached|hit your (?:[\w'’-]+ )*limit|limit has been reached"
    r"|(?:5|five)[- ]hour limit|(?:session|weekly|monthly|daily|opus|sonnet) (?:usage )?limit (?:reached|exceeded)"
    r"|out of (?:extra|monthly|included|premium) (?:usage|credits|requests)|exceeded your (?:current )?quota"
    r"|quota (?:has been )?(?:exceeded|exhausted|reached)|exhausted your (?:capacity|(?:daily )?quota)"
    r"|(?:reached|exceeded) your (?:[\w'’-]+ )*(?:limit|quota|(?:token|premium|request) usage)",
    re.IGNORECASE,
)
_BUSY: Final = re.compile(r"\b429\b|too many requests|rate[ _-]?limit|resource[ _]exhausted|throttl", re.IGNORECASE)
_UNPAID: Final = re.compile(
    r"insufficient[_ ](?:quota|credits?|funds|balance)|plan and billing details|credit balance is too low"
    r"|billing (?:hard )?limit",
    re.IGNORECASE,
)
_WINDOW: Final = re.compile(r"resource[ _]exhausted|rate-limits|retry in|per (?:minute|hour|day)", re.IGNORECASE)
"""Google sends you to your plan and billing for a quota of a minute too, and tells these beside."""
_FULL: Final = re.compile(
    r"ran out of room|start a new (?:thread|session|conversation|chat)"
    r"|context[ _](?:window|length)[ _]?(?:is )?(?:exceeded|full|overflow)|context_length_exceeded"
    r"|exceeds? (?:the |this |its )?(?:model'?s? )?(?:maximum )?(?:context|input)[ _](?:window|length|limit|token)"
    r"|maximum context length|input (?:is )?too long|token count \(?\d*\)? ?exceeds"
    r"|(?:conversation|prompt) (?:is )?too (?:long|large)|context limit (?:reached|exceeded)"
    r"|request[_ ](?:entity[_ ])?(?:is[_ ])?too[_ ]large"
    r"|input length and `?max_tokens`? exceed|context window (?:will )?overflow",
    re.IGNORECASE,
)
_GONE: Final = re.compile(
    r"no (?:conversation|saved session|rollout|session|task)[^\n]{0,80}(?:found|matched)|session not found"
    r"|(?:conversation|session|thread) [^\n]{0,60}(?:not found|does not exist|no longer exists)"
    r"|invalid session (?:identifier|id)|error resuming session",
    re.IGNORECASE,
)


def is_limit(text: str) -> bool:
    """Whether the text says that an account's limit is reached: waiting for its window helps, repeating does not."""
    return _LIMIT.search(text) is not None and not _is_unpaid(text)


def is_busy(text: str) -> bool:
    """Whether the text says that too much was asked in a short time: asking later helps."""
    return _BUSY.search(text) is not None and not _is_unpaid(text)


def is_lost_conversation(text: str) -> bool:
    """Whether the text says that the conversation is full, or is not there: a new one helps."""
    return _FULL.search(text) is not None or _GONE.search(text) is not None


def _is_unpaid(text: str) -> bool:
    """Whether the text says that the account has no money left: somebody has to pay, and no waiting helps."""
    return _UNPAID.search(text) is not None and _WINDOW.search(text) is None


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

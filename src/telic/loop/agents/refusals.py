"""What agents' hosts and their providers say when they refuse to go on: a limit, a full or a missing conversation."""

import re
from typing import Final

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

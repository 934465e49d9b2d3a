"""Errors of agents' hosts and providers, by their texts: a limit, a refusal, a lost conversation, an outage."""

import errno
import re
import socket
from collections.abc import Iterator
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
"""Google sends you to your plan and billing for a quota of a minute too, and has these words beside."""
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


_REFUSED: Final = re.compile(
    r"(?:^|[(\[{\"]|\b(?:status|code|error|http(?:/[\d.]+)?)[\":]*)\s*4(?:0[0-4]|13|22|29)\b"
    r"|unauthori[sz]ed|forbidden|permission_denied|not logged in"
    r"|(?:invalid|incorrect) (?:x-)?api[ -]?key|api key (?:not valid|is invalid|expired)"
    r"|authentication[_ ](?:error|failed)|invalid authentication",
    re.IGNORECASE,
)
"""A provider's refusal of a request, before any model has read it."""


def is_limit(text: str) -> bool:
    """Return whether the text says that an account's limit is reached: waiting helps, repeating does not."""
    return _LIMIT.search(text) is not None and not _is_unpaid(text)


def is_busy(text: str) -> bool:
    """Return whether the text says that too much was asked in a short time: asking later helps."""
    return _BUSY.search(text) is not None and not _is_unpaid(text)


def is_lost_conversation(text: str) -> bool:
    """Return whether the text says that the conversation is full, or is not there: a new one helps."""
    return _FULL.search(text) is not None or _GONE.search(text) is not None


def is_refusal(text: str) -> bool:
    """Return whether the text says that a request was refused, so that it used nothing."""
    return any(pattern.search(text) for pattern in (_REFUSED, _LIMIT, _BUSY, _UNPAID, _FULL, _GONE))


def _is_unpaid(text: str) -> bool:
    """Return whether the account has no money left: somebody has to pay, and no waiting helps."""
    return _UNPAID.search(text) is not None and _WINDOW.search(text) is None


_WINDOWS: Final = (
    (re.compile(r"month", re.IGNORECASE), timedelta(days=32)),
    (re.compile(r"\b(?:weekly|opus|sonnet) (?:usage )?(?:limit|quota)|seven_day", re.IGNORECASE), timedelta(days=8)),
    (
        re.compile(r"\b(?:daily|hour|session) (?:usage )?(?:limit|quota)|for \d+ hours?\b|five_hour", re.IGNORECASE),
        timedelta(hours=25),
    ),
)
"""How far ahead a limit's window can open, by the limit's name: of several the longest, of none a month's."""
_LONGEST: Final = timedelta(days=32)


def quota_of(said: str | None, now: Instant) -> QuotaReached | None:
    """Return the limit that an error tells of, or None where it tells of another failure, or there is no error."""
    if not said or not (is_limit(said) or is_busy(said)):
        return None
    return QuotaReached(resets_at=plausible_reset(reset_time(said, now), said, now), is_brief=not is_limit(said))


def plausible_reset(resets_at: Instant | None, said: str, now: Instant) -> Instant | None:
    """Return the time, or None where no window of the limit that the text names opens that late."""
    # A time that is too late was misread: to wait for it would stop the goal for weeks.
    named = [longest for pattern, longest in _WINDOWS if pattern.search(said)]
    longest = max(named, default=_LONGEST)
    return None if resets_at is None or resets_at - now > longest // timedelta(microseconds=1) else resets_at


_SIGNS: Final = re.compile(
    r"""
    \b(?: E(?:CONN(?:REFUSED|RESET|ABORTED)|NOTFOUND|AI_AGAIN|(?:NET|HOST)(?:UNREACH|DOWN)|TIMEDOUT|PIPE)
    | stream\ (?:disconnected|closed)\ before\ completion | error\ sending\ request | error\ trying\ to\ connect
    | connection\ (?:error|refused|reset|closed|aborted|failed|lost|timed\ out|time-?out) | connect\ time-?out
    | connectionrefused | (?:unable|failed|cannot|could\ not)\ (?:to\ )?(?:connect|reach)
    | could\ not\ resolve(?:\ host)? | (?:failed|failure|unable)\ (?:to|in)\ (?:lookup\ address|name\ resolution)
    | name\ or\ service\ not\ known | nodename\ nor\ servname | getaddrinfo | dns\ (?:error|lookup)
    | (?:network|host)\ is\ (?:unreachable|down) | no\ route\ to\ host | no\ internet | network\ (?:error|changed)
    | fetch\ failed | socket\ hang\ up | server\ disconnected | remote\ end\ closed\ connection | broken\ pipe
    | (?:tls|ssl)\ handshake\ (?:timed\ out|failed|eof) | unexpected\ eof
    | bad\ gateway | service\ (?:temporarily\ )?unavailable | gateway\ time-?out | overloaded(?:_error)?
    )\b
    | \b(?:status(?:[\ _]code)?|http|error|api\ error)[:\ ]*(?:502|503|504|522|529)\b
    """,
    re.IGNORECASE | re.VERBOSE,
)
"""Texts of providers' clients, and of the libraries below them, for a connection or a server that is not there."""

_ERRNOS: Final = frozenset(
    {
        errno.ECONNREFUSED,
        errno.ECONNRESET,
        errno.ECONNABORTED,
        errno.ENETUNREACH,
        errno.ENETDOWN,
        errno.EHOSTUNREACH,
        errno.EHOSTDOWN,
        errno.ETIMEDOUT,
        errno.EPIPE,
    }
)
_CLASSES: Final = frozenset(
    {
        "APIConnectionError",
        "APITimeoutError",
        "ConnectError",
        "ConnectTimeout",
        "ClientConnectionError",
        "ReadError",
        "RemoteProtocolError",
        "ServiceUnavailable",
        "ServiceUnavailableError",
    }
)
"""Names of the same error in the providers' and HTTP libraries, none of which is needed here."""
_LINES: Final = 3
_STATUSES: Final = frozenset({502, 503, 504, 522, 529})


def tells_of_outage(text: str) -> bool:
    """Return whether the text, an agent's error, means that its provider could not be reached."""
    return _SIGNS.search(text) is not None


def ends_with_outage(output: str) -> bool:
    """Return whether a command ended because its provider could not be reached."""
    # Only the last lines of what it printed are about why it ended.
    return tells_of_outage("\n".join(output.rstrip().splitlines()[-_LINES:]))


def is_outage(error: BaseException) -> bool:
    """Return whether the error, or one that it came from, means that a network or a provider is away."""
    return any(_is_outage(each) for each in _causes(error))


def _is_outage(error: BaseException) -> bool:
    if isinstance(error, ConnectionError | socket.gaierror) or getattr(error, "status_code", None) in _STATUSES:
        return True
    is_known = any(kind.__name__ in _CLASSES for kind in type(error).__mro__)
    return is_known or (isinstance(error, OSError) and error.errno in _ERRNOS)


def _causes(error: BaseException) -> Iterator[BaseException]:
    seen: set[int] = set()
    found: BaseException | None = error
    while found is not None and id(found) not in seen:
        seen.add(id(found))
        yield found
        found = found.__cause__ or found.__context__

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

_OTHER_LIMITS: Final = (
    "billing context prompt input output size length turn turns step time retry memory heap recursion depth stack disk"
    " storage file files descriptor line character process thread loop iteration attempt timeout rate"
)
"""Limits that are not those of an account: to wait changes nothing about them, or they are known by other words."""
_ACCOUNT: Final = (
    r"(?:(?:usage|session|weekly|monthly|daily|hourly|hour|5-hour|opus|sonnet|haiku|fable|premium|included|extra|free|plan"
    r"|subscription|organi[sz]ation|org|team|workspace|account|model|api|ai|request|spend|spending|credit)[ _-])"
)
_QUOTA: Final = "".join(rf"(?<!\b{word}[ _-])" for word in _OTHER_LIMITS.split()) + (
    r"(?:limits?|quota|allowance|(?:spend|spending|usage|credit|budget)\ cap|credits|capacity|requests"
    r"|(?:token|premium|request|extra|included|monthly)\ usage)(?![\w-])"
)
_IS_SPENT: Final = r"(?:(?:has|have)\ been\ |is\ |was\ |were\ )?(?:reached|exceeded|exhausted|hit|used\ up|depleted)"
_SPENDS: Final = (
    r"(?:hit|reach(?:ed)?|exceed(?:s|ed)?|exhaust(?:ed)?|depleted|used\ (?:up|(?:up\ )?(?:all|100\ ?%)(?:\ of)?))"
)
_DATE: Final = r"(?:(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec|mon|tue|wed|thu|fri|sat|sun)[a-z]*\b|\d)"
_LIMIT: Final = rf"""(?ix)
    \b{_SPENDS}\ (?:your|its|their)\ (?:[\w.'’-]+\ ){{0,5}}?{_QUOTA}
    | \b{_SPENDS}\ (?:the|an?)\ (?:[\w.'’-]+\ )??{_ACCOUNT}+{_QUOTA}
    | \b{_ACCOUNT}(?:[\w.-]+\ )?{_QUOTA}:?\ {_IS_SPENT}
    | \b(?<!disk\ )(?<!storage\ )(?:quota|allowance)\ {_IS_SPENT} | {_QUOTA}\ has\ been\ (?:reached|exceeded)
    | (?<!\d\ )\b(?:out\ of|no(?:\ more)?)\ (?:your\ )?{_ACCOUNT}{{1,3}}(?:{_QUOTA}|usage)\b(?!\ \w+ed)
    | {_QUOTA}(?:\ {_IS_SPENT})?\W{{1,4}}(?:(?:it\ )?will\ )?(?:resets?|renews?|refreshes|available\ again)
      \ (?:(?:at|on|in|after|by|from|today|tomorrow|next|midnight|noon)\b|{_DATE})
    | (?:5|five)[-\ ]hour\ limit | usage_?limit_?(?:error|reached|exceeded|hit)
    | \b(?:quota|(?:monthly|weekly|daily|session|spend|spending|credit)_limit)_(?:reached|exceeded|exhausted)
"""
"""Sentences by their parts: an account's limit, quota or allowance, and that it is spent, or when it opens again."""
_BUSY: Final = r"""(?ixm)
    \b429\b | too\ many\ requests | resource[\ _]exhausted | throttl
    | rate[\ _-]?limit(?:ed\b|ing\b|s?[\ _-]?(?:error|exceeded|reached|hit\b|resets?|will))
    | (?:^|[:(\[{"'.·-]\ ?)rate[\ _-]?limits?\b | (?:exceed\w*|reached|hit|over|due\ to)\ [^\n.]{0,60}\brate[\ _-]?limit
"""
_UNPAID: Final = (
    r"(?i)insufficient[_ ](?:quota|credits?|funds|balance)|plan and billing details|credit balance is too low"
    r"|billing (?:hard )?limit"
)
_WINDOW: Final = r"(?i)resource[ _]exhausted|rate-limits|retry in|per (?:minute|hour|day)"
"""Google sends you to your plan and billing for a quota of a minute too, and has these words beside."""
_FULL: Final = (
    r"(?i)ran out of room|start a new (?:thread|session|conversation|chat)"
    r"|context[ _](?:window|length)[ _]?(?:is )?(?:exceeded|full|overflow)|context_length_exceeded"
    r"|exceeds? (?:the |this |its )?(?:model'?s? )?(?:maximum )?(?:context|input)[ _](?:window|length|limit|token)"
    r"|maximum context length|input (?:is )?too long|token count \(?\d*\)? ?exceeds"
    r"|(?:conversation|prompt) (?:is )?too (?:long|large)|context limit (?:reached|exceeded)"
    r"|request[_ ](?:entity[_ ])?(?:is[_ ])?too[_ ]large"
    r"|input length and `?max_tokens`? exceed|context window (?:will )?overflow"
)
_GONE: Final = (
    r"(?i)no (?:conversation|saved session|rollout|session|task)[^\n]{0,80}(?:found|matched)|session not found"
    r"|(?:conversation|session|thread) [^\n]{0,60}(?:not found|does not exist|no longer exists)"
    r"|invalid session (?:identifier|id)|error resuming session"
)


_REFUSED: Final = (
    r"(?i)(?:^|[(\[{\"]|\b(?:status|code|error|http(?:/[\d.]+)?)[\":]*)\s*4(?:0[0-4]|13|22|29)\b"
    r"|unauthori[sz]ed|forbidden|permission_denied|not logged in"
    r"|(?:invalid|incorrect) (?:x-)?api[ -]?key|api key (?:not valid|is invalid|expired)"
    r"|authentication[_ ](?:error|failed)|invalid authentication"
)
"""A provider's refusal of a request, before any model has read it."""


def is_limit(text: str) -> bool:
    """Return whether the text says that an account's limit is reached: waiting helps, repeating does not."""
    return re.search(_LIMIT, text) is not None and not _is_unpaid(text)


def is_busy(text: str) -> bool:
    """Return whether the text says that too much was asked in a short time: asking later helps."""
    return re.search(_BUSY, text) is not None and not _is_unpaid(text)


def is_lost_conversation(text: str) -> bool:
    """Return whether the text says that the conversation is full, or is not there: a new one helps."""
    return re.search(_FULL, text) is not None or re.search(_GONE, text) is not None


def is_refusal(text: str) -> bool:
    """Return whether the text says that a request was refused, so that it used nothing."""
    return any(re.search(pattern, text) for pattern in (_REFUSED, _LIMIT, _BUSY, _UNPAID, _FULL, _GONE))


def _is_unpaid(text: str) -> bool:
    """Return whether the account has no money left: somebody has to pay, and no waiting helps."""
    return re.search(_UNPAID, text) is not None and re.search(_WINDOW, text) is None


_WINDOWS: Final = (
    (r"(?i)month", timedelta(days=32)),
    (r"(?i)\b(?:weekly|opus|sonnet) (?:usage )?(?:limit|quota)|seven_day", timedelta(days=8)),
    (
        r"(?i)\b(?:daily|hour|session) (?:usage )?(?:limit|quota)|for \d+ hours?\b|five_hour",
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
    named = [longest for pattern, longest in _WINDOWS if re.search(pattern, said)]
    longest = max(named, default=_LONGEST)
    return None if resets_at is None or resets_at - now > longest // timedelta(microseconds=1) else resets_at


_SIGNS: Final = r"""(?ixm)
    \b(?: E(?:CONN(?:REFUSED|RESET|ABORTED)|NOTFOUND|AI_AGAIN|(?:NET|HOST)(?:UNREACH|DOWN)|TIMEDOUT)
    | stream\ (?:disconnected|closed)\ before\ completion | error\ sending\ request | error\ trying\ to\ connect
    | connection\ (?:error|refused|reset|closed|aborted|failed|lost|timed\ out|time-?out) | connect\ time-?out
    | connectionrefused | (?:unable\ to|failed\ to|cannot|could\ not|couldn't)\ (?:connect|reach)
      (?:\.\ is\ the\ computer|(?:\ to)?\ (?:[\w'’-]+\ ){0,3}?(?:(?:api|model)?\ ?(?:hosts?|servers?|services?)|api
      |proxy|provider|endpoint|gateway|internet|network|websocket|https?:\S+|[\w-]+(?:\.[\w-]+)+(?::\d+)?|localhost))
    | could\ not\ resolve\ (?:host|hostname|proxy|address)
    | (?:failed|failure|unable)\ (?:to|in)\ (?:lookup\ address|name\ resolution)
    | name\ or\ service\ not\ known | nodename\ nor\ servname | getaddrinfo\ (?:failed|error|e[a-z_]+)
    | dns\ error | dns\ lookup\ (?:failed|error|timed\ out)
    | (?:network|host)\ is\ (?:unreachable|down) | no\ route\ to\ host | no\ internet | network\ (?:error|changed)
    | fetch\ failed | socket\ hang\ up | server\ disconnected | remote\ end\ closed\ connection
    | (?:connection|socket|request|http|upstream|tls|ssl)\b[^\n]{0,80}(?:broken\ pipe|epipe)
    | (?:tls|ssl)\ handshake\ (?:timed\ out|failed|eof) | ssl[^\n]{0,80}unexpected\ eof
    | bad\ gateway | service\ (?:temporarily\ )?unavailable | gateway\ time-?out | overloaded_error
    | (?:experiencing|due\ to)\ (?:[a-z]+\ )?high\ (?:demand|load|traffic) | (?:is|are|currently)\ at\ capacity
    )\b
    | (?:^|[:.({"']\ ?|\b(?:is|are|been|currently|temporarily|server|model)\ )overloaded\b(?!\ ['‘`\w])
    | ^(?![^\n]*(?:pars|decod|marshal|json|ya?ml|toml|zip|syntax))(?:[^\n]*:\ )?unexpected\ eof\s*$
    | \b(?:status(?:[\ _]code)?|http|error|api\ error)[:\ ]*(?:502|503|504|522|529)\b
"""
"""Texts of providers' clients, and of the libraries below them, for a connection or a server that is not there."""
_OF_THIS_MACHINE: Final = r"(?ix)docker\ daemon|\bunix:|\.sock\b|\bmcp\b|\b(?:x|language|lsp)\ server\b|\bd-?bus\b"
"""What an agent needs beside it, and does not run: no network brings it back."""

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
    others = [line for line in text.splitlines() if re.search(_OF_THIS_MACHINE, line) is None]
    return re.search(_SIGNS, "\n".join(others)) is not None


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

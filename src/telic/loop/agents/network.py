"""Telling a network, or a provider, that is away from a turn that failed: one passes, the other does not."""

import errno
import re
import socket
from collections.abc import Iterator
from typing import Final

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
"""What clients of providers, and the libraries below them, say of a connection or of a server that is not there."""

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
"""What the providers' and HTTP libraries, none of which is needed here, call it."""
_LINES: Final = 3
_STATUSES: Final = frozenset({502, 503, 504, 522, 529})


def tells_of_outage(text: str) -> bool:
    """Whether the text, what an agent says of its failure, means that its provider could not be reached."""
    return _SIGNS.search(text) is not None


def ends_with_outage(output: str) -> bool:
    """The same of what a command printed: only its last lines are about why it ended."""
    return tells_of_outage("\n".join(output.rstrip().splitlines()[-_LINES:]))


def is_outage(error: BaseException) -> bool:
    """Whether the error, or one that it came from, is a network's or a provider's that is away."""
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

"""The guard of all HTTP servers: who may send requests, how many, how large, and how slowly."""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Callable, Collection
from contextlib import suppress
from typing import Final, Protocol

from starlette.datastructures import Headers
from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_MAX_ADDRESSES: Final = 1_000
_GUESSES: Final = 20


class TokenBucket:
    """At most `burst` at once, and `per_second` in the long run."""

    def __init__(self, *, burst: float, per_second: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._burst = burst
        self._per_second = per_second
        self._left = burst
        self._at = clock()

    def take(self) -> bool:
        """Return whether one more is allowed now; then it is counted."""
        now = self._clock()
        self._left = min(self._burst, self._left + (now - self._at) * self._per_second)
        self._at = now
        if self._left < 1:
            return False
        self._left -= 1
        return True

    def give_back(self) -> None:
        """Return one that was taken, so that it does not count."""
        self._left = min(self._burst, self._left + 1)


class RequestRates:
    """One bucket for all clients that were let in, and one for each address whose credentials were refused."""

    def __init__(
        self, *, requests_per_second: float, guesses: int = _GUESSES, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._clock = clock
        self._guesses = guesses
        self._clients = TokenBucket(burst=2 * requests_per_second, per_second=requests_per_second, clock=clock)
        self._strangers: OrderedDict[str, TokenBucket] = OrderedDict()

    def allows_client(self) -> bool:
        """Return whether one more request of a client that was let in is served."""
        return self._clients.take()

    def guesses_of(self, address: str) -> TokenBucket:
        """Return what counts the guesses of the address; of many addresses the oldest is forgotten."""
        bucket = self._strangers.pop(address, None) or TokenBucket(burst=self._guesses, per_second=1, clock=self._clock)
        self._strangers[address] = bucket
        if len(self._strangers) > _MAX_ADDRESSES:
            self._strangers.popitem(last=False)
        return bucket


MAX_BODY_BYTES: Final = 1_048_576
_MAX_DISCARDED_BYTES: Final = 8 * MAX_BODY_BYTES
_DISCARD_SECONDS: Final = 2.0
BODY_SECONDS: Final = 10.0
_RETRY_AFTER: Final = {"too_many_requests": "1", "too_many_guesses": "5"}
_UNAUTHORIZED: Final = 401


class HttpRefusal(Exception):
    """The request is not served, for the reason of this code."""

    def __init__(self, code: str, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason

    @property
    def headers(self) -> dict[str, str]:
        """Return the headers that its answer has: what the client still sends is not read."""
        retry_after = _RETRY_AFTER.get(self.code)
        challenge = {"WWW-Authenticate": "Bearer"} if self.code == "token_required" else {}
        return {"Connection": "close", **challenge, **({} if retry_after is None else {"Retry-After": retry_after})}


class GuardedSite(Protocol):
    """The rules of one site: the hosts, tokens and sessions that it accepts, and its refusals."""

    def check_address(self, request: HTTPConnection, /) -> None:
        """Raise HttpRefusal unless the request is addressed to this site, and comes from no other."""

    def is_known(self, request: HTTPConnection, /) -> bool:
        """Return whether the request carries what lets it in; what is found is kept in its state."""
        ...

    def is_open(self, request: HTTPConnection, /) -> bool:
        """Return whether the request is served to anybody."""
        ...

    def answer(self, request: HTTPConnection, refusal: HttpRefusal, /) -> ASGIApp:
        """Return the answer that says so in the site's own way."""
        ...


class HttpGuard:
    """Serves requests that may be made, within the rates, whose bodies are whole, small enough and in time.

    An address may be refused for its credentials twenty times, then once a second; clients that were let in are
    not kept out by others' guesses (ADR 49).
    """

    def __init__(self, app: ASGIApp, site: GuardedSite, rates: RequestRates) -> None:
        self._app = app
        self._site = site
        self._rates = rates

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The request is answered, by the application or by the guard."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
        elif scope["type"] == "http":
            await self._serve(HTTPConnection(scope), receive, send)

    async def _serve(self, request: HTTPConnection, receive: Receive, send: Send) -> None:
        request.scope.setdefault("state", {})
        try:
            self._site.check_address(request)
            if self._site.is_known(request):
                if not self._rates.allows_client():
                    raise HttpRefusal("too_many_requests", "too many requests")
                await self._pass_on(request, receive, send)
            else:
                await self._serve_stranger(request, receive, send)
        except HttpRefusal as refusal:
            await self._site.answer(request, refusal)(request.scope, receive, send)

    async def _serve_stranger(self, request: HTTPConnection, receive: Receive, send: Send) -> None:
        """Count the attempt before its credentials are checked: many attempts at once must not avoid the limit."""
        client = request.scope.get("client")
        guesses = self._rates.guesses_of("" if client is None else str(client[0]))
        if not guesses.take():
            raise HttpRefusal("too_many_guesses", "too many requests without the token")
        if not self._site.is_open(request):
            raise HttpRefusal("token_required", "the token is missing or wrong")
        status = 0

        async def watched(message: Message) -> None:
            nonlocal status
            status = message.get("status", status)
            await send(message)

        await self._pass_on(request, receive, watched)
        if status != _UNAUTHORIZED:
            guesses.give_back()

    async def _pass_on(self, request: HTTPConnection, receive: Receive, send: Send) -> None:
        body = await whole_body(request.headers, receive)
        await self._app(request.scope, _replaying(body, receive), send)


def check_names(headers: Headers, hosts: Collection[str], origins: Collection[str] = ()) -> None:
    """Raise HttpRefusal unless the request is addressed to one of these hosts, by no page of another origin.

    Pages of the very host that is asked are no others. A name that ends with `:*` stands for itself with any port.
    """
    addressed = headers.getlist("host")
    if len(addressed) != 1 or not _is_among(addressed[0], hosts):
        raise HttpRefusal("wrong_host", "This server does not answer to that name.")
    origin = headers.get("origin")
    own = {f"{scheme}://{addressed[0].lower()}" for scheme in ("http", "https")}
    if origin is not None and not _is_among(origin, own) and not _is_among(origin, origins):
        raise HttpRefusal("foreign_origin", "The request comes from another site.")


def _is_among(name: str, known: Collection[str]) -> bool:
    # A host in brackets has colons of its own, and a port is digits alone.
    without_port, colon, port = name.lower().rpartition(":")
    return name.lower() in known or (bool(colon) and port.isdigit() and f"{without_port}:*" in known)


def bearer_of(headers: Headers) -> str:
    """Return the token that the request shows in its Authorization header; without one, nothing."""
    scheme, _, token = headers.get("authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


async def whole_body(headers: Headers, receive: Receive) -> bytes:
    """Return the request's body, read to its end.

    Raises:
        HttpRefusal: it is too large, too slow, or its client went away.
    """
    declared = headers.get("content-length") or "0"
    if not (declared.isascii() and declared.isdigit()) or len(declared) > 12 or int(declared) > _MAX_DISCARDED_BYTES:
        raise _too_large()
    try:
        async with asyncio.timeout(BODY_SECONDS):
            return await _read(receive)
    except TimeoutError:
        raise HttpRefusal("body_too_slow", "the request did not come whole in time") from None


def _too_large() -> HttpRefusal:
    return HttpRefusal("body_too_large", f"a request has at most {MAX_BODY_BYTES} bytes")


async def _read(receive: Receive) -> bytes:
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] != "http.request":
            raise HttpRefusal("invalid_request", "the client went away")
        body += message.get("body", b"")
        if len(body) > MAX_BODY_BYTES:
            await _discard(receive, message)
            raise _too_large()
        if not message.get("more_body", False):
            return bytes(body)


async def _discard(receive: Receive, message: Message) -> None:
    """Read on, within limits: a connection that is closed while its client still sends takes the answer from it."""
    size = 0
    with suppress(TimeoutError):
        async with asyncio.timeout(_DISCARD_SECONDS):
            while message.get("more_body", False) and size < _MAX_DISCARDED_BYTES:
                message = await receive()
                size += len(message.get("body", b""))


def _replaying(body: bytes, receive: Receive) -> Receive:
    """Return what gives the body that was read, and then what comes after it."""
    messages: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def replay() -> Message:
        return messages.pop() if messages else await receive()

    return replay

"""What stands before the protocol over HTTP: the token, the rates, and bounds on what is sent."""

import asyncio
import hmac
from typing import Final

from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from telic.interfaces.mcp.rates import Rates

MAX_BODY_BYTES: Final = 1_000_000
BODY_SECONDS: Final = 10.0
_SCHEME: Final = b"bearer "


class Guard:
    """Serves requests that carry the token, within the rates, whose bodies are whole and small enough."""

    def __init__(self, app: ASGIApp, *, token: str, rates: Rates) -> None:
        self._app = app
        self._token = token.encode()
        self._rates = rates

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See ASGI."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
        elif scope["type"] == "http":
            await self._serve(scope, receive, send)

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = Headers(scope=scope)
        refusal = self._refusal(scope, headers)
        body = b""
        if refusal is None:
            try:
                body = await _whole_body(headers, receive)
            except _Refused as refused:
                refusal = _answer(refused.status, refused.why)
        if refusal is None:
            await self._app(scope, _replaying(body, receive), send)
        else:
            await refusal(scope, receive, send)

    def _refusal(self, scope: Scope, headers: Headers) -> Response | None:
        if self._has_token(headers):
            return None if self._rates.allows_client() else _answer(429, "too many requests", {"retry-after": "1"})
        client = scope.get("client")
        if not self._rates.allows_stranger("" if client is None else str(client[0])):
            return _answer(429, "too many requests without the token", {"retry-after": "5"})
        return _answer(401, "the token is missing or wrong", {"www-authenticate": "Bearer"})

    def _has_token(self, headers: Headers) -> bool:
        given = headers.get("authorization", "").encode("latin-1")
        is_bearer = given[: len(_SCHEME)].lower() == _SCHEME
        return hmac.compare_digest(given[len(_SCHEME) :].strip() if is_bearer else b"", self._token)


class _Refused(Exception):
    """The body is not taken."""

    def __init__(self, status: int, why: str) -> None:
        super().__init__(why)
        self.status = status
        self.why = why


def _answer(status: int, why: str, headers: dict[str, str] | None = None) -> Response:
    # What else the client sends is not read.
    return PlainTextResponse(why, status, {"connection": "close"} | (headers or {}))


async def _whole_body(headers: Headers, receive: Receive) -> bytes:
    declared = headers.get("content-length", "0")
    if not declared.isdecimal() or len(declared) > 12 or int(declared) > MAX_BODY_BYTES:
        raise _Refused(413, f"a request may have at most {MAX_BODY_BYTES} bytes")
    try:
        async with asyncio.timeout(BODY_SECONDS):
            return await _read(receive)
    except TimeoutError:
        raise _Refused(408, "the request did not come whole in time") from None


async def _read(receive: Receive) -> bytes:
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] != "http.request":
            raise _Refused(400, "the client went away")
        body += message.get("body", b"")
        if len(body) > MAX_BODY_BYTES:
            raise _Refused(413, f"a request may have at most {MAX_BODY_BYTES} bytes")
        if not message.get("more_body", False):
            return bytes(body)


def _replaying(body: bytes, receive: Receive) -> Receive:
    """Gives the body that was read, and then what comes after it."""
    messages: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def replay() -> Message:
        return messages.pop() if messages else await receive()

    return replay

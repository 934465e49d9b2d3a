"""What stands before every page: whom a request is addressed to, where it comes from, who sends it, how large it is."""

from typing import Final

from starlette.datastructures import MutableHeaders
from starlette.requests import HTTPConnection
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from telic.interfaces.api.problems import STATUSES
from telic.interfaces.web.pages import Pages
from telic.interfaces.web.sessions import Keeper, Session
from telic.interfaces.web.settings import DashboardSettings

API: Final = "/api/"
_OPEN_PATHS: Final = ("/enter", "/static/")
_SAFE_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS"})
_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)
HEADERS: Final = {
    "Content-Security-Policy": _POLICY,
    "X-Content-Type-Options": "nosniff",
    # Not `no-referrer`, under which browsers send "Origin: null" with this site's own forms. Others learn nothing.
    "Referrer-Policy": "same-origin",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}


class _TooLarge(Exception):
    """More arrives than a body may have."""


class Guard:
    """Passes on honest requests, with `session` and `actor_name` in their state; answers all others itself."""

    def __init__(self, app: ASGIApp, keeper: Keeper, pages: Pages, settings: DashboardSettings) -> None:
        self._app = app
        self._keeper = keeper
        self._pages = pages
        self._settings = settings

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The request is answered, by the application or by the guard."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
        elif scope["type"] == "http":
            await self._answer(HTTPConnection(scope), receive, _with_headers(send))

    async def _answer(self, request: HTTPConnection, receive: Receive, send: Send) -> None:
        scope = request.scope
        session = self._keeper.session(request.cookies.get(self._pages.session_cookie))
        scope.setdefault("state", {}).update(session=session, actor_name=self._actor_name(session))
        refusal = self._refusal(request, session)
        if refusal is not None:
            await self._refuse(request, receive, send, *refusal)
            return
        is_begun = False

        async def begin(message: Message) -> None:
            nonlocal is_begun
            is_begun = True
            await send(message)

        try:
            await self._app(scope, self._measured(receive), begin)
        except _TooLarge:
            if not is_begun:
                await self._refuse(request, receive, send, "body_too_large", "The request is too large.")

    def _actor_name(self, session: Session | None) -> str:
        return self._settings.actor_name if session is None else session.name

    def _refusal(self, request: HTTPConnection, session: Session | None) -> tuple[str, str] | None:
        """The code and the reason with which the request is refused, or None."""
        headers, method, path = request.headers, request.scope["method"], request.url.path
        hosts = headers.getlist("host")
        if len(hosts) != 1 or hosts[0].lower() not in self._settings.hosts:
            return "wrong_host", "This dashboard does not answer to that name."
        if not _is_own_origin(request):
            return "foreign_origin", "The request comes from another site."
        length = headers.get("content-length") or "0"
        if not length.isdigit() or len(length) > 15 or int(length) > self._settings.max_body_bytes:
            return "body_too_large", "The request is too large."
        if path.startswith(_OPEN_PATHS):
            return None
        if self._has_token(headers.get("authorization")):
            return None
        if session is None or (path.startswith(API) and method not in _SAFE_METHODS):
            return "token_required", "Enter the token first."
        return None

    def _has_token(self, authorization: str | None) -> bool:
        scheme, _, token = (authorization or "").partition(" ")
        return scheme.lower() == "bearer" and self._keeper.is_token(token.strip())

    async def _refuse(self, request: HTTPConnection, receive: Receive, send: Send, code: str, reason: str) -> None:
        response: Response
        status = STATUSES[code]
        if request.url.path.startswith(API):
            response = self._pages.problem(code, reason)
        elif status == 401 and request.scope["method"] == "GET" and "/live" not in request.url.path:
            response = self._pages.respond(request, "enter.html", status=401, problem=None)
        else:
            response = self._pages.respond(
                request, "refusal.html", status=status, title="Refused", reason=reason, retry=[], back=None
            )
        await response(request.scope, receive, send)

    def _measured(self, receive: Receive) -> Receive:
        """The same, until more than a body may have has arrived."""
        arrived = 0

        async def measured() -> Message:
            nonlocal arrived
            message = await receive()
            arrived += len(message.get("body", b""))
            if arrived > self._settings.max_body_bytes:
                raise _TooLarge
            return message

        return measured


def _is_own_origin(request: HTTPConnection) -> bool:
    """Whether a browser that tells where the request comes from names this site, or nobody tells."""
    origin, host = request.headers.get("origin"), request.headers["host"].lower()
    if origin is not None and origin.lower() not in (f"http://{host}", f"https://{host}"):
        return False
    came_from = request.headers.get("sec-fetch-site")
    return request.scope["method"] in _SAFE_METHODS or came_from in (None, "same-origin")


def _with_headers(send: Send) -> Send:
    async def guarded(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in HEADERS.items():
                headers[name] = value
            headers.setdefault("Cache-Control", "no-store")
        await send(message)

    return guarded

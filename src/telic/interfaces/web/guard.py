"""Whom a dashboard and its API let in: by token or session, from this site only; and the headers of all answers."""

from typing import Final

from starlette.datastructures import MutableHeaders
from starlette.requests import HTTPConnection
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from telic.http.guard import HttpRefusal, bearer_of, check_names
from telic.interfaces.web.pages import Pages
from telic.interfaces.web.sessions import SessionSigner
from telic.interfaces.web.settings import DashboardSettings
from telic.services.outcomes import http_status

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


class DashboardSite:
    """The guard's view of a dashboard. The request's state gets its `session` and `actor_name`."""

    def __init__(self, signer: SessionSigner, pages: Pages, settings: DashboardSettings) -> None:
        self._signer = signer
        self._pages = pages
        self._settings = settings

    def check_address(self, request: HTTPConnection) -> None:
        """Raise HttpRefusal unless the request is addressed to this dashboard, and comes from no other site."""
        # What follows may have to draw a page, which shows the session, if any.
        session = self._signer.session(request.cookies.get(self._pages.session_cookie))
        name = self._settings.actor_name if session is None else session.name
        request.scope["state"].update(session=session, actor_name=name)
        check_names(request.headers, self._settings.hosts)
        came_from = request.headers.get("sec-fetch-site", "same-origin")
        if came_from != "same-origin" and request.scope["method"] not in _SAFE_METHODS:
            raise HttpRefusal("foreign_origin", "The request comes from another site.")

    def is_known(self, request: HTTPConnection) -> bool:
        """Return whether the request shows the token, or is of a session; the API is changed by the token alone."""
        if self._signer.is_token(bearer_of(request.headers)):
            return True
        is_change_of_api = request.url.path.startswith(API) and request.scope["method"] not in _SAFE_METHODS
        return request.state.session is not None and not is_change_of_api

    def is_open(self, request: HTTPConnection) -> bool:
        """Return whether the request is served to anybody: what is needed to enter."""
        return request.url.path.startswith(_OPEN_PATHS)

    def answer(self, request: HTTPConnection, refusal: HttpRefusal) -> Response:
        """Return a problem for programs, and a page for people, which lets them enter."""
        status = http_status(refusal.code)
        if request.url.path.startswith(API):
            response: Response = self._pages.problem(refusal.code, refusal.reason)
        elif status == 401 and request.scope["method"] == "GET" and "/live" not in request.url.path:
            response = self._pages.respond(request, "enter.html", status=status, problem=None)
        else:
            response = self._pages.respond(
                request, "refusal.html", status=status, title="Refused", reason=refusal.reason, retry=[], back=None
            )
        response.headers.update(refusal.headers)
        return response


class SecurityHeaders:
    """The application, with the headers that forbid browsers what its pages do not need."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The request was answered with these headers."""

        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.update(HEADERS)
                headers.setdefault("Cache-Control", "no-store")
            await send(message)

        await self._app(scope, receive, send_guarded)

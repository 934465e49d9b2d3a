"""Whom a dashboard and its API let in, from where, by which token or session; the headers of all answers."""

from typing import Final

from starlette.datastructures import MutableHeaders
from starlette.requests import HTTPConnection, Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from telic.domain.errors import InvalidInput
from telic.http.guard import HttpRefusal, bearer_of, check_names
from telic.interfaces.api.answers import PROBLEM_MEDIA_TYPE, problem
from telic.interfaces.web.actions import own_form
from telic.interfaces.web.pages import THEME_COOKIE, THEMES, AppState, Pages, state_of
from telic.interfaces.web.settings import SESSION_SECONDS, DashboardSettings, SessionSigner, check_actor_name
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
    """The rules by which a dashboard lets clients in; sets `session` and `actor_name` in the request's state."""

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
            content = problem(refusal.code, refusal.reason)
            response: Response = JSONResponse(content, status, media_type=PROBLEM_MEDIA_TYPE)
        elif status == 401 and request.scope["method"] == "GET" and "/live" not in request.url.path:
            response = self._pages.respond(request, "enter.html", status=status, problem=None)
        else:
            response = self._pages.respond(
                request,
                "refusal.html",
                status=status,
                title="Refused",
                reason=refusal.reason,
                next_step="",
                retry=[],
                back=None,
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


_YEAR_SECONDS: Final = 365 * 86_400


async def enter(request: Request) -> Response:
    """The browser has a session, for a code that is then spent; without one, the page asks for the token."""
    state = state_of(request)
    code = request.query_params.get("code")
    if code is None:
        return state.pages.respond(request, "enter.html", problem=None)
    if state.signer.spend_code(code):
        return _let_in(state, state.settings.actor_name)
    return _ask_again(request, "token_required", "That link was used before, or leads elsewhere. Enter the token.")


async def enter_by_token(request: Request) -> Response:
    """The browser has a session under the name that was given with the token."""
    state = state_of(request)
    form = await request.form(max_files=0, max_fields=10)
    token, name = (str(form.get(field) or "").strip() for field in ("token", "name"))
    if not state.signer.is_token(token):
        return _ask_again(request, "token_required", "That is not the token.")
    try:
        return _let_in(state, check_actor_name(name or state.settings.actor_name))
    except InvalidInput as error:
        return _ask_again(request, error.code, str(error))


def _ask_again(request: Request, code: str, problem: str) -> Response:
    return state_of(request).pages.respond(request, "enter.html", status=http_status(code), problem=problem)


def _let_in(state: AppState, name: str) -> Response:
    response = RedirectResponse("/", 303)
    session = state.signer.open_session(name)
    response.set_cookie(
        state.pages.session_cookie, session.value, max_age=SESSION_SECONDS, httponly=True, samesite="strict"
    )
    return response


async def leave(request: Request) -> Response:
    """The browser has no session any more."""
    await own_form(request)
    response = RedirectResponse("/enter", 303)
    response.delete_cookie(state_of(request).pages.session_cookie, httponly=True, samesite="strict")
    return response


async def choose_theme(request: Request) -> Response:
    """The browser keeps the choice."""
    form = await own_form(request)
    theme, back = str(form.get("theme")), str(form.get("back"))
    is_within = back.startswith("/") and not back.startswith(("//", "/\\")) and back.isprintable()
    response = RedirectResponse(back if is_within else "/", 303)
    chosen = theme if theme in THEMES else THEMES[0]
    response.set_cookie(THEME_COOKIE, chosen, max_age=_YEAR_SECONDS, httponly=True, samesite="strict")
    return response

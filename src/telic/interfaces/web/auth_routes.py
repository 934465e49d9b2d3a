"""Being let in, leaving, and the choice between light and dark."""

from typing import Final

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from telic.domain.errors import InvalidInput
from telic.interfaces.web.actions import own_form
from telic.interfaces.web.pages import THEME_COOKIE, THEMES, AppState, state_of
from telic.interfaces.web.sessions import SESSION_SECONDS
from telic.interfaces.web.settings import check_actor_name
from telic.services.outcomes import http_status

_YEAR_SECONDS: Final = 365 * 86_400


async def enter(request: Request) -> Response:
    """The browser has a session, for a code that is then spent; without one, the page asks for the token."""
    state = state_of(request)
    code = request.query_params.get("code")
    if code is None:
        return state.pages.respond(request, "enter.html", problem=None)
    if state.signer.spend_code(code):
        return _let_in(state, state.settings.actor_name)
    problem = "That link was used before, or is another dashboard's. Enter the token."
    return state.pages.respond(request, "enter.html", status=http_status("token_required"), problem=problem)


async def enter_by_token(request: Request) -> Response:
    """The browser has a session under the name that was given with the token."""
    state = state_of(request)
    form = await request.form(max_files=0, max_fields=10)
    token, name = (str(form.get(field) or "").strip() for field in ("token", "name"))
    if not state.signer.is_token(token):
        return state.pages.respond(
            request, "enter.html", status=http_status("token_required"), problem="That is not the token."
        )
    try:
        return _let_in(state, check_actor_name(name or state.settings.actor_name))
    except InvalidInput as error:
        return state.pages.respond(request, "enter.html", status=http_status(error.code), problem=str(error))


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

"""Templates and their filters to responses, also of failures. Whatever somebody else wrote is escaped."""

import hashlib
import re
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, cast

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.exceptions import HTTPException
from starlette.requests import HTTPConnection, Request
from starlette.responses import HTMLResponse, Response

from telic.domain.budget import LIMIT_NAMES
from telic.domain.clock import SystemClock, time_to_json
from telic.domain.errors import GoalError
from telic.domain.goal import Goal
from telic.http.guard import HttpRefusal
from telic.interfaces.web.live import Broadcaster
from telic.interfaces.web.settings import DashboardSettings, SessionSigner
from telic.prompt import escape
from telic.services.next_steps import Effect, effect_of, next_on_screen
from telic.services.outcomes import http_status, outcome_of
from telic.store.async_store import AsyncGoalStore
from telic.wording.amounts import (
    first_words,
    humanize,
    show_age,
    show_amount,
    show_percent,
    show_short,
    show_time,
    write_limit,
)
from telic.wording.goals import status_of, used_of

FOLDER: Final = Path(__file__).parent
THEMES: Final = ("auto", "light", "dark")
THEME_COOKIE: Final = "telic_theme"


class Pages:
    """The templates of one dashboard.

    Fragments are drawn once for all sessions. Where a session's form token belongs they have a mark that nobody
    can guess, which is replaced for each browser.
    """

    def __init__(self, settings: DashboardSettings, signer: SessionSigner) -> None:
        self._settings = settings
        self._signer = signer
        self._mark = secrets.token_hex(24)
        self.session_cookie = f"telic_session_{settings.port}"
        self._environment = Environment(
            loader=FileSystemLoader(FOLDER / "templates"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            auto_reload=False,
        )
        filters: dict[str, Any] = self._environment.filters
        filters |= FILTERS
        shared: dict[str, Any] = self._environment.globals
        shared |= {
            "form_token": self._mark,
            "allow_write": settings.allow_write,
            "pinned_scope": settings.scope,
            "version": _version_of_static_files(),
            "signed": signer.sign,
            "now": SystemClock().now,
        }

    def draw(self, template: str, **values: Any) -> str:
        """Return the template's text, with the mark in it."""
        return self._environment.get_template(template).render(values)

    def for_session(self, request: HTTPConnection, text: str) -> str:
        """Return the text for this request's browser."""
        session = request.state.session
        return text.replace(self._mark, "" if session is None else self._signer.form_token(session))

    def respond(self, request: HTTPConnection, template: str, *, status: int = 200, **values: Any) -> HTMLResponse:
        """Return the page as a response."""
        theme = request.cookies.get(THEME_COOKIE)
        shared = {
            "theme": theme if theme in THEMES else "auto",
            "themes": THEMES,
            "session": request.state.session,
            "here": request.url.path + (f"?{request.url.query}" if request.url.query else ""),
        }
        return HTMLResponse(self.for_session(request, self.draw(template, **shared, **values)), status)


def _version_of_static_files() -> str:
    # A name for what the files hold: browsers may keep them, and ask for others after an upgrade.
    files = sorted(path for path in (FOLDER / "static").rglob("*") if path.is_file())
    return hashlib.sha256(b"".join(path.read_bytes() for path in files)).hexdigest()[:12]


_BREAKS: Final = re.compile("(\r?\n|\t)")


def visible(text: object) -> str:
    """Return the text with every hidden character written out but for the line breaks and tabs that a page can show."""
    parts = _BREAKS.split(str(text))
    parts[::2] = map(escape.visible, parts[::2])
    return "".join(parts)


def words(text: str, max_chars: int = 160) -> str:
    """Return the beginning of the text on one line."""
    return visible(first_words(text[: max_chars * 4], max_chars))


def used(goal: Goal, name: str, *, noun: str = "", in_full: bool = False) -> str:
    """Return what the goal used of a limit, if it has one, each in its unit, and whether some of it is estimated."""
    return used_of(goal, name, noun=noun, show=show_amount if in_full else show_short)


FILTERS: Final = {
    "visible": visible,
    "words": words,
    "amount": lambda value, name: show_short(name, value),
    "exact": lambda value, name: show_amount(name, value),
    "used": used,
    "written": lambda value, name: write_limit(name, value),
    "percent": show_percent,
    "limit_name": lambda name: LIMIT_NAMES[name],
    "humanize": humanize,
    "status_of": status_of,
    "when": show_time,
    "machine_time": time_to_json,
    "age": show_age,
    "zip": zip,
}


@dataclass(frozen=True, slots=True)
class AppState:
    """One dashboard at work."""

    store: AsyncGoalStore
    settings: DashboardSettings
    signer: SessionSigner
    pages: Pages
    broadcaster: Broadcaster


def state_of(request: HTTPConnection) -> AppState:
    """Return the dashboard that serves the request."""
    return cast("AppState", request.app.state.app_state)


_TITLES_BY_STATUS: Final = {
    401: "Sign in first",
    403: "That is not allowed",
    404: "There is no such page",
    405: "That cannot be asked for",
    413: "That is too large",
}


async def show_goal_error(request: Request, error: Exception) -> Response:
    """Return the page that says what was refused, or what went wrong, and leads back."""
    assert isinstance(error, GoalError)
    is_change = request.method == "POST"
    # The very same form may be sent again: its mark makes it happen once.
    fields = list((await request.form()).items()) if error.retryable and is_change else []
    return state_of(request).pages.respond(
        request,
        "refusal.html",
        status=http_status(error.code),
        title=_title(error, is_change=is_change),
        reason=_sentence(str(error)),
        next_step=_sentence(next_on_screen(error)),
        retry=[(name, value) for name, value in fields if isinstance(value, str) and name != "token"],
        back=_back(request) if error.code not in ("goal_not_found", "ambiguous_id") else None,
    )


def _title(error: GoalError, *, is_change: bool) -> str:
    if error.retryable:
        return "Try again"
    if effect_of(error) is not Effect.REFUSED:
        return "The store failed"
    return outcome_of(error).title or ("Nothing was changed" if is_change else "The address cannot be understood")


def _back(request: Request) -> str | None:
    # Only forms of a goal's page are sent to an address below it.
    goal_id = request.path_params.get("goal_id")
    return f"/goals/{goal_id}" if goal_id and request.method == "POST" else None


async def show_refusal(request: Request, error: Exception) -> Response:
    """Return the page for a request that is refused, or that leads nowhere."""
    if isinstance(error, HttpRefusal):
        status, reason = http_status(error.code), error.reason
    else:
        assert isinstance(error, HTTPException)
        status, reason = error.status_code, error.detail
    title = _TITLES_BY_STATUS.get(status, "Refused")
    return state_of(request).pages.respond(
        request, "refusal.html", status=status, title=title, reason=reason, next_step="", retry=[], back=_back(request)
    )


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:] + ("" if text.endswith(".") else ".")

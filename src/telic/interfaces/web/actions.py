"""Forms by which an operator acts on a goal. Each says which revision it was drawn for, and acts once."""

import re
from dataclasses import replace
from typing import Final

from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from telic.domain.budget import LIMITS, Budget
from telic.domain.errors import InvalidInput, InvalidNumber, StaleUpdate, WouldReplace
from telic.domain.goal import Actor, Goal, Reason
from telic.domain.lifecycle import NamedActor
from telic.http.guard import HttpRefusal
from telic.http.tokens import is_same
from telic.interfaces.web.goal_page import find_goal
from telic.interfaces.web.pages import AppState, state_of
from telic.services.actions import ANSWERS, ActionRequest, GoalAction, execute
from telic.services.outcomes import http_status
from telic.wording.amounts import parse_amount
from telic.wording.goals import change_parts, who_acted

_FORM: Final = re.compile(r"[0-9a-f]{64}")
# The page that asks again has these of its own.
_RENEWED: Final = frozenset({"token", "replace"})
_DIGITS: Final = re.compile(r"[0-9][0-9_,.]*")
_OFFERED: Final = frozenset(GoalAction) - {GoalAction.CREATE, GoalAction.EDIT, GoalAction.COMPLETE, GoalAction.WAKE}


class ActionForm:
    """One form as it was sent."""

    def __init__(self, goal: Goal, form: FormData, actor_name: str) -> None:
        self.goal = goal
        self._form = form
        self._actor_name = actor_name

    def request(self, action: GoalAction) -> ActionRequest:
        """Return what the form asks for.

        Raises:
            InvalidInput: a field is missing, or has no value of its kind; or no dashboard drew the form.
        """
        form = self.text("form")
        if not _FORM.fullmatch(form):
            raise InvalidInput("the form lacks its mark")
        is_budget = action is GoalAction.SET_BUDGET
        # An empty field is no limit.
        budget = replace(Budget(), **{name: _limit(name, self.text(name)) for name in LIMITS})
        resumes = is_budget and self.text("then") == GoalAction.RESUME
        return ActionRequest(
            action=GoalAction.RESUME if resumes else action,
            actor=NamedActor(Actor.OPERATOR, self._actor_name, "dashboard"),
            goal=self.goal,
            expected_revision=self.number("revision"),
            # The same for the same form sent by the same person: it acts once.
            key=f"dashboard/{self._actor_name}/{form[:32]}",
            # Browsers end lines in their own way.
            note=self.text("note").replace("\r\n", "\n") or None,
            reason=Reason.GIVEN_UP if self.text("reason") == Reason.GIVEN_UP else None,
            budget=budget if is_budget else None,
            criterion=self.number("criterion") if action in ANSWERS else None,
            replace=self.text("replace") or False,
        )

    def text(self, name: str) -> str:
        """Return the field's text; a field that is not there is empty."""
        value = self._form.get(name)
        return value.strip() if isinstance(value, str) else ""

    def number(self, name: str) -> int:
        """Return the field's whole number.

        Raises:
            InvalidNumber: it has none.
        """
        text = self.text(name)
        if not (text.isascii() and text.isdigit() and len(text) < 16):
            raise InvalidNumber(f"the form lacks its {name}")
        return int(text)


def _limit(name: str, text: str) -> int | None:
    if not text:
        return None
    # The field for time is in minutes.
    is_minutes = name == "active_microseconds" and _DIGITS.fullmatch(text)
    return parse_amount(name, f"{text}m" if is_minutes else text)


async def act(request: Request) -> Response:
    """Do what the form asks; if that is refused, nothing has changed, and the page says why."""
    state = state_of(request)
    form = await own_form(request)
    if not state.settings.allow_write:
        raise HttpRefusal("read_only", "This dashboard is read-only: it was started without --allow-write.")
    action = request.path_params["action"]
    if action not in _OFFERED:
        raise HttpRefusal("not_found", "There is no such action.")
    goal = await find_goal(state, request.path_params["goal_id"])
    asked = ActionForm(goal, form, request.state.actor_name)
    try:
        await execute(state.store, asked.request(GoalAction(action)))
    except StaleUpdate as stale:
        return await _show_stale(request, state, stale, action)
    except WouldReplace as other:
        fields = [(name, value) for name, value in form.items() if isinstance(value, str) and name not in _RENEWED]
        shown = {"goal": goal, "other": other.goal, "worker": other.worker, "fields": fields}
        return state.pages.respond(request, "replace.html", status=http_status(other.code), **shown)
    return RedirectResponse(f"/goals/{goal.id}?done={action}", 303)


async def own_form(request: Request) -> FormData:
    """Return the form, known to be drawn by this dashboard for this session.

    Raises:
        HttpRefusal: it did not.
    """
    session, signer = request.state.session, state_of(request).signer
    form = await request.form(max_files=0, max_fields=50)
    token = form.get("token")
    if session is None or not isinstance(token, str) or not is_same(token, signer.form_token(session)):
        raise HttpRefusal("foreign_form", "The form is not yours, or your session is over. Load the page again.")
    return form


async def _show_stale(request: Request, state: AppState, stale: StaleUpdate, action: str) -> Response:
    overview = await state.store.overview(stale.goal.id)
    events = [event for event in overview.events if event.revision > stale.expected_revision]
    return state.pages.respond(
        request,
        "stale.html",
        status=http_status(stale.code),
        goal=overview.goal,
        seen=stale.expected_revision,
        action=action,
        events=[(event, who_acted(event), change_parts(event)) for event in events],
    )

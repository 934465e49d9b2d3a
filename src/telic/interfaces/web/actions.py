"""What an operator does to a goal. Each form says which revision it was drawn for, and acts once."""

import re
from collections.abc import Awaitable, Callable
from typing import Final

from starlette.datastructures import FormData
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from telic.domain.budget import LIMITS, Budget
from telic.domain.errors import InvalidInput, InvalidNumber, StaleUpdate, WouldReplace
from telic.domain.goal import Actor, Goal, Reason
from telic.interfaces.api.problems import STATUSES
from telic.interfaces.web.app_state import Desk, desk_of
from telic.interfaces.web.goal_page import KEY_PREFIX, find_goal, who
from telic.store.async_store import AsyncGoalStore
from telic.wording.amounts import parse_amount
from telic.wording.events import event_parts

_FORM: Final = re.compile(r"[0-9a-f]{64}")
_ASKED_ANEW: Final = frozenset({"token", "replace"})
_DIGITS: Final = re.compile(r"[0-9][0-9_,.]*")


class Asked:
    """One form as it was sent, and the call that it stands for."""

    def __init__(self, goal: Goal, form: FormData, actor_name: str) -> None:
        self.goal = goal
        self._form = form
        self.actor_name = actor_name

    def text(self, name: str) -> str:
        """The field's text; what is not there is empty."""
        value = self._form.get(name)
        return value.strip() if isinstance(value, str) else ""

    @property
    def note(self) -> str | None:
        """A remark, where one was written; browsers end lines in their own way."""
        return self.text("note").replace("\r\n", "\n") or None

    def number(self, name: str) -> int:
        """The field's whole number.

        Raises:
            InvalidNumber: it has none.
        """
        text = self.text(name)
        if not (text.isascii() and text.isdigit() and len(text) < 16):
            raise InvalidNumber(f"the form lacks its {name}")
        return int(text)

    @property
    def revision(self) -> int:
        """What the person has seen."""
        return self.number("revision")

    @property
    def key(self) -> str:
        """The same for the same form sent by the same person, and it names them in the goal's history.

        Raises:
            InvalidInput: the form was not drawn by a dashboard.
        """
        form = self.text("form")
        if not _FORM.fullmatch(form):
            raise InvalidInput("the form lacks its mark")
        return f"{KEY_PREFIX}{self.actor_name}/{form[:32]}"

    def budget(self) -> Budget:
        """The limits in the form's fields; an empty one is no limit.

        Raises:
            InvalidNumber: a field has no amount of its kind.
        """
        return Budget(**{name: _limit(name, self.text(name)) for name in LIMITS})


def _limit(name: str, text: str) -> int | None:
    if not text:
        return None
    # The field for time is in minutes.
    is_minutes = name == "active_microseconds" and _DIGITS.fullmatch(text)
    return parse_amount(name, f"{text}m" if is_minutes else text)


async def _pause(store: AsyncGoalStore, asked: Asked) -> Goal:
    return await store.pause(
        asked.goal.id, expected_revision=asked.revision, note=asked.note, actor=Actor.OPERATOR, key=asked.key
    )


async def _resume(store: AsyncGoalStore, asked: Asked) -> Goal:
    return await store.resume(
        asked.goal.id,
        expected_revision=asked.revision,
        note=asked.note,
        replace=asked.text("replace") or False,
        actor=Actor.OPERATOR,
        key=asked.key,
    )


async def _set_budget(store: AsyncGoalStore, asked: Asked) -> Goal:
    revision, budget, key = asked.revision, asked.budget(), asked.key
    if asked.text("then") == "resume":
        return await store.resume(
            asked.goal.id,
            budget=budget,
            expected_revision=revision,
            replace=asked.text("replace") or False,
            actor=Actor.OPERATOR,
            key=key,
        )
    return await store.set_budget(asked.goal.id, budget, expected_revision=revision, actor=Actor.OPERATOR, key=key)


async def _answer(store: AsyncGoalStore, asked: Asked, *, is_approved: bool) -> Goal:
    return await store.approve(
        asked.goal.id,
        asked.number("criterion"),
        is_approved=is_approved,
        decided_by=asked.actor_name,
        note=asked.note or "",
        expected_revision=asked.revision,
        actor=Actor.OPERATOR,
        key=asked.key,
    )


async def _approve(store: AsyncGoalStore, asked: Asked) -> Goal:
    return await _answer(store, asked, is_approved=True)


async def _reject(store: AsyncGoalStore, asked: Asked) -> Goal:
    return await _answer(store, asked, is_approved=False)


async def _clear(store: AsyncGoalStore, asked: Asked) -> Goal:
    reason = Reason.GIVEN_UP if asked.text("reason") == Reason.GIVEN_UP else Reason.DISMISSED
    return await store.clear(
        asked.goal.id,
        expected_revision=asked.revision,
        reason=reason,
        note=asked.note,
        actor=Actor.OPERATOR,
        key=asked.key,
    )


ACTIONS: Final[dict[str, Callable[[AsyncGoalStore, Asked], Awaitable[Goal]]]] = {
    "pause": _pause,
    "resume": _resume,
    "budget": _set_budget,
    "approve": _approve,
    "reject": _reject,
    "clear": _clear,
}


async def act(request: Request) -> Response:
    """The goal is as the form asked; or it is as it was, and the page says why."""
    desk = desk_of(request)
    form = await own_form(request)
    if not desk.settings.allow_write:
        raise HTTPException(403, "This dashboard is read-only: it was started without --allow-write.")
    action = request.path_params["action"]
    if action not in ACTIONS:
        raise HTTPException(404, "There is no such action.")
    goal = await find_goal(desk, request.path_params["goal_id"])
    asked = Asked(goal, form, request.state.actor_name)
    try:
        await ACTIONS[action](desk.store, asked)
    except StaleUpdate as stale:
        return await _show_stale(request, desk, stale, action)
    except WouldReplace as other:
        fields = [(name, value) for name, value in form.items() if isinstance(value, str) and name not in _ASKED_ANEW]
        shown = {"goal": goal, "other": other.goal, "holder": other.holder, "fields": fields}
        return desk.pages.respond(request, "replace.html", status=STATUSES[other.code], **shown)
    return RedirectResponse(f"/goals/{goal.id}?done={action}", 303)


async def own_form(request: Request) -> FormData:
    """The form, which this dashboard drew for this session.

    Raises:
        HTTPException: it did not.
    """
    session = request.state.session
    form = await request.form(max_files=0, max_fields=50)
    token = form.get("token")
    if session is None or not isinstance(token, str) or not desk_of(request).keeper.is_form_token(session, token):
        raise HTTPException(403, "The form was not drawn for you, or your session is over. Load the page again.")
    return form


async def _show_stale(request: Request, desk: Desk, stale: StaleUpdate, action: str) -> Response:
    """What changed since the page was drawn, instead of what was asked for."""
    overview = await desk.store.overview(stale.goal.id)
    events = [event for event in overview.events if event.revision > stale.expected_revision]
    return desk.pages.respond(
        request,
        "stale.html",
        status=STATUSES[stale.code],
        goal=overview.goal,
        seen=stale.expected_revision,
        action=action,
        events=[(event, who(event), event_parts(event)) for event in events],
    )

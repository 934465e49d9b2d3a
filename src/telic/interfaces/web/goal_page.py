"""One goal's page."""

from collections.abc import Mapping
from typing import Final

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from telic.domain.goal import Goal
from telic.domain.views import budget_uses, larger_limits
from telic.interfaces.web.pages import AppState, state_of
from telic.interfaces.web.plot import draw_plot
from telic.services.actions import fitting_actions
from telic.services.insight import GoalDetails, GoalReader, ScopedGoals
from telic.wording.goals import HOLDS, change_parts, describe_lease, reserved_lines, wait_of, who_acted

PARTS: Final = ("head", "actions", "budget", "criteria", "usage", "sharing", "history")
DONE: Final = {
    "pause": "The goal is paused.",
    "resume": "The goal is active again.",
    "budget": "The budget is set.",
    "approve": "The answer is recorded.",
    "reject": "The answer is recorded.",
    "clear": "The goal is cleared.",
}


class GoalView:
    """One goal as fragments, which are drawn again when anything of the goal changed."""

    def __init__(self, state: AppState, goal_id: str) -> None:
        self._store = state.store
        self._pages = state.pages
        self._reader = GoalReader(goal_id)
        self._fragments: dict[str, str] = {}

    async def look(self) -> Mapping[str, str]:
        """See `LiveView.look`."""
        known = self._reader.details
        details = await self._reader.read(self._store)
        if known is not None and details.overview is known.overview:
            return {}
        former, self._fragments = self._fragments, self._draw(details)
        return {name: text for name, text in self._fragments.items() if former.get(name) != text}

    def whole(self) -> Mapping[str, str]:
        """See `LiveView.whole`."""
        return self._fragments

    def _draw(self, details: GoalDetails) -> dict[str, str]:
        goal, latest = details.goal, details.events[0].number if details.events else 0
        values = {
            "goal": goal,
            "lease": describe_lease(details.lease),
            "reserved": reserved_lines(goal, details.total),
            "wait": wait_of(goal),
            "holds": details.overview.peek.holds,
            "table": HOLDS,
            "checks": details.criteria,
            "fits": fitting_actions(goal, details.criteria),
            "uses": budget_uses(goal),
            "larger": larger_limits(goal),
            "plot": draw_plot(details.overview),
            "events": [(event, who_acted(event), change_parts(event)) for event in details.events],
            # Another for each event: a form that is sent twice acts once, one that is drawn again acts again.
            "form": f"{goal.id}/{latest}",
        }
        return {f"goal-{part}": self._pages.draw(f"goal/{part}.html", **values) for part in PARTS}


async def find_goal(state: AppState, typed: str) -> Goal:
    """Return the goal with such an id, or a part of one, where the dashboard may show it.

    Raises:
        GoalNotFound, AmbiguousId, InvalidText: it may not, or none or several do.
    """
    scope = state.settings.scope
    return await (state.store.find(typed) if scope is None else ScopedGoals(state.store, scope).named(typed))


async def show_goal(request: Request) -> Response:
    """Return the page."""
    state = state_of(request)
    typed = request.path_params["goal_id"]
    goal = await find_goal(state, typed)
    if goal.id != typed:
        return RedirectResponse(f"/goals/{goal.id}", 302)
    view = GoalView(state, goal.id)
    await view.look()
    return state.pages.respond(
        request,
        "goal.html",
        goal=goal,
        done=DONE.get(request.query_params.get("done", "")),
        live_address=f"/live/goals/{goal.id}",
        fragments=view.whole(),
    )

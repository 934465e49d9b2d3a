"""One goal's page."""

from collections.abc import Mapping, Sequence
from typing import Final

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from telic.domain.budget import larger_budget
from telic.domain.goal import Goal
from telic.domain.views import GoalGlance, GoalOverview
from telic.interfaces.web.pages import AppState, Pages, state_of
from telic.interfaces.web.plot import draw_plot
from telic.services.actions import fitting_actions
from telic.services.checks import Check, look_at_checks_async
from telic.services.scoped_goals import ScopedGoals
from telic.store.async_store import AsyncGoalStore
from telic.wording.events import change_parts, who_acted

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
    """One goal as fragments, each drawn anew when anything of the goal changed and told when its text did."""

    def __init__(self, store: AsyncGoalStore, pages: Pages, goal_id: str) -> None:
        self._store = store
        self._pages = pages
        self._goal_id = goal_id
        self._glance: GoalGlance | None = None
        self._fragments: dict[str, str] = {}

    async def look(self) -> Mapping[str, str]:
        """See `View.look`."""
        if (await self._store.glance(self._goal_id)).is_like(self._glance):
            return {}
        overview = await self._store.overview(self._goal_id)
        fragments = self._draw(overview, await look_at_checks_async(self._store, overview.goal))
        former, self._fragments, self._glance = self._fragments, fragments, overview.glance
        return {name: text for name, text in fragments.items() if former.get(name) != text}

    def whole(self) -> Mapping[str, str]:
        """See `View.whole`."""
        return self._fragments

    @property
    def goal(self) -> Goal | None:
        """The goal as of the last look."""
        return None if self._glance is None else self._glance.goal

    def _draw(self, overview: GoalOverview, checks: Sequence[Check]) -> dict[str, str]:
        latest = overview.events[0].number if overview.events else 0
        values = {
            "goal": overview.goal,
            "overview": overview,
            "checks": checks,
            "fits": fitting_actions(overview.goal, checks),
            "larger": larger_budget(overview.goal.usage, overview.goal.budget),
            "plot": draw_plot(overview),
            "events": [(event, who_acted(event), change_parts(event)) for event in overview.events],
            # Another for each event: a form that is sent twice acts once, one that is drawn anew acts again.
            "form": f"{overview.goal.id}/{latest}",
        }
        return {f"goal-{part}": self._pages.draw(f"goal/{part}.html", **values) for part in PARTS}


def view_of(state: AppState, goal_id: str) -> GoalView:
    """A new view of the goal."""
    return GoalView(state.store, state.pages, goal_id)


async def find_goal(state: AppState, typed: str) -> Goal:
    """The goal with such an id, or a part of one, where the dashboard may show it.

    Raises:
        GoalNotFound, AmbiguousId, InvalidText: it may not, or none or several do.
    """
    scope = state.settings.scope
    return await (state.store.find(typed) if scope is None else ScopedGoals(state.store, scope).named(typed))


async def show_goal(request: Request) -> Response:
    """The page."""
    state = state_of(request)
    typed = request.path_params["goal_id"]
    goal = await find_goal(state, typed)
    if goal.id != typed:
        return RedirectResponse(f"/goals/{goal.id}", 302)
    view = view_of(state, goal.id)
    await view.look()
    return state.pages.respond(
        request,
        "goal.html",
        goal=view.goal,
        done=DONE.get(request.query_params.get("done", "")),
        live_address=f"/live/goals/{goal.id}",
        fragments=view.whole(),
    )

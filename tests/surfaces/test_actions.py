"""An operator's action leaves the same goal and the same history through every surface, but for the door."""

import asyncio
import re
from pathlib import Path
from typing import Any

import httpx2
import pytest

import telic
from telic.interfaces.api.routes import api_routes
from telic.interfaces.cli import app as command
from telic.interfaces.mcp.calls import ToolCalls
from telic.interfaces.mcp.conversation import McpConversation, Role, ServerSettings
from telic.interfaces.mcp.tools import tools_for
from telic.interfaces.web.app import create_app, guarded
from telic.interfaces.web.settings import DashboardSettings
from telic.services.actions import GoalAction, fitting_actions, why_unfit
from telic.services.chat.commands import execute_async
from telic.testing.surfaces.actions import DEEDS, OPERATOR, ActingSurface, ActionCase, wrong_effects
from tests.interfaces.top.screen import running

ADA = telic.NamedActor(telic.Actor.OPERATOR, OPERATOR, "chat")
TOKEN = "a-token-for-tests-only"


async def by_cli(place: str, goal: telic.Goal, deed: ActionCase) -> None:
    words = [deed.action.value, goal.id, "--store", place, "--actor", "operator"]
    words += ["--note", deed.note] if deed.note else []
    if deed.budget:
        words += [deed.budget] if deed.action is GoalAction.SET_BUDGET else ["--budget", deed.budget]
    assert await asyncio.to_thread(command.run, words) == 0


async def by_chat(place: str, goal: telic.Goal, deed: ActionCase) -> None:
    said = f" --note '{deed.note}'" if deed.note else ""
    budget = f" --budget {deed.budget}" if deed.budget and deed.action is GoalAction.RESUME else f" {deed.budget}"
    async with telic.connect_async(place) as store:
        reply = await execute_async(store, f"/goal {deed.action} {goal.id}{budget}{said}", actor=ADA)
    assert reply.is_done, reply


async def by_mcp(place: str, goal: telic.Goal, deed: ActionCase) -> None:
    settings = ServerSettings(role=Role.OPERATOR)
    tool = "set_budget" if deed.action is GoalAction.SET_BUDGET else f"{deed.action}_goal"
    given = {"goal_id": goal.id} | ({"note": deed.note} if deed.note else {})
    given |= {"budget": [deed.budget]} if deed.budget else {}
    async with telic.connect_async(place) as store:
        answer = await ToolCalls(McpConversation(store, settings), tools_for(settings)).call(tool, given)
    assert answer.error is None, answer


async def over_http(place: str, method: str, path: str, **request: Any) -> httpx2.Response:
    settings = DashboardSettings(token=TOKEN, allow_write=True, actor_name=OPERATOR)
    async with telic.connect_async(place) as store:
        app = guarded(create_app(store, settings, api_routes(store, allow_write=True)))
        transport = httpx2.ASGITransport(app)
        async with httpx2.AsyncClient(transport=transport, base_url="http://127.0.0.1:8137") as http:
            if path.startswith("/api/"):
                headers = {"Authorization": f"Bearer {TOKEN}", "If-Match": f'"{request.pop("revision")}"'}
                return await http.request(method, path, headers=headers, **request)
            await http.post("/enter", data={"token": TOKEN})
            page = (await http.get(path.rpartition("/")[0])).text
            # A goal that has used up its budget has a form to resume with a larger one before the one for any budget.
            form = [form for form in re.findall(r"(?s)<form.*?</form>", page) if f'"{path}"' in form][-1]
            fields = dict(re.findall(r'<input[^>]*name="([^"]+)"[^>]*?value="([^"]*)"', form))
            return await http.post(path, data={**fields, **request["data"]})


async def by_api(place: str, goal: telic.Goal, deed: ActionCase) -> None:
    budget = {"tokens": 5_000}
    if deed.action is GoalAction.SET_BUDGET:
        method, body = "PUT", budget
    else:
        method, body = "POST", {"note": deed.note} if deed.note else {}
        body |= {"budget": budget} if deed.budget else {}
        body |= {"criterion": 1} if deed.action in (GoalAction.APPROVE, GoalAction.REJECT) else {}
    path = f"/api/v1/goals/{goal.id}/{deed.action}"
    answer = await over_http(place, method, path, revision=goal.revision, json=body)
    assert answer.status_code == 200, answer.text


async def by_dashboard(place: str, goal: telic.Goal, deed: ActionCase) -> None:
    data = {"note": deed.note, "tokens": deed.budget, "then": "resume" if deed.action is GoalAction.RESUME else ""}
    action = GoalAction.SET_BUDGET if deed.budget else deed.action
    answer = await over_http(place, "POST", f"/goals/{goal.id}/{action}", data=data)
    assert answer.status_code == 303, answer.text


KEYS = {GoalAction.PAUSE: "p", GoalAction.RESUME: "r", GoalAction.SET_BUDGET: "b", GoalAction.CLEAR: "c"}


async def by_top(place: str, goal: telic.Goal, deed: ActionCase) -> None:
    async with running(place, operator=OPERATOR) as top:
        await top.shows("the goal")
        if deed.action in (GoalAction.APPROVE, GoalAction.REJECT):
            await top.press("enter")
            await top.shows("1. pending")
        await top.press(KEYS.get(deed.action, "a" if deed.action is GoalAction.APPROVE else "x"))
        if deed.action is GoalAction.CLEAR:
            await top.shows("never becomes active again")
            await top.press("y")
        elif deed.budget:
            await top.shows("Limits")
            await top.press("ctrl+a", "ctrl+k")
            await top.type(deed.budget)
            await top.press("enter")
        else:
            await top.shows("Note, if any")
            await top.type(deed.note)
            await top.press("enter")
        await top.until(lambda _: revision_and_events(place, goal.id) > (goal.revision, 0))


def revision_and_events(place: str, goal_id: str) -> tuple[int, int]:
    """Both rise with an action; an answer adds an event alone."""
    with telic.connect(place) as store:
        kinds = [event.kind for event in store.events(goal_id)]
        return store.get(goal_id).revision, sum(kind in ("approved", "rejected") for kind in kinds)


NEEDS_A_PERSON = "an answer is given where a person reads the question"
NO_ANSWERS: dict[GoalAction, str] = dict.fromkeys((GoalAction.APPROVE, GoalAction.REJECT), NEEDS_A_PERSON)
SURFACES = (
    ActingSurface("cli", by_cli),
    ActingSurface("chat", by_chat, lacks=NO_ANSWERS),
    # A server of MCP knows its role, and nobody's name.
    ActingSurface("mcp", by_mcp, lacks=NO_ANSWERS, is_nameless=True),
    ActingSurface("api", by_api),
    ActingSurface("dashboard", by_dashboard),
    ActingSurface("top", by_top),
)
"""Each surface is one line; the contract does the rest."""


@pytest.mark.parametrize(
    ("surface", "deed"),
    [(surface, deed) for deed in DEEDS for surface in SURFACES if deed.action not in surface.lacks],
    ids=lambda part: part.door if isinstance(part, ActingSurface) else str(part),
)
async def test_an_action_is_the_same_through_every_surface(
    surface: ActingSurface, deed: ActionCase, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOGNAME", OPERATOR)
    assert await wrong_effects(surface, str(tmp_path / "goals.db"), deed) == []


async def test_the_contract_notices_what_a_surface_does_otherwise(tmp_path: Path) -> None:
    """Another note, another door, and an action that was left out."""

    async def act(place: str, goal: telic.Goal, deed: ActionCase) -> None:
        if deed.action is GoalAction.PAUSE:
            with telic.connect(place) as store:
                store.pause(goal.id, note="for coffee", actor=ADA)

    surface = ActingSurface("cli", act)
    pause, clear = ActionCase(GoalAction.PAUSE, note="for tea"), ActionCase(GoalAction.CLEAR)
    named = [line.partition(":")[0] for line in await wrong_effects(surface, str(tmp_path / "pause.db"), pause)]
    assert named == ["note", "history", "acted_by"]
    named = [line.partition(":")[0] for line in await wrong_effects(surface, str(tmp_path / "clear.db"), clear)]
    assert {"status", "revision", "history", "acted_by"} <= set(named)


def try_out(store: telic.GoalStore, action: GoalAction, goal: telic.Goal) -> None:
    """Ask the store itself."""
    match action:
        case GoalAction.EDIT:
            store.edit(goal.id, text="anew")
        case GoalAction.SET_BUDGET:
            store.set_budget(goal.id, telic.Budget(turns=3))
        case GoalAction.APPROVE | GoalAction.REJECT:
            store.approve(goal.id, 0, is_approved=action is GoalAction.APPROVE, decided_by="Ada")
        case _:
            getattr(store, action.value)(goal.id)


@pytest.mark.parametrize("status", telic.GoalStatus)
def test_what_fits_a_goal_is_what_the_store_does(status: telic.GoalStatus, tmp_path: Path) -> None:
    """Every action that the one table offers is done, and every other is refused."""
    for action in set(GoalAction) - {GoalAction.CREATE, GoalAction.WAKE}:
        with telic.connect(str(tmp_path / f"{action}.db")) as store:
            goal = store.create("the goal", criteria=[telic.Criterion.approval("Ship it?")])
            if status is not telic.GoalStatus.ACTIVE:
                goal = store.transition(goal.id, status)
            checks = store.overview(goal.id).criteria
            fits = action in fitting_actions(goal, checks)
            assert fits == (why_unfit(action, goal, checks) is None)
            if fits:
                try_out(store, action, goal)
            else:
                with pytest.raises((telic.InvalidTransition, telic.NotAllowed)):
                    try_out(store, action, goal)

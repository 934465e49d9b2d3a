"""All surfaces on which people act, as the contract acts through them: down to what a person types, or sends."""

import asyncio
import json
import re
from collections.abc import Mapping
from contextlib import redirect_stderr, redirect_stdout
from io import StringIO
from typing import Any
from unittest.mock import patch

import httpx2

import telic
from telic.domain.goal import DEFAULT_SCOPE, Goal
from telic.domain.lifecycle import NamedActor
from telic.interfaces.api.routes import api_routes
from telic.interfaces.cli import app as command
from telic.interfaces.mcp.calls import ToolCalls
from telic.interfaces.mcp.conversation import McpConversation, Role, ServerSettings
from telic.interfaces.mcp.tools import tools_for
from telic.interfaces.web.app import create_app, guarded
from telic.interfaces.web.settings import DashboardSettings
from telic.services.actions import ANSWERS, GoalAction
from telic.services.chat.commands import execute_async
from telic.services.chat.replies import ReplyKind
from telic.testing.surfaces import Acting, ActionCase, Answer
from telic.testing.surfaces.actions import OPERATOR, Situation
from tests.interfaces.top.screen import running

_TOKEN = "a-token-for-tests-only"
_TOKENS = {"5k": 5_000}
_ADA = NamedActor(telic.Actor.OPERATOR, OPERATOR, "chat")


def _named(goal: Goal | None) -> list[str]:
    return [] if goal is None else [goal.id]


async def _by_command(place: str, goal: Goal | None, case: ActionCase) -> Answer:
    case.meanwhile()
    words = [case.action.value, *_named(goal), *([case.text] if case.text else [])]
    words += ["--note", case.note] if case.note else []
    if case.budget:
        words += [case.budget] if case.action is GoalAction.SET_BUDGET else ["--budget", case.budget]
    words += ["--revision", str(goal.revision)] if case.is_guarded and goal else []
    words += ["--key", case.key] if case.key else []
    words += ["--replace"] if case.replaces else []
    return await asyncio.to_thread(_run, [*words, "--store", place, "--actor", "operator", "--json"])


def _run(words: list[str]) -> Answer:
    with (
        redirect_stdout(StringIO()),
        redirect_stderr(StringIO()) as errors,
        patch.dict("os.environ", {"LOGNAME": OPERATOR}),
    ):
        code = command.run(words)
    if code == 0:
        return Answer(is_done=True)
    error = json.loads(errors.getvalue())["error"]
    return Answer(is_done=False, status=code, code=error["code"], advice=error["hint"] or "")


async def _by_chat(place: str, goal: Goal | None, case: ActionCase) -> Answer:
    case.meanwhile()
    options = [f"--note '{case.note}'"] if case.note else []
    if case.budget:
        options += [case.budget if case.action is GoalAction.SET_BUDGET else f"--budget {case.budget}"]
    options += ["--replace"] if case.replaces else []
    line = " ".join(["/goal", case.action, *_named(goal), *options, *(["--", case.text] if case.text else [])])
    seen = goal.revision if case.is_guarded and goal else None
    async with telic.connect_async(place) as store:
        reply = await execute_async(store, line, actor=_ADA, expected_revision=seen, key=case.key)
    if reply.kind is ReplyKind.CONFIRM:
        return Answer(is_done=False, code="would_replace", advice=reply.steps[0].command)
    if reply.problem is None:
        return Answer(is_done=reply.is_done)
    return Answer(is_done=False, code=reply.problem.code, advice=reply.problem.advice)


async def _by_mcp(place: str, goal: Goal | None, case: ActionCase) -> Answer:
    settings = ServerSettings(role=Role.OPERATOR)
    tool = "set_budget" if case.action is GoalAction.SET_BUDGET else f"{case.action}_goal"
    given: dict[str, Any] = {} if goal is None else {"goal_id": goal.id}
    said = {"note": case.note, "text": case.text, "key": case.key, "budget": [case.budget] if case.budget else None}
    given |= {name: value for name, value in said.items() if value} | ({"replace": True} if case.replaces else {})
    async with telic.connect_async(place) as store:
        answer = await ToolCalls(McpConversation(store, settings), tools_for(settings)).call(tool, given)
    if answer.error is None:
        return Answer(is_done=True)
    return Answer(is_done=False, code=answer.error.code, advice=" ".join(answer.next))


async def _over_http(place: str, method: str, path: str, **request: Any) -> httpx2.Response:
    """Return the answer of a dashboard that serves the API too."""
    settings = DashboardSettings(token=_TOKEN, allow_write=True, actor_name=OPERATOR)
    async with telic.connect_async(place) as store:
        app = guarded(create_app(store, settings, api_routes(store, allow_write=True)))
        transport = httpx2.ASGITransport(app)
        async with httpx2.AsyncClient(transport=transport, base_url="http://127.0.0.1:8137") as http:
            if path.startswith("/api/"):
                headers = {"Authorization": f"Bearer {_TOKEN}", **request.pop("headers")}
                return await http.request(method, path, headers=headers, **request)
            await http.post("/enter", data={"token": _TOKEN})
            # Every page has the session's token, in the form by which it is left.
            page = (await http.get("/")).text
            form = re.search(r'name="token" value="([^"]+)"', page)
            assert form is not None
            return await http.request(method, path, data={"token": form[1], **request["data"]})


async def _by_api(place: str, goal: Goal | None, case: ActionCase) -> Answer:
    case.meanwhile()
    budget = {"tokens": _TOKENS[case.budget]} if case.budget else None
    body: dict[str, Any] = {"note": case.note, "text": case.text, "budget": budget, "replace": case.replaces}
    body["criterion"] = 1 if case.action in ANSWERS else None
    body = {name: value for name, value in body.items() if value}
    method, path = "POST", "/api/v1/goals" if goal is None else f"/api/v1/goals/{goal.id}/{case.action}"
    match case.action:
        case GoalAction.SET_BUDGET:
            method, body = "PUT", budget or {}
        case GoalAction.EDIT if goal is not None:
            method, path = "PATCH", f"/api/v1/goals/{goal.id}"
        case _:
            pass
    tag = {"If-Match": f'"{goal.revision}"'} if goal else {}
    key = {"Idempotency-Key": case.key.replace(" ", "-")} if case.key else {}
    answer = await _over_http(place, method, path, json=body, headers=tag | key)
    if answer.is_success:
        return Answer(is_done=True)
    problem = answer.json()
    return Answer(is_done=False, status=answer.status_code, code=problem["code"], advice=problem["hint"])


async def _by_dashboard(place: str, goal: Goal | None, case: ActionCase) -> Answer:
    assert goal is not None
    case.meanwhile()
    resumes = case.action is GoalAction.RESUME and case.budget
    action = GoalAction.SET_BUDGET if case.budget else case.action
    data: Mapping[str, Any] = {
        "form": "0" * 64,
        "revision": goal.revision,
        "criterion": 0,
        "note": case.note,
        "tokens": case.budget,
        "then": "resume" if resumes else "",
    }
    path = f"/goals/{goal.id}/{action}"
    answer = await _over_http(place, "POST", path, data=data)
    if case.replaces:
        assert answer.status_code == 409
        other = re.search(r'name="replace" value="([^"]+)"', answer.text)
        assert other is not None
        answer = await _over_http(place, "POST", path, data={**data, "replace": other[1]})
    is_done = answer.status_code == 303
    said = re.sub(r"<[^>]*>", " ", answer.text.partition("<main")[2])
    return Answer(is_done=is_done, status=None if is_done else answer.status_code, advice=" ".join(said.split()))


_KEYS = {
    GoalAction.PAUSE: "p",
    GoalAction.RESUME: "r",
    GoalAction.SET_BUDGET: "b",
    GoalAction.CLEAR: "c",
    GoalAction.APPROVE: "a",
    GoalAction.REJECT: "x",
}
_NOT_DONE = ("not done", "nothing was done")


async def _by_top(place: str, goal: Goal | None, case: ActionCase) -> Answer:
    assert goal is not None
    async with running(place, size=(200, 24), scope=DEFAULT_SCOPE, operator=OPERATOR) as top:
        await top.shows("the goal")
        if case.situation in (Situation.WOULD_REPLACE, Situation.REPLACING):
            # The newest stands first.
            await top.press("j")
        if case.action in ANSWERS:
            await top.press("enter")
            await top.shows("1. pending")
        await top.press(_KEYS[case.action])
        if case.situation is Situation.REFUSED:
            return Answer(is_done=False, advice=await top.shows("not done"))
        if case.action is GoalAction.CLEAR:
            await top.shows("never becomes active again")
            case.meanwhile()
            await top.press("y")
        elif case.budget:
            await top.shows("Limits")
            case.meanwhile()
            await top.press("ctrl+a", "ctrl+k")
            await top.type(case.budget)
            await top.press("enter")
        else:
            await top.shows("Note, if any")
            case.meanwhile()
            await top.type(case.note)
            await top.press("enter")
        if case.situation in (Situation.WOULD_REPLACE, Situation.REPLACING):
            asked = await top.shows("Pause it, and resume the other?")
            await top.press("y" if case.replaces else "escape")
            if not case.replaces:
                await top.shows("nothing was done")
                return Answer(is_done=False, advice=asked)
        before = (goal.revision, 0)
        said = await top.until(
            lambda screen: (
                any(word in screen for word in _NOT_DONE)
                or (case.situation is not Situation.STALE and _revision_and_answers(place, goal.id) > before)
            )
        )
    is_done = not any(word in said for word in _NOT_DONE)
    return Answer(is_done=is_done, advice=said)


def _revision_and_answers(place: str, goal_id: str) -> tuple[int, int]:
    """Both rise with an action; an answer adds an event alone."""
    with telic.connect(place) as store:
        kinds = [event.kind for event in store.events(goal_id)]
        return store.get(goal_id).revision, sum(kind in ("approved", "rejected") for kind in kinds)


_NEEDS_A_PERSON = dict.fromkeys(map(str, ANSWERS), "an answer is given where a person reads the question")
_WATCHED: dict[str, str] = dict.fromkeys(
    ("create", "edit", "complete", "wake"), "a screen acts on the goals that it shows, and defines none"
)
COMMAND = Acting("cli", _by_command)
CHAT = Acting("chat", _by_chat, lacks={**_NEEDS_A_PERSON, "wake": "a chat resumes what waits"})
# A server of MCP knows its role, and nobody's name.
MCP = Acting(
    "mcp",
    _by_mcp,
    lacks={
        **_NEEDS_A_PERSON,
        **dict.fromkeys(("edit", "complete", "wake"), "no tool of an operator's server"),
        "stale": "a call means the goal as it stands when it comes",
    },
    is_nameless=True,
)
API = Acting("api", _by_api)
DASHBOARD = Acting("dashboard", _by_dashboard, lacks=_WATCHED)
TOP = Acting("top", _by_top, lacks={**_WATCHED, "repeated": "a key that is pressed twice acts twice"})

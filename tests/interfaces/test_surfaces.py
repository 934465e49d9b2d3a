"""Every surface tells the same facts of every goal."""

import html
import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from mcp import Client
from mcp.shared.exceptions import MCPError
from mcp_types import TextContent
from starlette.requests import Request

import telic
from telic.domain import errors
from telic.domain.errors import (
    AmbiguousId,
    BudgetExceeded,
    GoalError,
    GoalNotFound,
    InvalidTransition,
    KeyConflict,
    LeaseHeld,
    OutcomeUnknown,
    PriceUnknown,
    StaleUpdate,
    TextTooLong,
    TurnConflict,
    WouldReplace,
)
from telic.domain.goal import Goal, GoalStatus
from telic.errors import MissingExtra
from telic.interfaces.api.answers import problem_answer
from telic.interfaces.cli.exit_codes import failure
from telic.interfaces.cli.goals import create
from telic.interfaces.mcp.conversation import Role, ServerSettings
from telic.interfaces.mcp.results import refusal
from telic.interfaces.mcp.server import GoalServer
from telic.interfaces.mcp.tools import tools_for
from telic.interfaces.terminal.formatting import refusal as refusal_on_screen
from telic.interfaces.web.app import create_app
from telic.interfaces.web.pages import show_goal_error
from telic.interfaces.web.settings import DashboardSettings
from telic.services.chat.commands import execute_async
from telic.services.chat.reply_text import render
from telic.services.outcomes import OUTCOMES, about
from telic.testing.surfaces import (
    FACTS,
    GOAL_NAMES,
    ROW_FACTS,
    Reading,
    ShownGoal,
    Surface,
    make_shown_goals,
    wrong_facts,
)
from tests.interfaces.surfaces import SURFACES


class Shown:
    """A store with all goals, and what each surface tells of them, read once."""

    def __init__(self, place: str) -> None:
        self.place = place
        with telic.connect(place) as store:
            self.goals: Mapping[str, ShownGoal] = make_shown_goals(store)
        self._all = [shown.goal for shown in self.goals.values()]
        self.readings = cache(self._readings)
        self.rows = cache(self._rows)

    def _readings(self, surface: str) -> Mapping[str, Reading]:
        return _NAMED[surface].read(self.place, self._all)

    def _rows(self, surface: str) -> Mapping[str, Reading]:
        return _NAMED[surface].rows(self.place, self._all)


_NAMED: Mapping[str, Surface] = {surface.name: surface for surface in SURFACES}


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> Shown:
    path: Path = tmp_path_factory.mktemp("surfaces") / "goals.db"
    return Shown(str(path))


@pytest.mark.parametrize("surface", _NAMED)
@pytest.mark.parametrize("name", GOAL_NAMES)
def test_a_surface_tells_how_a_goal_stands(shown: Shown, name: str, surface: str) -> None:
    """All its facts, and none of them otherwise than another surface does."""
    goal = shown.goals[name]
    reading = shown.readings(surface)[goal.goal.id]
    assert wrong_facts(_NAMED[surface], reading, goal, FACTS) == [], reading


@pytest.mark.parametrize("surface", _NAMED)
@pytest.mark.parametrize("name", GOAL_NAMES)
def test_a_list_tells_how_each_goal_stands(shown: Shown, name: str, surface: str) -> None:
    """In a row: status or reason, the first words, and who drives it."""
    goal = shown.goals[name]
    reading = shown.rows(surface)[goal.goal.id]
    assert wrong_facts(_NAMED[surface], reading, goal, ROW_FACTS) == [], reading


def _error(code: str, goal: Goal) -> GoalError:
    """Return an error of this code, whatever its kind is made of."""
    made = {
        "ambiguous_id": AmbiguousId("019a0000"),
        "budget_exceeded": BudgetExceeded("tokens", 120, 100),
        "goal_not_found": GoalNotFound("019a0000"),
        "invalid_transition": InvalidTransition(GoalStatus.COMPLETED, GoalStatus.ACTIVE),
        "key_conflict": KeyConflict("once"),
        "lease_held": LeaseHeld(goal.id, "worker-7", 1),
        "missing_extra": MissingExtra("this", "pricing"),
        "outcome_unknown": OutcomeUnknown("once"),
        "price_unknown": PriceUnknown("gpt", has_table=False),
        "stale_update": StaleUpdate(goal, 1),
        "text_too_long": TextTooLong("the text", 10),
        "turn_conflict": TurnConflict("once"),
        "would_replace": WouldReplace(goal, None),
    }
    kinds = {
        kind.code: kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, GoalError)
    }
    return made[code] if code in made else kinds[code]("it went wrong")


@pytest.mark.parametrize("code", OUTCOMES)
def test_an_error_means_the_same_everywhere(shown: Shown, code: str) -> None:
    """To a shell by its exit code, to programs by a status and its code, and to people by what went wrong."""
    error, outcome = _error(code, shown.goals["active"].goal), OUTCOMES[code]
    assert error.code == code
    exit_code, hint = failure(error, create)
    assert exit_code == outcome.exit_code
    assert hint or outcome.next_in_shell is None or "--" in outcome.next_in_shell
    answer = problem_answer(error)
    assert (answer.status_code, json.loads(answer.body)["code"]) == (outcome.http_status, code)
    assert json.loads(answer.body)["retryable"] is error.retryable
    told = refusal(error).as_result()
    assert told.is_error
    assert told.structured_content is not None
    assert told.structured_content["error"]["code"] == code
    assert told.structured_content["error"]["is_retryable"] is error.retryable
    assert json.loads(told.structured_content["error"]["message"]) == str(error)
    is_known = code != "outcome_unknown"
    assert ("may or may not have been done" in refusal_on_screen(error)) is not is_known
    assert ("not done" in refusal_on_screen(error) or "nothing was done" in refusal_on_screen(error)) is is_known


TOOLS = {role: set(tools_for(ServerSettings(role=role, agent_may_create=True))) for role in Role}


@pytest.mark.parametrize("code", OUTCOMES)
def test_a_model_reads_what_to_do_about_an_error(shown: Shown, code: str) -> None:
    """In the text and in the data, of which some hosts show one alone; by tools that it has, whatever its role."""
    error = _error(code, shown.goals["active"].goal)
    answer = refusal(error).as_result()
    (text,), data = answer.content, answer.structured_content
    assert data is not None
    assert isinstance(text, TextContent)
    (advice,) = data["next"]
    assert f"- {advice}" in text.text
    assert "/goal" not in advice
    assert advice.startswith("tell the user: ") or "telic " not in advice
    named = {name for name in TOOLS[Role.OPERATOR] | TOOLS[Role.AGENT] if name in advice}
    assert all(named <= tools for tools in TOOLS.values()), advice
    assert "again" in advice or "repeat" in advice or not error.retryable


@pytest.mark.parametrize("uri", ["goal://active/nothing", "goal://019a00000000", "goal://019a00000000/history"])
async def test_a_resource_that_is_not_there_comes_with_advice(shown: Shown, uri: str) -> None:
    """The protocol has errors without an answer: they say what to do as well."""
    async with (
        await telic.connect_async(shown.place, create=False) as store,
        Client(GoalServer(store, ServerSettings()).lowlevel) as client,
    ):
        with pytest.raises(MCPError) as refused:
            await client.read_resource(uri)
    (advice,) = refused.value.error.data["next"]
    assert advice in refused.value.error.message
    assert "list_goals" in advice or "description" in advice


class _Failing:
    """A store that answers every question with the error."""

    def __init__(self, error: GoalError) -> None:
        self._error = error

    async def find(self, _: str) -> Goal:
        raise self._error

    active = find


@pytest.mark.parametrize("code", sorted(set(OUTCOMES) - {"would_replace"}))
async def test_a_chat_says_what_an_error_means(shown: Shown, code: str) -> None:
    """Which it is, and what to do next; nothing of it is raised."""
    error: Any = _error(code, shown.goals["active"].goal)
    store: Any = _Failing(error)
    reply = await execute_async(store, "/goal status")
    assert reply.problem is not None
    assert (reply.problem.code, reply.problem.is_retryable) == (code, error.retryable)
    assert reply.problem.advice == about(OUTCOMES[code].next_in_chat, None) != ""
    text = render(reply)
    assert f"[{code}]" in text
    assert reply.problem.advice in text


@pytest.mark.parametrize("code", OUTCOMES)
async def test_a_page_says_what_an_error_means(shown: Shown, code: str) -> None:
    """With the status that the API answers too."""
    error = _error(code, shown.goals["active"].goal)
    async with await telic.connect_async(shown.place, create=False) as store:
        app = create_app(store, DashboardSettings(token="a-token-for-the-contract"))
        scope = {"type": "http", "method": "GET", "path": "/", "query_string": b"", "headers": [], "app": app}
        request = Request(scope | {"state": {"session": None}, "path_params": {}})
        answer = await show_goal_error(request, error)
    assert answer.status_code == OUTCOMES[code].http_status
    assert str(error)[1:] in html.unescape(bytes(answer.body).decode())

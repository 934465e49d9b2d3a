"""Every surface tells the same facts of every goal."""

from collections.abc import Mapping
from functools import cache
from pathlib import Path

import pytest
from mcp import Client
from mcp.shared.exceptions import MCPError
from mcp_types import TextContent

import telic
from telic.interfaces.mcp.conversation import Role, ServerSettings
from telic.interfaces.mcp.results import refusal
from telic.interfaces.mcp.server import GoalServer
from telic.interfaces.mcp.tools import tools_for
from telic.interfaces.terminal.formatting import refusal as refusal_on_screen
from telic.services.next_steps import next_on_screen
from telic.testing.surfaces import (
    ERROR_CODES,
    FACTS,
    GOAL_NAMES,
    ROW_FACTS,
    Answer,
    Explaining,
    Reading,
    ShownGoal,
    Surface,
    error_of,
    make_shown_goals,
    wrong_facts,
    wrong_meaning,
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
        read = _NAMED[surface].read
        return {} if read is None else read(self.place, self._all)

    def _rows(self, surface: str) -> Mapping[str, Reading]:
        rows = _NAMED[surface].rows
        return {} if rows is None else rows(self.place, self._all)


_NAMED: Mapping[str, Surface] = {surface.name: surface for surface in SURFACES}


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> Shown:
    path: Path = tmp_path_factory.mktemp("surfaces") / "goals.db"
    return Shown(str(path))


@pytest.mark.parametrize("surface", [name for name, each in _NAMED.items() if each.read])
@pytest.mark.parametrize("name", GOAL_NAMES)
def test_a_surface_tells_how_a_goal_stands(shown: Shown, name: str, surface: str) -> None:
    """All its facts, and none of them otherwise than another surface does."""
    goal = shown.goals[name]
    reading = shown.readings(surface)[goal.goal.id]
    assert wrong_facts(_NAMED[surface], reading, goal, FACTS) == [], reading


@pytest.mark.parametrize("surface", [name for name, each in _NAMED.items() if each.read])
@pytest.mark.parametrize("name", GOAL_NAMES)
def test_a_list_tells_how_each_goal_stands(shown: Shown, name: str, surface: str) -> None:
    """In a row: status or reason, the first words, and who drives it."""
    goal = shown.goals[name]
    reading = shown.rows(surface)[goal.goal.id]
    assert wrong_facts(_NAMED[surface], reading, goal, ROW_FACTS) == [], reading


@pytest.mark.parametrize(
    ("surface", "code"),
    [
        (each.name, code)
        for each in SURFACES
        for code in ERROR_CODES
        if each.explaining and code not in each.explaining.leaves_out
    ],
)
async def test_an_error_means_the_same_everywhere(shown: Shown, surface: str, code: str) -> None:
    """By its exit code or its HTTP status, by its own code, and by what to do next."""
    explaining = _NAMED[surface].explaining
    assert explaining is not None
    assert await wrong_meaning(explaining, shown.place, error_of(code, shown.goals["active"].goal)) == []


async def test_the_contract_notices_what_a_surface_says_otherwise(shown: Shown) -> None:
    """Another exit code, another error, and no advice or another's."""

    async def explain(_: str, __: telic.GoalError) -> Answer:
        return Answer(is_done=True, status=3, code="goal_not_found", advice="look elsewhere")

    error = error_of("stale_update", shown.goals["active"].goal)
    faults = await wrong_meaning(Explaining(explain, "exit_code", next_on_screen), shown.place, error)
    assert [fault.partition(":")[0] for fault in faults] == ["answer", "status", "code", "advice"]


@pytest.mark.parametrize("code", ERROR_CODES)
def test_a_screen_says_whether_it_is_known_what_was_done(shown: Shown, code: str) -> None:
    said = refusal_on_screen(error_of(code, shown.goals["active"].goal))
    assert ("may or may not have been done" in said) is (code == "outcome_unknown")
    assert ("not done" in said) is (code != "outcome_unknown")


@pytest.mark.parametrize("code", ERROR_CODES)
def test_no_screen_tells_a_command(shown: Shown, code: str) -> None:
    """What can be done about an error on a page, on a screen and over HTTP names nothing that is typed elsewhere."""
    step = next_on_screen(error_of(code, shown.goals["active"].goal))
    assert "/goal" not in step
    assert "{" not in step


TOOLS = {role: set(tools_for(ServerSettings(role=role, agent_may_create=True))) for role in Role}


@pytest.mark.parametrize("code", ERROR_CODES)
def test_a_model_reads_what_to_do_about_an_error(shown: Shown, code: str) -> None:
    """In the text and in the data, of which some hosts show one alone; by tools that it has, whatever its role."""
    error = error_of(code, shown.goals["active"].goal)
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

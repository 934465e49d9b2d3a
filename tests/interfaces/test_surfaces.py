"""Every surface tells the same facts of every goal."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest
from mcp import Client
from mcp.shared.exceptions import MCPError

import telic
from telic.interfaces.mcp.conversation import Role, ServerSettings
from telic.interfaces.mcp.server import GoalServer
from telic.interfaces.mcp.tools import tools_for
from telic.interfaces.terminal.formatting import refusal as refusal_on_screen
from telic.services.next_steps import next_on_screen
from telic.testing.surfaces import (
    ERROR_CODES,
    FACTS,
    ROW_FACTS,
    Answer,
    Explaining,
    Fact,
    Reader,
    ShownGoal,
    Surface,
    error_of,
    make_shown_goals,
    wrong_facts,
    wrong_meaning,
)
from tests.interfaces.explaining import MCP
from tests.interfaces.surfaces import SURFACES


class Shown:
    """A store with all goals."""

    def __init__(self, place: str) -> None:
        self.place = place
        with telic.connect(place) as store:
            self.goals: Mapping[str, ShownGoal] = make_shown_goals(store)

    def faults(self, surface: Surface, read: Reader, facts: Sequence[Fact]) -> list[str]:
        """What the surface tells wrongly of all goals, read once."""
        readings = read(self.place, [shown.goal for shown in self.goals.values()])
        return [
            f"{name}: {fault}"
            for name, shown in self.goals.items()
            for fault in wrong_facts(surface, readings[shown.goal.id], shown, facts)
        ]


_NAMED: Mapping[str, Surface] = {surface.name: surface for surface in SURFACES}


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> Shown:
    path: Path = tmp_path_factory.mktemp("surfaces") / "goals.db"
    return Shown(str(path))


READING = [pytest.param(each, each.read, each.rows, id=each.name) for each in SURFACES if each.read and each.rows]


@pytest.mark.parametrize(("surface", "read", "rows"), READING)
def test_a_surface_tells_how_each_goal_stands(shown: Shown, surface: Surface, read: Reader, rows: Reader) -> None:
    """All its facts, and none of them otherwise than another surface does."""
    assert shown.faults(surface, read, FACTS) == []


@pytest.mark.parametrize(("surface", "read", "rows"), READING)
def test_a_list_tells_how_each_goal_stands(shown: Shown, surface: Surface, read: Reader, rows: Reader) -> None:
    """In a row: status or reason, the first words, and who drives it."""
    assert shown.faults(surface, rows, ROW_FACTS) == []


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
async def test_a_model_reads_what_to_do_about_an_error(shown: Shown, code: str) -> None:
    """In the text and in the data, of which some hosts show one alone; by tools that it has, whatever its role."""
    error = error_of(code, shown.goals["active"].goal)
    advice = (await MCP.explain(shown.place, error)).advice
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

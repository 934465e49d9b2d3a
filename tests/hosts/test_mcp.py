"""Telic's MCP server in real coding hosts: what their models get to read."""

import json
from typing import Any

import pytest

from tests.hosts.claude_code import CLAUDE_CODE, MODE
from tests.hosts.codex import CODEX
from tests.hosts.copilot_cli import COPILOT_CLI
from tests.hosts.gemini_cli import GEMINI_CLI
from tests.hosts.host import MCP, Host, named
from tests.hosts.install import INSPECTOR
from tests.hosts.opencode import OPENCODE
from tests.hosts.play import REPAIR, Play, Step, runs, uses
from tests.hosts.qwen_code import QWEN_CODE
from tests.hosts.world import TEXT, Bill, World
from tests.support.wire_formats import Reply
from tests.support.wire_server import Asked

HOSTS = (CLAUDE_CODE, CODEX, GEMINI_CLI, COPILOT_CLI, OPENCODE, QWEN_CODE)
FAILURE = "add(2, 3) is not 5"
"""What the goal's check prints when it fails."""
CONNECTED = {CLAUDE_CODE: "✔ Connected", GEMINI_CLI: "✓ telic", OPENCODE: "✓ telic", QWEN_CODE: "- Connected"}
"""What hosts that connect to their servers to list them say of one that answers."""
TOOLS = ("get_goal", "report_progress", "report_complete", "list_goals")


def of_telic(ending: str, **arguments: Any) -> Step:
    """It calls Telic's tool: Codex has a `get_goal` of its own."""

    def step(asked: Asked) -> Reply:
        tool = next(name for name in asked.tools if name.endswith(ending) and "telic" in name)
        return Reply(text=f"I call {ending}.", calls=((tool, arguments),))

    return step


def waits_for_the_tools(asked: Asked) -> Reply | None:
    """Some hosts begin before their servers have started, and Qwen Code hides tools until they are searched for."""
    if any(name.endswith("report_complete") for name in asked.tools):
        return None
    if "tool_search" in asked.tools:
        return uses("tool_search", query=f"select:{','.join(f'mcp__telic__{name}' for name in TOOLS)}")(asked)
    return runs("sleep 3", "I wait for the tools.")(asked)


def conversation(goal: str) -> Play:
    steps = [
        of_telic("get_goal"),
        of_telic("report_progress", goal_id=goal, key="k1", input_tokens=400, output_tokens=100),
        of_telic("report_complete", goal_id=goal, summary="I think it is done", key="k2"),
        runs(REPAIR),
        of_telic("report_complete", goal_id=goal, summary="repaired calc.py", key="k3"),
        of_telic("list_goals"),
    ]
    return Play(main=steps, unless=waits_for_the_tools)


@named(*HOSTS, fast=[CLAUDE_CODE, CODEX])
def test_a_model_steers_its_goal_and_reads_what_failed(world: World, host: Host) -> None:
    """It sees the goal; a false report is answered with the check's own output; a true one is verified."""
    host.prepare(world)
    world.follow(conversation(world.create("billing")))
    host.serve_goals(world, "billing")
    ended = world.execute(*host.ask("Use the tools."))
    assert ended.code == 0, ended
    world.require_verified()
    assert world.billed() == Bill(400, 0, 100), "what the model reported is what was counted"
    read = [each.asked.newest for each in world.play.told]
    assert any(TEXT in text for text in read), read
    assert any(FAILURE in text for text in read), read


@named(CLAUDE_CODE, CODEX)
def test_a_model_reads_the_goal_as_a_resource(world: World, host: Host) -> None:
    """The host's own tools list and read it."""
    listing, reading = (
        ("ListMcpResourcesTool", "ReadMcpResourceTool")
        if host is CLAUDE_CODE
        else ("list_mcp_resources", "read_mcp_resource")
    )
    world.follow(Play(main=[uses(listing, server="telic"), uses(reading, server="telic", uri="goal://active")]))
    host.prepare(world)
    world.create("billing")
    host.serve_goals(world, "billing")
    ended = world.execute(*host.ask("Use the resources."))
    assert ended.code == 0, ended
    listed, read = (each.asked.newest for each in world.play.told[1:3])
    assert "goal://active" in listed
    assert TEXT in read


@named(CLAUDE_CODE)
def test_a_prompt_is_a_command_of_the_host(world: World, host: Host) -> None:
    """`/mcp__telic__continue_goal` puts the goal into the conversation."""
    world.follow(Play(main=()))
    CLAUDE_CODE.prepare(world)
    world.create("billing")
    CLAUDE_CODE.serve_goals(world, "billing")
    ended = world.execute("claude", "-p", "/mcp__telic__continue_goal", *MODE)
    assert ended.code == 0, ended
    assert TEXT in world.play.told[0].asked.text


@named(*CONNECTED)
def test_a_host_lists_the_server_as_connected_while_its_store_is_there(world: World, host: Host) -> None:
    """Without its store the server does not answer, and makes none."""
    host.prepare(world)
    world.create("billing")
    host.serve_goals(world, "billing")
    # Some hosts give a server few seconds to begin, however busy the machine is.
    world.wait_for(lambda: CONNECTED[host] in _list_of_servers(world, host), "a server that is connected")
    world.store.rename(world.folder / "moved.db")
    listed = _list_of_servers(world, host)
    assert "telic" in listed
    assert CONNECTED[host] not in listed
    assert not world.store.exists()


def _list_of_servers(world: World, host: Host) -> str:
    ended = world.execute(host.name, "mcp", "list")
    assert ended.code == 0, ended
    return ended.output + ended.errors


def inspect(world: World, method: str, *arguments: str) -> dict[str, Any]:
    """Return what the server answers to one request."""
    server = ("telic", *MCP, "billing", "-e", f"TELIC_STORE={world.store}")
    ended = world.execute(INSPECTOR, "--cli", *server, "--method", method, *arguments)
    assert ended.code == 0, ended
    answer: dict[str, Any] = json.loads(ended.output)
    return answer


@pytest.mark.parametrize("_program", [INSPECTOR])
def test_the_protocols_own_client_lists_and_reads_everything(world: World, _program: str) -> None:
    """Tools, resources, their templates and prompts."""
    goal = world.create("billing")
    tools = inspect(world, "tools/list")["tools"]
    assert {tool["name"] for tool in tools} == {*TOOLS, "report_blocked"}
    assert all(tool["description"] and tool["inputSchema"]["properties"] for tool in tools)
    resources = {each["uri"] for each in inspect(world, "resources/list")["resources"]}
    assert resources == {"goal://active", f"goal://{goal}", f"goal://{goal}/history"}
    templates = inspect(world, "resources/templates/list")["resourceTemplates"]
    assert {each["uriTemplate"] for each in templates} == {"goal://{id}", "goal://{id}/history"}
    assert TEXT in str(inspect(world, "resources/read", "--uri", "goal://active"))
    assert {each["name"] for each in inspect(world, "prompts/list")["prompts"]} == {"continue_goal", "review_goal"}
    assert TEXT in str(inspect(world, "prompts/get", "--prompt-name", "continue_goal"))


@pytest.mark.fast
@pytest.mark.parametrize("_program", [INSPECTOR])
def test_a_failed_check_is_in_the_text_and_in_the_data(world: World, _program: str) -> None:
    """Hosts give their models only one of them."""
    world.create("billing")
    assert TEXT in str(inspect(world, "tools/call", "--tool-name", "get_goal"))
    arguments = ("summary=done", "revision=1", "key=k1")
    answer = inspect(world, "tools/call", "--tool-name", "report_complete", "--tool-arg", *arguments)
    assert FAILURE in answer["content"][0]["text"]
    (check,) = answer["structuredContent"]["checks"]
    assert check["outcome"] == "failed"
    assert FAILURE in check["output_tail"]
    assert FAILURE in answer["structuredContent"]["message"]


@pytest.mark.parametrize("content", [None, "this is no database, and never was one"], ids=["missing", "garbage"])
def test_a_store_that_is_not_there_is_named(world: World, content: str | None) -> None:
    """The server ends with a message instead of making an empty store."""
    store = world.folder / "elsewhere" / "goals.db"
    if content is not None:
        store.parent.mkdir()
        store.write_text(content)
    ended = world.execute("telic", "mcp", "--scope", "billing", TELIC_STORE=str(store))
    assert ended.code == 9, ended
    assert str(store) in ended.errors
    assert store.exists() == (content is not None)


@named(CODEX)
def test_a_server_without_a_named_store_makes_none(world: World, host: Host) -> None:
    """Codex gives servers few variables: one without a named store says where it looked, and makes none."""
    world.follow(Play(main=[uses("get_goal")]))
    CODEX.prepare(world)
    world.create("billing")
    server = '[mcp_servers.telic]\ncommand = "telic"\nargs = ["mcp", "--scope", "billing", "--workspace", "."]\n'
    CODEX.configure(world, "", server)
    world.execute(*CODEX.ask("Use the tools."))
    assert not list(world.home.rglob("goals.db*")), "an empty store was made"

"""One life of a goal in every framework: worked on, lost, resumed, spent, raised, refused, mended, verified."""

import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

import telic
from tests.integrations.place import SCOPE, Place, command, responses, work
from tests.support.wire_formats import MODEL, Reply, calls, says
from tests.support.wire_server import WireServer

ADAPTERS = ["openai_agents", "pydantic_ai", "langchain", "claude_agent", "adk"]


def tool_name(adapter: str, name: str) -> str:
    """Claude Code names tools after their servers."""
    if adapter != "claude_agent":
        return name
    return f"mcp__{'own' if name == 'fix' else 'goal'}__{name}"


ROOT = Path(__file__).parents[2]


def lose_a_process(adapter: str, place: Place, server: WireServer) -> None:
    """It began to work, and was killed while its third call went on."""
    lost = subprocess.Popen(command(adapter, place, "Please begin."), cwd=ROOT)
    try:
        server.wait_for(3)
    finally:
        lost.kill()
        lost.wait()


@pytest.mark.parametrize("adapter", ADAPTERS)
async def test_a_goal_lives_through_everything(
    adapter: str, place: Place, server: WireServer, goals: telic.AsyncGoalStore
) -> None:
    done = telic.Criterion.command(["test", "-f", "done.txt"])
    goal = await goals.create("Write done.txt", scope=SCOPE, token_budget=3_500, criteria=[done])

    server.script = [says("one step"), says("two steps"), Reply(hangs=True)]
    lose_a_process(adapter, place, server)
    assert (await goals.get(goal.id)).usage.tokens == 2_100

    server.script = [says("three steps"), says("four steps"), says("never asked for")]
    await work(adapter, place)
    spent = await goals.get(goal.id)
    assert (spent.status, spent.reason, spent.usage.tokens) == (
        telic.GoalStatus.PAUSED,
        telic.Reason.BUDGET,
        4_200,
    )
    assert len(server.script) == 1

    await goals.resume(goal.id, budget=telic.Budget(tokens=20_000))
    server.script = [
        calls(tool_name(adapter, "report_complete"), summary="It is done."),
        says("It is not done."),
        calls(tool_name(adapter, "fix")),
        calls(tool_name(adapter, "report_complete"), summary="Now it is."),
        says("never asked for"),
    ]
    await work(adapter, place)
    ended = await goals.get(goal.id)
    assert (ended.status, ended.reason) == (telic.GoalStatus.COMPLETED, telic.Reason.VERIFIED)
    assert len(server.script) == 1
    turns = await responses(goals, goal.id)
    spent_once = telic.TurnUsage(
        tokens=1_050, input_tokens=1_000, cached_input_tokens=400, output_tokens=50, reasoning_tokens=20
    )
    assert [(replace(turn.usage, active_microseconds=0), turn.model) for turn in turns] == [(spent_once, MODEL)] * 8
    assert ended.usage.turns == 8

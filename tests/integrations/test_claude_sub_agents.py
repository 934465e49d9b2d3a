"""Sub-agents of Claude Code tell of no response of theirs: the ledger equals the result's sum all the same."""

from dataclasses import replace

import pytest
from claude_agent_sdk import AgentDefinition, ClaudeAgentOptions

import telic
from telic.integrations.claude_agent import ClaudeGoal
from tests.integrations.claude_agent_agent import options_of
from tests.integrations.place import SCOPE, Place
from tests.support.wire_formats import Reply, Spent, calls, says
from tests.support.wire_server import WireServer

ASKS = calls("Agent", description="helps", prompt="Do it.", subagent_type="helper", run_in_background=False)
ANSWERS = Reply(text="of the sub-agent", spent=Spent(input=500, cached=100, output=30, reasoning=5))
DONE = calls("mcp__goal__report_complete", summary="done")


def with_helper(place: Place, **given: object) -> ClaudeAgentOptions:
    options = options_of(place)
    helper = AgentDefinition(description="helps", prompt="Help.", tools=[])
    allowed = [*options.allowed_tools, "Agent"]
    return replace(options, tools=["Agent"], allowed_tools=allowed, agents={"helper": helper}, **given)


def kinds(turns: list[telic.Turn]) -> list[tuple[telic.UsageKind, int]]:
    return [(turn.kind, turn.usage.tokens) for turn in turns]


async def test_sub_agents_are_billed_once_in_each_run_of_a_session(
    place: Place, server: WireServer, goals: telic.AsyncGoalStore
) -> None:
    """Two runs, of which the second resumes the first: its result counts the first one's again."""
    goal = await goals.create("A goal", scope=SCOPE)
    server.script = [ASKS, ANSWERS, says("one"), ASKS, ANSWERS, ASKS, ANSWERS, DONE]
    adapter = ClaudeGoal(goals, scope=SCOPE, settings=place.settings())
    outcome = await adapter.run("Begin.", options=with_helper(place))
    assert outcome.goal is not None
    assert outcome.result is not None
    assert outcome.goal.status is telic.GoalStatus.COMPLETED
    work, side = (telic.UsageKind.WORK, 1_050), telic.UsageKind.SUB_AGENT
    turns = list(await goals.turns(goal.id))
    assert kinds(turns) == [work, work, (side, 530), work, work, work, (side, 1_060)]
    total = outcome.result.result.model_usage["model-of-the-tests"]
    ended = await goals.get(goal.id)
    assert ended.usage.input_tokens == total["inputTokens"] + total["cacheReadInputTokens"]
    assert ended.usage.cached_input_tokens == total["cacheReadInputTokens"]
    assert ended.usage.output_tokens == total["outputTokens"]
    assert ended.usage.turns == 5


@pytest.mark.parametrize("asks", [True, False])
async def test_a_session_that_another_process_began(
    asks: bool, place: Place, server: WireServer, goals: telic.AsyncGoalStore
) -> None:
    """What it had used before is unknown, so its sub-agents' share is: recorded as such, and a hold is kept."""
    goal = await goals.create("A goal", scope=SCOPE, token_budget=100_000)
    server.script = [ASKS, ANSWERS, says("one")]
    settings = place.settings(max_runs=1)
    first = await ClaudeGoal(goals, scope=SCOPE, settings=settings).run("Begin.", options=with_helper(place))
    assert first.result is not None
    before = list(await goals.turns(goal.id))
    server.script = [ASKS, ANSWERS, says("two")] if asks else [says("two")]
    again = with_helper(place, resume=first.result.session_id)
    await ClaudeGoal(goals, scope=SCOPE, settings=settings).run("Go on.", options=again)
    found = kinds(list(await goals.turns(goal.id))[len(before) :])
    work = (telic.UsageKind.WORK, 1_050)
    assert found == ([work, work, (telic.UsageKind.SUB_AGENT, 0)] if asks else [work])
    held = [hold for hold in await goals.holds(goal.id) if hold.state is telic.HoldState.OPEN]
    assert len(held) == asks

"""Sub-agents of Claude Code, in the foreground and in the background, which is its default: held, billed, and heard."""

import asyncio
import threading
from dataclasses import replace
from pathlib import Path

import pytest
from claude_agent_sdk import AgentDefinition, ClaudeAgentOptions

import telic
from telic.integrations.claude_agent import ClaudeGoal
from telic.pricing import Price
from tests.integrations.claude_agent_agent import options_of
from tests.integrations.place import SCOPE, Place
from tests.support.wire_formats import MODEL, Reply, Spent, calls, says
from tests.support.wire_server import Asked, WireServer

ADVISOR = "claude-advisor-of-the-tests"
HELPER = "You are the helper."
ASKS = calls("Agent", description="helps", prompt="Do it.", subagent_type="helper")
ASKS_AND_WAITS = calls("Agent", description="helps", prompt="Do it.", subagent_type="helper", run_in_background=False)
ANSWERS = Reply(text="of the sub-agent", spent=Spent(input=500, cached=100, output=30, reasoning=5))
DONE = calls("mcp__goal__report_complete", summary="done")
WORK, SIDE = (telic.UsageKind.WORK, 1_050), (telic.UsageKind.SUB_AGENT, 530)


def with_helper(place: Place, *tools: str, **given: object) -> ClaudeAgentOptions:
    options = options_of(place)
    helper = AgentDefinition(description="helps", prompt=HELPER, tools=list(tools))
    allowed = [*options.allowed_tools, "Agent"]
    return replace(options, tools=["Agent"], allowed_tools=allowed, agents={"helper": helper}, **given)


def is_helper(asked: Asked) -> bool:
    return HELPER in str(asked.body.get("system"))


def helpers(server: WireServer, *replies: Reply) -> list[Reply]:
    """The helper's requests get these replies, one after the other; those of the conversation follow the script."""
    left = list(replies)
    server.answer_first(lambda asked: left.pop(0) if left and is_helper(asked) else None)
    return left


def kinds(turns: list[telic.Turn]) -> list[tuple[telic.UsageKind, int]]:
    """Of each response; the lines without tokens have what the command says that they cost."""
    return [(turn.kind, turn.usage.tokens) for turn in turns if turn.usage.tokens]


async def test_sub_agents_are_billed_once_in_each_run_of_a_session(
    place: Place, server: WireServer, goals: telic.AsyncGoalStore
) -> None:
    """Two runs, of which the second resumes the first: its result counts the first one's again."""
    goal = await goals.create("A goal", scope=SCOPE)
    helpers(server, ANSWERS, ANSWERS, ANSWERS)
    server.script = [ASKS_AND_WAITS, says("one"), ASKS_AND_WAITS, ASKS_AND_WAITS, DONE]
    adapter = ClaudeGoal(goals, scope=SCOPE, settings=place.settings())
    outcome = await adapter.run("Begin.", options=with_helper(place))
    assert outcome.goal is not None
    assert outcome.result is not None
    assert outcome.goal.status is telic.GoalStatus.COMPLETED
    assert sorted(kinds(list(await goals.turns(goal.id)))) == sorted([WORK] * 5 + [SIDE] * 3)
    total = outcome.result.result.model_usage["model-of-the-tests"]
    ended = await goals.get(goal.id)
    assert ended.usage.input_tokens == total["inputTokens"] + total["cacheReadInputTokens"]
    assert ended.usage.cached_input_tokens == total["cacheReadInputTokens"]
    assert ended.usage.output_tokens == total["outputTokens"]
    assert ended.usage.turns == 5


async def test_a_run_lasts_until_its_background_agents_have_ended_and_answered(
    place: Place, server: WireServer, goals: telic.AsyncGoalStore
) -> None:
    """The conversation has nothing left to say when the sub-agent ends, and hears its answer all the same."""
    goal = await goals.create("A goal", scope=SCOPE)
    said_enough = threading.Event()
    helpers(server, replace(ANSWERS, before=lambda: said_enough.wait(60)))
    server.script = [ASKS, says("I wait."), DONE]
    adapter = ClaudeGoal(goals, scope=SCOPE, settings=place.settings(max_runs=1))

    def look(message: object) -> None:
        if type(message).__name__ == "ResultMessage":
            said_enough.set()

    await adapter.run("Begin.", options=with_helper(place), on_message=look)
    assert "of the sub-agent" in server.asked[-1].text
    assert sorted(kinds(list(await goals.turns(goal.id)))) == sorted([WORK] * 3 + [SIDE])
    assert [hold for hold in await goals.holds(goal.id) if hold.state is telic.types.HoldState.OPEN] == []


async def test_what_goes_on_when_a_goal_completes_is_billed_and_nothing_else_begins(
    place: Place, server: WireServer, goals: telic.AsyncGoalStore
) -> None:
    goal = await goals.create("A goal", scope=SCOPE)
    is_completed = threading.Event()
    helpers(server, replace(ANSWERS, before=lambda: is_completed.wait(60)))
    server.script = [ASKS, DONE]
    adapter = ClaudeGoal(goals, scope=SCOPE, settings=place.settings())

    def look(message: object) -> None:
        if type(message).__name__ == "ResultMessage":
            is_completed.set()

    await adapter.run("Begin.", options=with_helper(place), on_message=look)
    assert (await goals.get(goal.id)).status is telic.GoalStatus.COMPLETED
    assert sorted(kinds(list(await goals.turns(goal.id)))) == sorted([WORK, WORK, SIDE])
    assert len(server.asked) == 3


async def test_a_budget_that_a_background_agent_reaches_stops_it_and_the_conversation(
    place: Place, server: WireServer, goals: telic.AsyncGoalStore
) -> None:
    """The sub-agent would use its tool for ever; the conversation is told nothing more once it has ended."""
    goal = await goals.create("A goal", scope=SCOPE, token_budget=4_000)
    uses = Reply(calls=(("mcp__own__fix", {}),), spent=ANSWERS.spent)
    helpers(server, *[uses] * 30)
    server.script = [ASKS, says("I wait."), says("never asked for")]
    adapter = ClaudeGoal(goals, scope=SCOPE, settings=place.settings())
    await adapter.run("Begin.", options=with_helper(place, "mcp__own__fix"))
    ended = await goals.get(goal.id)
    assert (ended.status, ended.reason) == (telic.GoalStatus.PAUSED, telic.Reason.BUDGET)
    assert len(server.script) == 1
    turns = kinds(list(await goals.turns(goal.id)))
    assert turns.count(WORK) == 2
    assert turns.count(SIDE) == sum(is_helper(asked) for asked in server.asked)
    # Beyond the budget there are only calls that were under way, of which a loaded machine sees more.
    assert ended.usage.tokens < 4_000 + 10 * 530


async def test_a_pause_ends_background_agents_and_estimates_what_their_calls_cost(
    place: Place, server: WireServer, goals: telic.AsyncGoalStore
) -> None:
    goal = await goals.create("A goal", scope=SCOPE, token_budget=100_000)
    helpers(server, Reply(hangs=True))
    server.script = [ASKS, Reply(hangs=True)]
    adapter = ClaudeGoal(goals, scope=SCOPE, settings=place.settings())
    running = asyncio.create_task(adapter.run("Begin.", options=with_helper(place)))
    await asyncio.to_thread(server.wait_for, 3)
    await goals.pause(goal.id)
    async with asyncio.timeout(60):
        outcome = await running
    assert outcome.goal is not None
    assert outcome.goal.status is telic.GoalStatus.PAUSED
    turns = list(await goals.turns(goal.id))
    assert [kind for kind, _tokens in kinds(turns)].count(telic.UsageKind.SUB_AGENT) == 1
    assert len(kinds(turns)) == 3
    assert len(server.asked) == 3


@pytest.mark.parametrize("forks", [False, True])
async def test_a_session_that_another_process_began_counts_what_this_one_used(
    forks: bool, place: Place, server: WireServer, goals: telic.AsyncGoalStore
) -> None:
    goal = await goals.create("A goal", scope=SCOPE, token_budget=100_000)
    helpers(server, ANSWERS, ANSWERS)
    server.script = [ASKS_AND_WAITS, says("one"), ASKS_AND_WAITS, says("two"), says("three")]
    first = await ClaudeGoal(goals, scope=SCOPE, settings=place.settings(max_runs=1)).run(
        "Begin.", options=with_helper(place)
    )
    assert first.result is not None
    before = list(await goals.turns(goal.id))
    again = with_helper(place, resume=first.result.session_id, fork_session=forks)
    second = await ClaudeGoal(goals, scope=SCOPE, settings=place.settings(max_runs=2)).run("Go on.", options=again)
    assert second.result is not None
    assert (second.result.session_id == first.result.session_id) is not forks
    found = kinds(list(await goals.turns(goal.id))[len(before) :])
    assert sorted(found) == sorted([WORK, SIDE, WORK, WORK])


async def test_a_response_that_breaks_off_is_no_known_usage(
    place: Place, server: WireServer, goals: telic.AsyncGoalStore
) -> None:
    """The command tries again by itself: what broke off is an estimate beside the response that came."""
    goal = await goals.create("A goal", scope=SCOPE, token_budget=100_000)
    server.script = [replace(says("one"), cut_after=3), DONE]
    options = options_of(place)
    retrying = replace(options, env=options.env | {"CLAUDE_CODE_MAX_RETRIES": "2"})
    await ClaudeGoal(goals, scope=SCOPE, settings=place.settings()).run("Begin.", options=retrying)
    lines = [line for line in await goals.turns(goal.id) if line.usage.tokens]
    assert sorted(line.is_estimate for line in lines) == [False, True]
    assert [line.usage.tokens for line in lines if not line.is_estimate] == [1_050]


async def test_an_advisors_answer_and_a_compaction_are_billed_beside_their_response(
    place: Place, server: WireServer, goals: telic.AsyncGoalStore
) -> None:
    """The response's own counts leave both out; each has the price of the model that made it, and is no turn."""
    goal = await goals.create("A goal", scope=SCOPE)
    advised = Spent(
        steps=(
            {"type": "message", "input_tokens": 600, "cache_read_input_tokens": 400, "output_tokens": 50},
            {"type": "advisor_message", "model": ADVISOR, "input_tokens": 5_000, "output_tokens": 200},
        )
    )
    compacted = Spent(
        steps=(
            {"type": "compaction", "input_tokens": 7_000, "output_tokens": 300},
            {"type": "message", "input_tokens": 600, "cache_read_input_tokens": 400, "output_tokens": 50},
        )
    )
    server.script = [replace(calls("mcp__own__fix"), spent=advised), replace(DONE, spent=compacted)]
    prices = {MODEL: Price(input=1, output=1), ADVISOR: Price(input=10, output=10)}
    await ClaudeGoal(goals, scope=SCOPE, settings=place.settings(prices=prices)).run(
        "Begin.", options=options_of(place)
    )
    lines = [turn for turn in await goals.turns(goal.id) if turn.usage.tokens]
    assert [(line.kind, line.model, line.usage.tokens, line.usage.cost_microunits) for line in lines] == [
        (telic.UsageKind.WORK, MODEL, 1_050, 1_050),
        (telic.UsageKind.SUB_AGENT, ADVISOR, 5_200, 52_000),
        (telic.UsageKind.WORK, MODEL, 1_050, 1_050),
        (telic.UsageKind.TOOL, MODEL, 7_300, 7_300),
    ]
    assert (await goals.get(goal.id)).usage.turns == 2
    assert [line for line in lines if line.is_estimate] == []


async def test_no_file_of_the_session_has_the_goal(
    place: Place, server: WireServer, goals: telic.AsyncGoalStore
) -> None:
    await goals.create("a text that stands nowhere else", scope=SCOPE)
    server.script = [says("one"), DONE]
    await ClaudeGoal(goals, scope=SCOPE, settings=place.settings()).run("Begin.", options=options_of(place))
    files = [path for path in (Path(place.folder) / "home").rglob("*") if path.is_file()]
    assert any(path.suffix == ".jsonl" for path in files)
    assert [path for path in files if b"stands nowhere else" in path.read_bytes()] == []

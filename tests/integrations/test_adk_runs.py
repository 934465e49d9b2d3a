"""ADK: runs that are left, agents within tools, callbacks that answer in the model's place, summaries, totals."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest
from google.adk.agents import LlmAgent
from google.adk.agents.run_config import RunConfig, StreamingMode
from google.adk.apps import App
from google.adk.apps.app import EventsCompactionConfig
from google.adk.apps.llm_event_summarizer import LlmEventSummarizer
from google.adk.models import LlmResponse
from google.adk.runners import InMemoryRunner
from google.adk.tools.agent_tool import AgentTool
from google.genai import types

import telic
from telic.integrations.adk import GoalPlugin, response_usage
from tests.integrations.adk_agent import gemini
from tests.integrations.place import SCOPE, Place
from tests.support.wire_formats import Spent, calls, says
from tests.support.wire_server import WireServer

pytestmark = [
    pytest.mark.filterwarnings("ignore:The `plugins` argument is deprecated"),
    pytest.mark.filterwarnings(r"ignore:\[EXPERIMENTAL\]"),
]
"""What ADK says of its own parts."""

DONE = calls("report_complete", summary="done")
HELPS = replace(says("helped"), spent=Spent(input=500, cached=100, output=30, reasoning=5))
WORK, SIDE = (telic.UsageKind.WORK, 1_050), (telic.UsageKind.SUB_AGENT, 530)


async def run(goal: GoalPlugin, agent: LlmAgent, **app: Any) -> None:
    async with InMemoryRunner(app=App(name="app", root_agent=agent, plugins=[goal], **app)) as runner:
        session = await runner.session_service.create_session(app_name="app", user_id="ada")
        await goal.run(runner, "Please begin.", user_id="ada", session_id=session.id)


async def kinds(goals: telic.AsyncGoalStore, goal: telic.Goal) -> list[tuple[telic.UsageKind, int]]:
    return sorted((turn.kind, turn.usage.tokens) for turn in await goals.turns(goal.id))


def plugin(place: Place, goals: telic.AsyncGoalStore, **given: Any) -> GoalPlugin:
    return GoalPlugin(goals, scope=SCOPE, settings=place.settings(**given))


async def test_an_agent_within_a_tool_is_a_sub_agent(
    place: Place, server: WireServer, goals: telic.AsyncGoalStore
) -> None:
    goal = await goals.create("A goal", scope=SCOPE, budget=telic.Budget(turns=3))
    server.answer_first(lambda asked: HELPS if "You help." in asked.text else None)
    server.script = [calls("helper", request="this"), DONE]
    helper = LlmAgent(name="helper", description="helps", instruction="You help.", model=gemini(place))
    adapter = plugin(place, goals)
    await run(adapter, LlmAgent(name="main", model=gemini(place), tools=[*adapter.tools, AgentTool(helper)]))
    assert (await goals.get(goal.id)).status is telic.GoalStatus.COMPLETED
    assert await kinds(goals, goal) == sorted([WORK, WORK, SIDE])
    assert "active_goal" not in next(asked.text for asked in server.asked if "You help." in asked.text)


async def test_a_callback_that_answers_in_the_models_place_costs_and_holds_nothing(
    place: Place, server: WireServer, goals: telic.AsyncGoalStore
) -> None:
    goal = await goals.create("A goal", scope=SCOPE, token_budget=100_000)
    left = [1, 2, 3]

    def guard(callback_context: Any, llm_request: Any) -> LlmResponse | None:
        if not left:
            return None
        left.pop()
        return LlmResponse(content=types.Content(role="model", parts=[types.Part(text="from the cache")]))

    server.script = [DONE]
    adapter = plugin(place, goals)
    agent = LlmAgent(name="main", model=gemini(place), tools=[*adapter.tools], before_model_callback=guard)
    await run(adapter, agent)
    assert await kinds(goals, goal) == [WORK]
    assert [hold for hold in await goals.holds(goal.id) if hold.state is telic.types.HoldState.OPEN] == []


async def test_a_run_that_its_host_leaves_is_recorded_as_an_estimate(
    place: Place, server: WireServer, goals: telic.AsyncGoalStore
) -> None:
    """The host closes the run after the first part of the answer."""
    goal = await goals.create("A goal", scope=SCOPE, token_budget=100_000)
    server.script = [replace(says("only the first part of it comes"), cut_after=1, hangs=True)]
    adapter = plugin(place, goals)
    await adapter.session.start()
    app = App(name="app", root_agent=LlmAgent(name="main", model=gemini(place)), plugins=[adapter])
    async with InMemoryRunner(app=app) as runner:
        session = await runner.session_service.create_session(app_name="app", user_id="ada")
        message = types.Content(role="user", parts=[types.Part(text="Begin.")])
        streamed = RunConfig(streaming_mode=StreamingMode.SSE)
        events = runner.run_async(new_message=message, user_id="ada", session_id=session.id, run_config=streamed)
        assert (await anext(events)).partial
        await events.aclose()
        for _ in range(6_000):
            if await goals.turns(goal.id):
                break
            await asyncio.sleep(0.02)
    (turn,) = await goals.turns(goal.id)
    assert turn.is_estimate
    assert turn.usage.tokens > 0
    assert [hold for hold in await goals.holds(goal.id) if hold.state is telic.types.HoldState.OPEN] == []


async def test_summaries_of_an_apps_compaction_are_billed(
    place: Place, server: WireServer, goals: telic.AsyncGoalStore
) -> None:
    goal = await goals.create("A goal", scope=SCOPE)
    server.answer_first(lambda asked: None if "You are the main one." in asked.text else HELPS)
    server.script = [says("one"), says("two"), DONE]
    compaction = EventsCompactionConfig(
        compaction_interval=2, overlap_size=0, summarizer=LlmEventSummarizer(llm=gemini(place))
    )
    adapter = plugin(place, goals)
    agent = LlmAgent(name="main", instruction="You are the main one.", model=gemini(place), tools=[*adapter.tools])
    await run(adapter, agent, events_compaction_config=compaction)
    beside = [asked for asked in server.asked if "You are the main one." not in asked.text]
    assert beside
    assert await kinds(goals, goal) == sorted([WORK] * 3 + [(telic.UsageKind.TOOL, 530)] * len(beside))


@pytest.mark.parametrize("candidates", [15, 3_362])
def test_thoughts_count_once_whether_they_are_beside_the_answer_or_within_it(candidates: int) -> None:
    """The total tells: 341 in, and 3,362 out, of which 3,347 are thoughts."""
    told = types.GenerateContentResponseUsageMetadata(
        prompt_token_count=341, candidates_token_count=candidates, thoughts_token_count=3_347, total_token_count=3_703
    )
    used = telic.ModelUsage(input_tokens=341, output_tokens=3_362, reasoning_tokens=3_347)
    assert response_usage(told) == used

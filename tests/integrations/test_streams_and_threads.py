"""What only some frameworks have: streams, blocking calls, a second wire format, another's filter."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest
from agents import OpenAIChatCompletionsModel, OpenAIResponsesModel, RunConfig, Runner
from agents.run_config import CallModelData, ModelInputData
from google.adk.agents.run_config import RunConfig as AdkRunConfig
from google.adk.agents.run_config import StreamingMode

import telic
from tests.integrations import adk_agent, langchain_agent, openai_agents_agent, pydantic_ai_agent
from tests.integrations.place import SCOPE, Place
from tests.support.wire_formats import calls, says
from tests.support.wire_server import WireServer

DONE = calls("report_complete", summary="done")


async def _is_billed_once(goals: telic.AsyncGoalStore, goal: telic.Goal, responses: int) -> None:
    ended = await goals.get(goal.id)
    assert [turn.usage.input_tokens for turn in await goals.turns(goal.id)] == [1_000] * responses
    assert [turn.usage.cached_input_tokens for turn in await goals.turns(goal.id)] == [400] * responses
    assert ended.status is telic.GoalStatus.COMPLETED


@pytest.mark.parametrize("api", [OpenAIChatCompletionsModel, OpenAIResponsesModel])
async def test_a_streamed_run_of_openai_agents(
    api: Any, place: Place, server: WireServer, goals: telic.AsyncGoalStore
) -> None:
    """A run of the host's own: the stop reaches it as the error that tells of the goal."""
    goal = await goals.create("A goal", scope=SCOPE)
    server.script = [calls("fix"), DONE]
    async with openai_agents_agent.opened(place, goals, api) as (adapter, agent, session):
        await adapter.session.start()
        run = Runner.run_streamed(
            agent, "Begin.", session=session, hooks=adapter.hooks, run_config=adapter.run_config()
        )
        with pytest.raises(telic.GoalNotActive) as stopped:
            async for _ in run.stream_events():
                pass
    assert stopped.value.goal is not None
    await _is_billed_once(goals, goal, 2)


async def test_the_responses_api_of_openai_agents(
    place: Place, server: WireServer, goals: telic.AsyncGoalStore
) -> None:
    goal = await goals.create("A goal", scope=SCOPE)
    server.script = [says("one"), DONE]
    async with openai_agents_agent.opened(place, goals, OpenAIResponsesModel) as (adapter, agent, session):
        await adapter.run(agent, "Begin.", session=session)
    await _is_billed_once(goals, goal, 2)
    assert all("response-" in turn.key for turn in await goals.turns(goal.id))


async def test_a_filter_of_the_hosts_own_comes_first(
    place: Place, server: WireServer, goals: telic.AsyncGoalStore
) -> None:
    await goals.create("A goal", scope=SCOPE)

    def shorten(data: CallModelData[Any]) -> ModelInputData:
        return ModelInputData(data.model_data.input[-1:], "Filtered.")

    server.script = [DONE]
    async with openai_agents_agent.opened(place, goals) as (adapter, agent, session):
        await adapter.run(agent, "Begin.", session=session, run_config=RunConfig(call_model_input_filter=shorten))
    roles = [message["role"] for message in server.asked[0].body["messages"]]
    assert roles == ["system", "user", "user"]
    assert server.asked[0].body["messages"][0]["content"] == "Filtered."


async def test_max_turns_are_a_boundary_and_no_end(
    place: Place, server: WireServer, goals: telic.AsyncGoalStore
) -> None:
    goal = await goals.create("A goal", scope=SCOPE)
    server.script = [calls("fix"), calls("fix"), DONE]
    async with openai_agents_agent.opened(place, goals) as (adapter, agent, session):
        await adapter.run(agent, "Begin.", session=session, max_turns=1)
    await _is_billed_once(goals, goal, 3)


async def test_a_streamed_run_of_pydantic_ai(place: Place, server: WireServer, goals: telic.AsyncGoalStore) -> None:
    goal = await goals.create("A goal", scope=SCOPE)
    server.script = [says("one"), DONE]
    async with pydantic_ai_agent.opened(place, goals) as (adapter, agent):
        await adapter.session.start()

        async def stream() -> None:
            async with agent.run_stream_events("Begin.", capabilities=[adapter]) as events:
                async for _ in events:
                    pass

        with pytest.raises(telic.GoalNotActive):
            await stream()
    await _is_billed_once(goals, goal, 2)


async def test_a_streamed_run_of_langchain(place: Place, server: WireServer, goals: telic.AsyncGoalStore) -> None:
    goal = await goals.create("A goal", scope=SCOPE)
    server.script = [says("one"), DONE]
    begin = {"messages": [("user", "Begin.")]}
    async with langchain_agent.opened(place, goals) as (_adapter, agent):
        async for _ in agent.astream(begin, langchain_agent.THREAD, stream_mode="messages"):
            pass
    assert server.asked[0].body["stream"] is True
    await _is_billed_once(goals, goal, 2)


async def test_a_streamed_run_of_adk(place: Place, server: WireServer, goals: telic.AsyncGoalStore) -> None:
    goal = await goals.create("A goal", scope=SCOPE)
    server.script = [says("one"), DONE]
    streamed = AdkRunConfig(streaming_mode=StreamingMode.SSE)
    async with adk_agent.opened(place, goals) as (adapter, runner):
        await adapter.run(runner, "Begin.", user_id="user", session_id=SCOPE, run_config=streamed)
    assert ":streamGenerateContent" in server.asked[0].path
    await _is_billed_once(goals, goal, 2)


@pytest.mark.parametrize("is_whole", [True, False])
async def test_a_stream_of_adk_that_ends_early_is_an_estimate(
    is_whole: bool, place: Place, server: WireServer, goals: telic.AsyncGoalStore
) -> None:
    """Gemini tells with each part what it has used so far; here the rest of the stream never comes."""
    goal = await goals.create("A goal", scope=SCOPE)
    reply = says("a word " * 100)
    server.script = [reply if is_whole else replace(reply, cut_after=1, ends_early=True)]
    streamed = AdkRunConfig(streaming_mode=StreamingMode.SSE)
    async with adk_agent.opened(place, goals, max_runs=1) as (adapter, runner):
        await adapter.run(runner, "Begin.", user_id="user", session_id=SCOPE, run_config=streamed)
    (turn,) = await goals.turns(goal.id)
    assert turn.is_estimate is not is_whole
    assert turn.usage.input_tokens == 1_000
    assert turn.usage.output_tokens == (50 if is_whole else 175)


def test_langchain_blocking_with_a_blocking_store(place: Place, server: WireServer) -> None:
    with telic.connect(place.store) as store:
        goal = store.create("A goal", scope=SCOPE)
        server.script = [says("one"), DONE]
        _invoke(place, store)
        assert [turn.usage.tokens for turn in store.turns(goal.id)] == [1_050, 1_050]
        assert store.get(goal.id).status is telic.GoalStatus.COMPLETED


def _invoke(place: Place, store: telic.GoalStore) -> Any:
    manager = langchain_agent.opened(place, store)
    entering = manager.__aenter__()

    async def enter() -> Any:
        return await entering

    async def leave() -> None:
        await manager.__aexit__(None, None, None)

    with asyncio.Runner() as runner:
        _adapter, agent = runner.run(enter())
        agent.invoke({"messages": [("user", "Begin.")]}, langchain_agent.THREAD)
        runner.run(leave())


@pytest.mark.parametrize("module", [openai_agents_agent, pydantic_ai_agent, langchain_agent, adk_agent])
async def test_a_blocking_store_in_an_async_framework(module: Any, place: Place, server: WireServer) -> None:
    with telic.connect(place.store) as store:
        goal = store.create("A goal", scope=SCOPE)
        server.script = [says("one"), DONE]
        await module.work(place, store, "Begin.")
        assert [turn.usage.tokens for turn in store.turns(goal.id)] == [1_050, 1_050]
        assert store.get(goal.id).status is telic.GoalStatus.COMPLETED

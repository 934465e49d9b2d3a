"""Sub-agents, fallbacks, streams that are left, and retries: each response is one line of the ledger, of its kind."""

import asyncio
from typing import Any

import pytest
from agents import Agent as OpenAIAgent
from agents import OpenAIResponsesModel, RunConfig, Runner
from openai import AsyncOpenAI
from pydantic_ai import Agent
from pydantic_ai.exceptions import FallbackExceptionGroup
from pydantic_ai.messages import ModelResponse
from pydantic_ai.models.fallback import FallbackModel

import telic
from telic.integrations.pydantic_ai import GoalCapability
from tests.integrations import openai_agents_agent, pydantic_ai_agent
from tests.integrations.place import SCOPE, Place
from tests.support.wire_formats import Reply, calls, says
from tests.support.wire_server import WireServer

DONE = calls("report_complete", summary="done")
WORK, SUB_AGENT = telic.UsageKind.WORK, telic.UsageKind.SUB_AGENT


async def kinds(goals: telic.AsyncGoalStore, goal: telic.Goal) -> list[telic.UsageKind]:
    assert [hold for hold in await goals.holds(goal.id) if hold.reserves] == []
    return [turn.kind for turn in await goals.turns(goal.id)]


async def test_agents_as_tools_are_billed_as_sub_agents_without_being_given_anything(
    place: Place, server: WireServer, goals: telic.AsyncGoalStore
) -> None:
    """The goal is shown to its own agent only; the sub-agent's call takes no turn."""
    goal = await goals.create("A goal", scope=SCOPE, budget=telic.Budget(turns=3))
    server.script = [
        calls("helper", input="do it"),
        says("helped"),
        calls("helper", input="again"),
        says("helped"),
        DONE,
    ]
    async with openai_agents_agent.opened(place, goals) as (adapter, agent, session):
        helper = OpenAIAgent(name="helper", instructions="Help.", model=agent.model)
        agent.tools.append(helper.as_tool("helper", "helps"))
        await adapter.run(agent, "Begin.", session=session)
    assert await kinds(goals, goal) == [WORK, SUB_AGENT, WORK, SUB_AGENT, WORK]
    assert ["<active_goal" in asked.text for asked in server.asked] == [True, False, True, False, True]
    assert (await goals.get(goal.id)).status is telic.GoalStatus.COMPLETED


async def test_a_handoff_goes_on_with_the_conversation(
    place: Place, server: WireServer, goals: telic.AsyncGoalStore
) -> None:
    goal = await goals.create("A goal", scope=SCOPE)
    server.script = [calls("transfer_to_second"), DONE]
    async with openai_agents_agent.opened(place, goals) as (adapter, agent, session):
        agent.handoffs.append(OpenAIAgent(name="second", instructions="Go on.", model=agent.model, tools=adapter.tools))
        await adapter.run(agent, "Begin.", session=session)
    assert await kinds(goals, goal) == [WORK, WORK]


async def test_a_run_with_the_sub_agents_view_answers_once(
    place: Place, server: WireServer, goals: telic.AsyncGoalStore
) -> None:
    goal = await goals.create("A goal", scope=SCOPE)
    server.script = [says("helped")]
    async with openai_agents_agent.opened(place, goals) as (adapter, agent, _session):
        view = adapter.sub_agent()
        assert view.tools == []
        result = await Runner.run(agent, "Help.", run_config=view.run_config())
    assert result.final_output == "helped"
    assert await kinds(goals, goal) == [SUB_AGENT]


@pytest.mark.parametrize("option", ["conversation_id", "previous_response_id"])
async def test_a_conversation_that_the_provider_keeps_goes_on(
    option: str, place: Place, server: WireServer, goals: telic.AsyncGoalStore
) -> None:
    goal = await goals.create("A goal", scope=SCOPE)
    server.script = [says("one"), DONE]
    async with openai_agents_agent.opened(place, goals, OpenAIResponsesModel) as (adapter, agent, _session):
        await adapter.run(agent, "Begin.", **{option: "kept-1"})
    assert await kinds(goals, goal) == [WORK, WORK]
    assert all("<active_goal" in asked.body["instructions"] for asked in server.asked)
    assert not any("<active_goal" in str(asked.body["input"]) for asked in server.asked)


async def test_a_model_is_found_by_the_hosts_own_provider_and_usage_is_asked_for(
    place: Place, server: WireServer, goals: telic.AsyncGoalStore
) -> None:
    goal = await goals.create("A goal", scope=SCOPE)
    server.script = [says("one")]
    async with openai_agents_agent.opened(place, goals) as (adapter, agent, _session):
        model, agent.model = agent.model, "by name"

        class Provider(RunConfig().model_provider.__class__):
            def get_model(self, model_name: str | None) -> Any:
                assert model_name == "by name"
                return model

        run = Runner.run_streamed(agent, "Begin.", run_config=adapter.run_config(RunConfig(model_provider=Provider())))
        async for _ in run.stream_events():
            pass
    assert server.asked[0].body["stream_options"] == {"include_usage": True}
    assert await kinds(goals, goal) == [WORK]


async def test_a_stream_that_is_left_is_an_estimate(
    place: Place, server: WireServer, goals: telic.AsyncGoalStore
) -> None:
    goal = await goals.create("A goal", scope=SCOPE, token_budget=100_000)
    server.script = [Reply(hangs=True)]
    async with openai_agents_agent.opened(place, goals) as (adapter, agent, _session):
        run = Runner.run_streamed(agent, "Begin.", run_config=adapter.run_config())
        await asyncio.to_thread(server.wait_for, 1)
        run.cancel()
        async for _ in run.stream_events():
            pass
        await adapter.settle()
    (turn,) = await goals.turns(goal.id)
    assert turn.is_estimate
    assert turn.usage.tokens > 0
    assert await kinds(goals, goal) == [WORK]


@pytest.mark.parametrize("how", ["same", "view", "another of its scope"])
async def test_a_delegate_of_pydantic_ai_answers_once_and_is_a_sub_agent(
    how: str, place: Place, server: WireServer, goals: telic.AsyncGoalStore
) -> None:
    goal = await goals.create("A goal", scope=SCOPE)
    server.script = [calls("delegate"), says("helped"), DONE]
    async with pydantic_ai_agent.opened(place, goals) as (adapter, agent):
        given = {
            "same": adapter,
            "view": adapter.sub_agent(),
            "another of its scope": GoalCapability(goals, scope=SCOPE),
        }
        helper = Agent(agent.model, instructions="Help.")

        @agent.tool_plain
        async def delegate() -> str:
            """Delegates."""
            return (await helper.run("Help.", capabilities=[given[how]])).output

        await adapter.run(agent, "Begin.")
    assert await kinds(goals, goal) == [WORK, SUB_AGENT, WORK]
    assert len(server.asked) == 3


def _is_in_vain(response: ModelResponse) -> bool:
    return response.text == "in vain"


@pytest.mark.parametrize("is_last_taken", [True, False])
async def test_what_a_fallback_does_not_take_was_paid_as_well(
    is_last_taken: bool, place: Place, server: WireServer, goals: telic.AsyncGoalStore
) -> None:
    """The first model's response is refused by the host's own test; so is the second's, or it is taken."""
    goal = await goals.create("A goal", scope=SCOPE, token_budget=100_000)
    server.script = [says("in vain"), DONE if is_last_taken else says("in vain")]
    async with pydantic_ai_agent.opened(place, goals) as (adapter, agent):
        agent.model = FallbackModel(agent.model, agent.model, fallback_on=[_is_in_vain])
        outcome = await asyncio.gather(adapter.run(agent, "Begin."), return_exceptions=True)
    assert isinstance(outcome[0], FallbackExceptionGroup) is not is_last_taken
    assert await kinds(goals, goal) == [WORK, WORK]
    assert [(turn.usage.tokens, turn.is_estimate) for turn in await goals.turns(goal.id)] == [(1_050, False)] * 2


async def test_a_stream_that_the_host_reads_itself_ends_with_its_answer(
    place: Place, server: WireServer, goals: telic.AsyncGoalStore
) -> None:
    goal = await goals.create("A goal", scope=SCOPE)
    server.script = [says("one")]
    async with (
        pydantic_ai_agent.opened(place, goals) as (adapter, agent),
        agent.run_stream("Begin.", capabilities=[adapter]) as run,
    ):
        assert await run.get_output() == "one"
    assert await kinds(goals, goal) == [WORK]


@pytest.mark.parametrize("arguments", ["[]", "7", '"text"', "null", "", '{"self": 1}', "{"])
async def test_arguments_that_are_no_object_are_answered(
    arguments: str, place: Place, server: WireServer, goals: telic.AsyncGoalStore
) -> None:
    goal = await goals.create("A goal", scope=SCOPE)
    server.script = [Reply(calls=(("report_complete", arguments),)), DONE]
    async with pydantic_ai_agent.opened(place, goals) as (adapter, agent):
        await adapter.run(agent, "Begin.")
    assert (await goals.get(goal.id)).status is telic.GoalStatus.COMPLETED


async def test_the_clients_own_retries_are_made_and_seen(
    place: Place, server: WireServer, goals: telic.AsyncGoalStore
) -> None:
    goal = await goals.create("A goal", scope=SCOPE, token_budget=100_000)
    server.script = [Reply(status=503), Reply(status=503), DONE]
    async with (
        AsyncOpenAI(base_url=f"{place.url}/v1", api_key="a-key-of-the-tests", max_retries=2) as client,
        openai_agents_agent.opened(place, goals) as (adapter, agent, _session),
    ):
        agent.model = type(agent.model)("a-model", client)
        await adapter.run(agent, "Begin.")
    assert await kinds(goals, goal) == [WORK]
    states = [hold.state for hold in await goals.holds(goal.id)]
    assert states.count(telic.types.HoldState.RELEASED) == 2

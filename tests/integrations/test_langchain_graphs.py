"""LangChain: agents within tools and graphs, and what else calls models below an agent with a goal."""

from dataclasses import replace
from typing import Any

import httpx
import pytest
from langchain.agents import create_agent
from langchain.agents.middleware import HumanInTheLoopMiddleware, LLMToolSelectorMiddleware, SummarizationMiddleware
from langchain_core.runnables.config import ContextThreadPoolExecutor
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import END, START, MessagesState, StateGraph
from langgraph.types import Command

import telic
from telic.integrations.langchain import GoalMiddleware
from tests.integrations.langchain_agent import THREAD
from tests.integrations.place import SCOPE, Place
from tests.support.wire_formats import MODEL, Reply, Spent, calls, says
from tests.support.wire_server import Asked, WireServer

DONE = calls("report_complete", summary="done")
BEGIN: Any = {"messages": [("user", "Please begin.")]}
HELPS = replace(says("helped"), spent=Spent(input=500, cached=100, output=30, reasoning=5))
WORK, SIDE = (telic.UsageKind.WORK, 1_050), (telic.UsageKind.SUB_AGENT, 530)


def model(place: Place, **given: Any) -> ChatOpenAI:
    return ChatOpenAI(
        model=MODEL,
        base_url=f"{place.url}/v1",
        api_key="a-key-of-the-tests",
        max_retries=0,
        http_async_client=httpx.AsyncClient(),
        **given,
    )


def goal_of(place: Place, goals: telic.AsyncGoalStore, **given: Any) -> GoalMiddleware:
    return GoalMiddleware(goals, scope=SCOPE, settings=place.settings(**given))


def answers_others(server: WireServer, reply: Reply) -> None:
    """What is asked without the system prompt of the main agent gets this reply."""

    def reply_to(asked: Asked) -> Reply | None:
        return None if "You are the main one." in asked.text else reply

    server.answer_first(reply_to)


async def kinds(goals: telic.AsyncGoalStore, goal: telic.Goal) -> list[tuple[telic.UsageKind, int]]:
    return sorted((turn.kind, turn.usage.tokens) for turn in await goals.turns(goal.id))


@pytest.mark.parametrize("given", ["the same", "another", "a view", "none"])
async def test_an_agent_within_a_tool_answers_once_as_a_sub_agent(
    given: str, place: Place, server: WireServer, goals: telic.AsyncGoalStore
) -> None:
    """Its caller gets the answer; it takes no turn of the budget, and is shown neither the goal nor its tools."""
    goal = await goals.create("A goal", scope=SCOPE, budget=telic.Budget(turns=3))
    middleware = goal_of(place, goals)
    below = {
        "the same": [middleware],
        "another": [goal_of(place, goals)],
        "a view": [middleware.sub_agent()],
        "none": [],
    }
    helper = create_agent(model(place), [], middleware=below[given])

    @tool
    async def delegate(task: str) -> str:
        """Lets another do it."""
        return str((await helper.ainvoke({"messages": [("user", task)]}))["messages"][-1].content)

    answers_others(server, HELPS)
    server.script = [calls("delegate", task="this"), DONE]
    agent = create_agent(model(place), [delegate], middleware=[middleware], system_prompt="You are the main one.")
    await agent.ainvoke(BEGIN)
    assert (await goals.get(goal.id)).status is telic.GoalStatus.COMPLETED
    assert await kinds(goals, goal) == sorted([WORK, WORK, SIDE])
    (helped,) = [asked for asked in server.asked if "You are the main one." not in asked.text]
    assert "active_goal" not in helped.text
    assert "tools" not in helped.body
    assert "helped" in server.asked[-1].text


async def test_an_agent_that_is_a_node_hands_on_after_its_answer(
    place: Place, server: WireServer, goals: telic.AsyncGoalStore
) -> None:
    goal = await goals.create("A goal", scope=SCOPE)
    middleware = goal_of(place, goals)
    graph = StateGraph(MessagesState)
    graph.add_node("planner", create_agent(model(place), [], middleware=[middleware], system_prompt="Plan."))
    graph.add_node("worker", create_agent(model(place), [], middleware=[middleware], system_prompt="Work."))
    graph.add_edge(START, "planner")
    graph.add_edge("planner", "worker")
    graph.add_edge("worker", END)
    server.script = [says("a plan"), DONE]
    await graph.compile().ainvoke(BEGIN)
    assert [("Plan." in asked.text, "Work." in asked.text) for asked in server.asked] == [(True, False), (False, True)]
    assert await kinds(goals, goal) == [WORK, WORK]
    assert (await goals.get(goal.id)).status is telic.GoalStatus.COMPLETED


@pytest.mark.parametrize("how", ["summary", "selection", "tool"])
async def test_what_calls_a_model_beside_the_agent_is_billed(
    how: str, place: Place, server: WireServer, goals: telic.AsyncGoalStore
) -> None:
    goal = await goals.create("A goal", scope=SCOPE)

    @tool
    async def look(place_name: str) -> str:
        """Looks."""
        return str((await model(place).ainvoke(place_name)).content) if how == "tool" else "seen"

    others = {
        "summary": [SummarizationMiddleware(model=model(place), trigger=("messages", 3), keep=("messages", 1))],
        "selection": [LLMToolSelectorMiddleware(model=model(place), always_include=["report_complete"])],
        "tool": [],
    }
    selected = replace(HELPS, text='{"tools": ["look"]}')
    answers_others(server, selected if how == "selection" else HELPS)
    server.script = [calls("look", place_name="there"), DONE]
    agent = create_agent(
        model(place), [look], middleware=[*others[how], goal_of(place, goals)], system_prompt="You are the main one."
    )
    await agent.ainvoke(BEGIN)
    beside = [asked for asked in server.asked if "You are the main one." not in asked.text]
    assert beside
    assert (await goals.get(goal.id)).status is telic.GoalStatus.COMPLETED
    assert await kinds(goals, goal) == sorted([WORK, WORK] + [(telic.UsageKind.TOOL, 530)] * len(beside))


async def test_models_that_a_tool_calls_in_langchains_own_threads_are_billed(
    place: Place, server: WireServer, goals: telic.AsyncGoalStore
) -> None:
    """They take the run's context along, which threads of the standard library do not."""
    goal = await goals.create("A goal", scope=SCOPE)

    @tool
    def look(place_name: str) -> str:
        """Looks."""
        with ContextThreadPoolExecutor(2) as threads:
            answers = threads.map(model(place).invoke, [place_name, "elsewhere"])
        return " ".join(str(each.content) for each in answers)

    answers_others(server, HELPS)
    server.script = [calls("look", place_name="there"), DONE]
    agent = create_agent(
        model(place), [look], middleware=[goal_of(place, goals)], system_prompt="You are the main one."
    )
    await agent.ainvoke(BEGIN)
    assert await kinds(goals, goal) == sorted([WORK, WORK] + [(telic.UsageKind.TOOL, 530)] * 2)


async def test_what_is_called_outside_of_an_agent_with_a_goal_is_nobodys(
    place: Place, server: WireServer, goals: telic.AsyncGoalStore
) -> None:
    goal = await goals.create("A goal", scope=SCOPE)
    server.script = [says("one"), DONE, says("two")]
    await create_agent(model(place), [], middleware=[goal_of(place, goals)]).ainvoke(BEGIN)
    await create_agent(model(place), []).ainvoke(BEGIN)
    assert await kinds(goals, goal) == [WORK, WORK]


async def test_a_streamed_model_is_asked_for_its_usage(
    place: Place, server: WireServer, goals: telic.AsyncGoalStore
) -> None:
    """A server other than OpenAI's tells none unless it is asked. What the host decided itself stays."""
    await goals.create("A goal", scope=SCOPE)
    for decided, asks in ((None, True), (False, False)):
        server.asked.clear()
        server.script = [says("one")]
        agent = create_agent(model(place, stream_usage=decided), [], middleware=[goal_of(place, goals, max_runs=1)])
        async for _ in agent.astream(BEGIN, stream_mode="messages"):
            pass
        assert ("stream_options" in server.asked[0].body) is asks


async def test_a_report_that_a_person_approves_after_a_restart_completes_the_goal(
    place: Place, server: WireServer, goals: telic.AsyncGoalStore
) -> None:
    goal = await goals.create("A goal", scope=SCOPE)
    server.script = [DONE]
    memory = InMemorySaver()

    def restarted() -> Any:
        asks = HumanInTheLoopMiddleware(interrupt_on={"report_complete": True})
        return create_agent(model(place), [], middleware=[asks, goal_of(place, goals)], checkpointer=memory)

    assert "__interrupt__" in await restarted().ainvoke(BEGIN, THREAD)
    await restarted().ainvoke(Command(resume={"decisions": [{"type": "approve"}]}), THREAD)
    assert (await goals.get(goal.id)).status is telic.GoalStatus.COMPLETED


@pytest.mark.parametrize("name", ["self", "config", "run_manager", "callbacks", "name", "arguments", "session"])
async def test_an_argument_of_any_name_is_refused_and_ends_nothing(
    name: str, place: Place, server: WireServer, goals: telic.AsyncGoalStore
) -> None:
    goal = await goals.create("A goal", scope=SCOPE)
    server.script = [Reply(calls=(("report_complete", {"summary": "not this", name: "x"}),)), DONE]
    await create_agent(model(place), [], middleware=[goal_of(place, goals)]).ainvoke(BEGIN)
    assert "Refused" in server.asked[-1].text
    assert (await goals.get(goal.id)).note == "done"

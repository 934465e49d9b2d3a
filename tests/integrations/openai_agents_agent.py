"""The OpenAI Agents SDK in the tests."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from typing import Any

from agents import Agent, Model, OpenAIChatCompletionsModel, SQLiteSession, function_tool, set_tracing_disabled
from openai import AsyncOpenAI

import telic
from telic.integrations.openai_agents import AgentsGoal
from telic.integrations.runs import RunOutcome
from tests.integrations.place import SCOPE, Place
from tests.support.wire_formats import MODEL

set_tracing_disabled(True)


@asynccontextmanager
async def opened(
    place: Place, store: telic.AsyncGoalStore | telic.GoalStore, api: Any = OpenAIChatCompletionsModel, **given: Any
) -> AsyncIterator[tuple[AgentsGoal, Agent[Any], SQLiteSession]]:
    @function_tool
    def fix() -> str:
        """Fixes what is broken."""
        return place.fix()

    goal = AgentsGoal(store, scope=SCOPE, settings=place.settings(**given))
    session = SQLiteSession("thread", place.conversation)
    url = f"{place.url}/v1"
    client = AsyncOpenAI(base_url=url, api_key="a-key-of-the-tests", max_retries=0)
    with closing(session):
        async with client:
            model: Model = api(MODEL, client)
            yield goal, Agent(name="worker", instructions="Work.", model=model, tools=[*goal.tools, fix]), session


async def work(
    place: Place, store: telic.AsyncGoalStore | telic.GoalStore, prompt: str | None = None, **given: Any
) -> RunOutcome[Any]:
    async with opened(place, store, **given) as (goal, agent, session):
        return await goal.run(agent, prompt, session=session)

"""Pydantic AI in the tests."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from openai import AsyncOpenAI
from pydantic_ai import Agent
from pydantic_ai.models.openai import OpenAIChatModel
from pydantic_ai.providers.openai import OpenAIProvider

import telic
from telic.integrations.pydantic_ai import GoalCapability
from telic.integrations.runs import RunOutcome
from tests.integrations.place import SCOPE, Place
from tests.support.wire_formats import MODEL


@asynccontextmanager
async def opened(
    place: Place, store: telic.AsyncGoalStore | telic.GoalStore, **given: Any
) -> AsyncIterator[tuple[GoalCapability, Agent[Any, Any]]]:
    url = f"{place.url}/v1"
    async with AsyncOpenAI(base_url=url, api_key="a-key-of-the-tests", max_retries=0) as client:
        model = OpenAIChatModel(MODEL, provider=OpenAIProvider(openai_client=client))
        agent = Agent(model, instructions="Work.")
        agent.tool_plain(place.fix)
        yield GoalCapability(store, scope=SCOPE, settings=place.settings(**given)), agent


async def work(
    place: Place, store: telic.AsyncGoalStore | telic.GoalStore, prompt: str | None = None, **given: Any
) -> RunOutcome[Any]:
    async with opened(place, store, **given) as (goal, agent):
        return await goal.run(agent, prompt)

"""LangChain in the tests; its threads are kept by LangGraph's own checkpointer."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
from langchain.agents import create_agent
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI
from langgraph.checkpoint.memory import InMemorySaver

import telic
from telic.integrations.langchain import GoalMiddleware
from tests.integrations.place import SCOPE, Place
from tests.support.wire_formats import MODEL

THREAD: Any = {"configurable": {"thread_id": SCOPE}, "recursion_limit": 200}


@asynccontextmanager
async def opened(
    place: Place, store: telic.AsyncGoalStore | telic.GoalStore, **given: Any
) -> AsyncIterator[tuple[GoalMiddleware, Any]]:
    @tool
    def fix() -> str:
        """Fixes what is broken."""
        return place.fix()

    url = f"{place.url}/v1"
    async with httpx.AsyncClient() as client:
        with httpx.Client() as blocking:
            model = ChatOpenAI(
                model=MODEL,
                base_url=url,
                api_key="a-key-of-the-tests",
                max_retries=0,
                http_async_client=client,
                http_client=blocking,
                stream_usage=True,
            )
            goal = GoalMiddleware(store, scope=SCOPE, settings=place.settings(**given))
            yield goal, create_agent(model, [fix], middleware=[goal], checkpointer=InMemorySaver())


async def work(
    place: Place, store: telic.AsyncGoalStore | telic.GoalStore, prompt: str | None = None, **given: Any
) -> Any:
    async with opened(place, store, **given) as (_goal, agent):
        return await agent.ainvoke({"messages": [("user", prompt or "Go on.")]}, THREAD)

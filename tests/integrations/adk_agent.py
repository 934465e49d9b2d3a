"""Google's ADK in the tests, with Gemini's own client."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from google.adk.agents import LlmAgent
from google.adk.apps import App
from google.adk.events import Event
from google.adk.models import Gemini
from google.adk.runners import Runner
from google.adk.sessions import InMemorySessionService
from google.genai import types

import telic
from telic.integrations.adk import GoalPlugin
from telic.integrations.runs import RunOutcome
from tests.integrations.place import SCOPE, Place
from tests.support.wire_formats import MODEL


def gemini(place: Place) -> Gemini:
    return Gemini(
        model=MODEL,
        base_url=place.url,
        retry_options=types.HttpRetryOptions(attempts=1),
        client_kwargs={"api_key": "a-key-of-the-tests"},
    )


@asynccontextmanager
async def opened(
    place: Place, store: telic.AsyncGoalStore | telic.GoalStore, **given: Any
) -> AsyncIterator[tuple[GoalPlugin, Runner]]:
    def fix() -> str:
        """Fixes what is broken."""
        return place.fix()

    model = gemini(place)
    goal = GoalPlugin(store, scope=SCOPE, settings=place.settings(**given))
    agent = LlmAgent(name="worker", model=model, instruction="Work.", tools=[*goal.tools, fix])
    sessions = InMemorySessionService()
    await sessions.create_session(app_name="app", user_id="user", session_id=SCOPE)
    app = App(name="app", root_agent=agent, plugins=[goal])
    try:
        async with Runner(app=app, session_service=sessions) as runner:
            yield goal, runner
    finally:
        await model.api_client.aio.aclose()
        model.api_client.close()


async def work(
    place: Place, store: telic.AsyncGoalStore | telic.GoalStore, prompt: str | None = None, **given: Any
) -> RunOutcome[Event]:
    async with opened(place, store, **given) as (goal, runner):
        return await goal.run(runner, prompt, user_id="user", session_id=SCOPE)

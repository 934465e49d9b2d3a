"""What Anthropic's client adds to a framework; the environment of the oldest frameworks does not have it."""

from dataclasses import replace

import pytest
from pydantic_ai.models.anthropic import AnthropicModel
from pydantic_ai.providers.anthropic import AnthropicProvider

import telic
from tests.integrations import pydantic_ai_agent
from tests.integrations.place import SCOPE, Place
from tests.support.wire_formats import says
from tests.support.wire_server import WireServer


@pytest.mark.parametrize("is_whole", [True, False])
async def test_a_stream_of_pydantic_ai_that_ends_early_is_an_estimate(
    is_whole: bool, place: Place, server: WireServer, goals: telic.AsyncGoalStore
) -> None:
    """Anthropic tells the input first, with an output of 1; here the rest of the stream never comes."""
    goal = await goals.create("A goal", scope=SCOPE)
    reply = says("a word " * 100)
    server.script = [reply if is_whole else replace(reply, cut_after=3, ends_early=True)]
    async with pydantic_ai_agent.opened(place, goals) as (adapter, agent):
        provider = AnthropicProvider(base_url=place.url, api_key="a-key-of-the-tests")
        agent.model = AnthropicModel("model-of-the-tests", provider=provider)
        async with agent.run_stream("Begin.", capabilities=[adapter]) as streamed:
            async for _ in streamed.stream_text(delta=True):
                pass
    (turn,) = await goals.turns(goal.id)
    assert turn.is_estimate is not is_whole
    assert turn.usage.input_tokens == 1_000
    assert turn.usage.output_tokens == (50 if is_whole else 175)

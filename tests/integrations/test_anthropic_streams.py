"""What Anthropic's client adds to a framework; the environment of the oldest frameworks does not have it."""

from collections.abc import AsyncIterator
from contextlib import aclosing, suppress
from dataclasses import replace
from typing import Any, Final

import pytest
from anthropic import AsyncAnthropic
from langchain.agents import create_agent
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessageChunk
from langchain_core.outputs import ChatGenerationChunk, ChatResult
from pydantic_ai.models.anthropic import AnthropicModel
from pydantic_ai.providers.anthropic import AnthropicProvider

import telic
from telic.integrations.langchain import GoalMiddleware
from tests.integrations import pydantic_ai_agent
from tests.integrations.place import SCOPE, Place
from tests.support.wire_formats import MODEL, Reply, says
from tests.support.wire_server import WireServer

OVERLOADED: Final = {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}


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


BREAKS = pytest.mark.parametrize(
    "reply",
    [
        replace(says("a word " * 100), cut_after=3),
        replace(says("a word " * 100), cut_after=3, error=OVERLOADED),
    ],
    ids=["connection lost", "error event"],
)


@BREAKS
async def test_a_stream_of_pydantic_ai_that_breaks_costs_at_least_what_it_told(
    reply: Reply, place: Place, server: WireServer, goals: telic.AsyncGoalStore
) -> None:
    """The input was told at once, and 700 bytes of the answer came."""
    goal = await goals.create("A goal", scope=SCOPE)
    server.script = [reply]
    async with pydantic_ai_agent.opened(place, goals) as (adapter, agent):
        provider = AnthropicProvider(base_url=place.url, api_key="a-key-of-the-tests")
        agent.model = AnthropicModel("model-of-the-tests", provider=provider)
        with suppress(Exception):
            async with agent.run_stream("Begin.", capabilities=[adapter]) as streamed:
                async for _ in streamed.stream_text(delta=True):
                    pass
        await adapter.session.wait_until_recorded()
    (turn,) = await goals.turns(goal.id)
    assert (turn.is_estimate, turn.usage.input_tokens, turn.usage.output_tokens) == (True, 1_000, 175)


class ClaudeChat(BaseChatModel):
    """Anthropic's own client as a model of LangChain, which tells usage when the provider does."""

    url: str

    @property
    def _llm_type(self) -> str:
        return "anthropic-in-tests"

    def bind_tools(self, tools: Any, **given: Any) -> Any:
        """The tests' replies call none."""
        return self

    def _generate(self, messages: Any, *_given: Any, **_more: Any) -> ChatResult:
        raise NotImplementedError("these tests stream")

    async def _astream(
        self, messages: Any, stop: Any = None, run_manager: Any = None, **_more: Any
    ) -> AsyncIterator[ChatGenerationChunk]:
        asked: Any = [{"role": "user", "content": str(each.content)} for each in messages]
        async with AsyncAnthropic(base_url=self.url, api_key="a-key-of-the-tests", max_retries=0) as client:
            async for event in await client.messages.create(model=MODEL, max_tokens=1_000, messages=asked, stream=True):
                piece = self._piece(event)
                if piece is not None:
                    if run_manager:
                        await run_manager.on_llm_new_token(str(piece.message.content), chunk=piece)
                    yield piece

    def _piece(self, event: Any) -> ChatGenerationChunk | None:
        used: Any
        match event.type:
            case "message_start":
                told = event.message.usage
                asked = told.input_tokens + (told.cache_read_input_tokens or 0)
                used = {"input_tokens": asked, "output_tokens": 0, "total_tokens": asked}
                message = AIMessageChunk("", usage_metadata=used, response_metadata={"model_name": MODEL})
            case "content_block_delta":
                message = AIMessageChunk(event.delta.text)
            case "message_delta":
                answered = event.usage.output_tokens
                used = {"input_tokens": 0, "output_tokens": answered, "total_tokens": answered}
                why = {"stop_reason": event.delta.stop_reason}
                message = AIMessageChunk("", usage_metadata=used, response_metadata=why)
            case _:
                return None
        return ChatGenerationChunk(message=message)


async def streamed_turn(
    reply: Reply, place: Place, server: WireServer, goals: telic.AsyncGoalStore, *, pieces: int | None = None
) -> telic.Turn:
    """Return the ledger's line of an agent that answers once, streamed; left after so many pieces."""
    goal = await goals.create("A goal", scope=SCOPE)
    server.script = [reply]
    middleware = GoalMiddleware(goals, scope=SCOPE, settings=place.settings(max_runs=1))
    agent = create_agent(ClaudeChat(url=place.url), [], middleware=[middleware])
    with suppress(Exception):
        async with aclosing(agent.astream({"messages": [("user", "Begin.")]}, stream_mode="messages")) as stream:
            async for number, _ in aenumerate(stream):
                if number == pieces:
                    break
    await middleware.session.wait_until_recorded()
    (turn,) = await goals.turns(goal.id)
    return turn


async def aenumerate(pieces: AsyncIterator[Any]) -> AsyncIterator[tuple[int, Any]]:
    number = 0
    async for piece in pieces:
        number += 1
        yield number, piece


async def test_a_whole_stream_of_langchain_is_billed_exactly(
    place: Place, server: WireServer, goals: telic.AsyncGoalStore
) -> None:
    turn = await streamed_turn(says("a word " * 100), place, server, goals)
    assert (turn.is_estimate, turn.usage.input_tokens, turn.usage.output_tokens) == (False, 1_000, 50)


@BREAKS
async def test_a_stream_of_langchain_that_breaks_costs_at_least_what_it_told(
    reply: Reply, place: Place, server: WireServer, goals: telic.AsyncGoalStore
) -> None:
    turn = await streamed_turn(reply, place, server, goals)
    assert (turn.is_estimate, turn.usage.input_tokens, turn.usage.output_tokens) == (True, 1_000, 175)


async def test_a_stream_of_langchain_that_ends_early_is_an_estimate(
    place: Place, server: WireServer, goals: telic.AsyncGoalStore
) -> None:
    """It says nowhere why it ended."""
    reply = replace(says("a word " * 100), cut_after=3, ends_early=True)
    turn = await streamed_turn(reply, place, server, goals)
    assert (turn.is_estimate, turn.usage.input_tokens, turn.usage.output_tokens) == (True, 1_000, 175)


async def test_a_stream_of_langchain_that_is_left_costs_at_least_what_it_told(
    place: Place, server: WireServer, goals: telic.AsyncGoalStore
) -> None:
    """Its host stops reading after the first pieces; the rest is still on its way."""
    reply = replace(says("a word " * 100), cut_after=3, hangs=True)
    turn = await streamed_turn(reply, place, server, goals, pieces=2)
    assert (turn.is_estimate, turn.usage.input_tokens) == (True, 1_000)

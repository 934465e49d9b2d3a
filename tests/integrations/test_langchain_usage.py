"""What models of LangChain say that they used, in the shapes that clients of Gemini have given it.

The messages are LangChain's own; `langchain-google-genai` is no part of the tests' environment. Its release 2.0 leaves
thoughts out of the output and of the details; later ones add them to the candidates, which some backends of Google
count them in already.
"""

from collections.abc import Iterator
from typing import Any

import pytest
from langchain.agents import create_agent
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, AIMessageChunk
from langchain_core.messages.ai import UsageMetadata
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult

import telic
from telic.integrations.langchain import GoalMiddleware
from tests.integrations.place import SCOPE, Place

ENDED = {"finish_reason": "STOP", "model_name": "gemini-in-tests"}


class TellingChat(BaseChatModel):
    """A model that says that it used this, piece by piece where it streams."""

    told: list[Any]

    @property
    def _llm_type(self) -> str:
        return "telling"

    def bind_tools(self, tools: Any, **given: Any) -> Any:
        """Its answers call none."""
        return self

    def _generate(self, *_given: Any, **_more: Any) -> ChatResult:
        message = AIMessage("done", usage_metadata=self.told[0], response_metadata=ENDED)
        return ChatResult(generations=[ChatGeneration(message=message)])


class StreamingChat(TellingChat):
    """As `TellingChat`, in pieces."""

    def _stream(self, *_given: Any, **_more: Any) -> Iterator[ChatGenerationChunk]:
        for number, used in enumerate(self.told, 1):
            why: dict[str, Any] = ENDED if number == len(self.told) else {}
            yield ChatGenerationChunk(message=AIMessageChunk("done", usage_metadata=used, response_metadata=why))


def usage(asked: int, answered: int, total: int, *, thoughts: int = 0, cached: int = 0) -> UsageMetadata:
    told = UsageMetadata(input_tokens=asked, output_tokens=answered, total_tokens=total)
    told["input_token_details"] = {"cache_read": cached}
    if thoughts:
        told["output_token_details"] = {"reasoning": thoughts}
    return told


async def billed(place: Place, goals: telic.AsyncGoalStore, model: BaseChatModel) -> telic.Turn:
    goal = await goals.create("A goal", scope=SCOPE)
    middleware = GoalMiddleware(goals, scope=SCOPE, settings=place.settings(max_runs=1))
    agent = create_agent(model, [], middleware=[middleware])
    async for _ in agent.astream({"messages": [("user", "Begin.")]}, stream_mode="messages"):
        pass
    (turn,) = await goals.turns(goal.id)
    return turn


@pytest.mark.parametrize(
    "told",
    [
        usage(1_000, 80, 1_080, thoughts=30, cached=600),
        usage(1_000, 110, 1_080, thoughts=30, cached=600),
        usage(1_000, 50, 1_080, thoughts=30, cached=600),
        usage(1_000, 50, 1_080, cached=600),
    ],
    ids=["within the output", "twice", "beside the output", "in the total alone"],
)
async def test_thoughts_are_billed_once_wherever_a_provider_counts_them(
    told: UsageMetadata, place: Place, goals: telic.AsyncGoalStore
) -> None:
    used = (await billed(place, goals, TellingChat(told=[told]))).usage
    assert (used.input_tokens, used.cached_input_tokens, used.output_tokens) == (1_000, 600, 80)
    assert used.tokens == told["total_tokens"]


async def test_a_stream_is_billed_by_the_sum_of_its_pieces(place: Place, goals: telic.AsyncGoalStore) -> None:
    """Gemini corrects its first count of the prompt in the last piece."""
    pieces = [usage(1_000, 0, 1_000), usage(-20, 50, 60, thoughts=30)]
    used = (await billed(place, goals, StreamingChat(told=pieces))).usage
    assert (used.input_tokens, used.output_tokens, used.reasoning_tokens) == (980, 80, 30)


@pytest.mark.parametrize("told", [None, usage(0, 0, 0)])
async def test_a_response_that_tells_no_usage_is_an_estimate(
    told: UsageMetadata | None, place: Place, goals: telic.AsyncGoalStore
) -> None:
    turn = await billed(place, goals, TellingChat(told=[told]))
    assert turn.is_estimate
    assert turn.usage.tokens > 0

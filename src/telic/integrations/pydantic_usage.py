"""Reads the usage of Pydantic AI's requests and responses for the ledger."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from copy import copy
from typing import Any

from pydantic_ai.messages import ModelMessage, ModelMessagesTypeAdapter, ModelResponse
from pydantic_ai.models import Model, ModelRequestContext, StreamedResponse
from pydantic_ai.models.fallback import FallbackModel
from pydantic_ai.models.wrapper import WrapperModel

from telic.domain.budget import ModelUsage
from telic.loop.agents.json_reader import model_usage


def response_usage(response: ModelResponse) -> ModelUsage | None:
    """Return what the response consumed; None where the provider did not say, which is not 0."""
    used = response.usage
    if getattr(used, "unmeasured_requests", 0) or not used.has_values():
        return None
    reasoning = getattr(used, "output_reasoning_tokens", None)
    if reasoning is None:
        reasoning = used.details.get("reasoning_tokens", 0)
    return model_usage(
        input_tokens=max(used.input_tokens, used.cache_read_tokens),
        cached_input_tokens=used.cache_read_tokens,
        output_tokens=max(used.output_tokens, reasoning),
        reasoning_tokens=reasoning,
    )


def is_whole(request: ModelRequestContext, response: ModelResponse) -> bool:
    """Return whether the response came to its end: a stream that does not say why it ended broke off."""
    # Older releases of Pydantic AI do not tell whether they stream.
    is_streamed = getattr(request, "streaming", True)
    says_why = response.finish_reason is not None or "finish_reason" in (response.provider_details or {})
    return says_why or not is_streamed


def response_bytes(response: ModelResponse) -> int:
    """Return about how much text the response has, with the arguments of its calls."""
    said = (getattr(part, "content", None) or getattr(part, "args", None) or "" for part in response.parts)
    return sum(len(str(each).encode("utf-8", "surrogatepass")) for each in said)


def request_bytes(messages: list[ModelMessage]) -> int:
    """Return about how much text the messages have; 0 where that cannot be told."""
    with suppress(Exception):
        return len(ModelMessagesTypeAdapter.dump_json(messages))
    return 0


class _Attempt(WrapperModel):
    """One of the models of a fallback, which notes the responses that it gave."""

    def __init__(self, wrapped: Model, noted: "NotedResponses") -> None:
        super().__init__(wrapped)
        self._noted = noted

    async def request(self, *arguments: Any, **named: Any) -> ModelResponse:
        response = await super().request(*arguments, **named)
        self._noted.responses.append(response)
        return response

    @asynccontextmanager
    async def request_stream(self, *arguments: Any, **named: Any) -> AsyncGenerator[StreamedResponse]:
        async with super().request_stream(*arguments, **named) as stream:
            self._noted.stream = stream
            yield stream


class NotedResponses:
    """The answers of a request's model, or of the models of a fallback."""

    def __init__(self) -> None:
        self.responses: list[ModelResponse] = []
        """Of a fallback's models, also those that it did not take; those of its streams are not among them."""
        self.stream: StreamedResponse | None = None
        """The last response that was streamed."""

    def partial(self) -> ModelResponse | None:
        """Return what came of a stream, whole or not; None where nothing did."""
        if self.stream is None:
            return None
        response = self.stream.get()
        return response if response.parts or response.usage.has_values() else None


def noting(model: Model, noted: NotedResponses) -> Model:
    """Return a copy of the model that notes what it answers: of a fallback every response, of another its stream."""
    seen = copy(model)
    if isinstance(seen, FallbackModel):
        seen.models = [_Attempt(each, noted) for each in seen.models]
        return seen

    @asynccontextmanager
    async def request_stream(*arguments: Any, **named: Any) -> AsyncGenerator[StreamedResponse]:
        async with model.request_stream(*arguments, **named) as stream:
            noted.stream = stream
            yield stream

    # Not a wrapper: the framework asks some models for what class they are.
    object.__setattr__(seen, "request_stream", request_stream)
    return seen

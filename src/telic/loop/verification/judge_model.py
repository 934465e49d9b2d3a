"""A model as judge, of any provider that Pydantic AI knows; needs the extra `judge`, which only this file imports."""

import time
from dataclasses import replace
from typing import Final

from telic.domain.base_errors import needs_extra
from telic.domain.budget import ModelUsage
from telic.domain.errors import InvalidInput
from telic.domain.limits import MAX_COUNTER
from telic.domain.verdict import AttemptResult
from telic.loop.verification.evidence import JUDGE_INSTRUCTIONS, Evidence
from telic.loop.verification.judge import BadAnswer, JudgeReply, answer_schema, read_answer, read_object
from telic.pricing import cost_microunits

with needs_extra("judge", "a model as judge"):
    from pydantic_ai.direct import model_request
    from pydantic_ai.exceptions import (
        ModelAPIError,
        ModelQuotaExceededError,
        ModelRateLimitError,
        ModelRequestRejectedError,
        ModelRequestTimeout,
        ModelTimeoutError,
        UserError,
    )
    from pydantic_ai.messages import ModelRequest, ModelResponse, ToolCallPart, UserPromptPart
    from pydantic_ai.models import Model, ModelRequestParameters, infer_model
    from pydantic_ai.settings import ModelSettings
    from pydantic_ai.tools import ToolDefinition

MAX_ANSWER_TOKENS: Final = 4_096
_ANSWER: Final = "answer"


class ModelJudge:
    """Asks a model for one structured answer, without retries of its own.

    The model is named as Pydantic AI names it (`anthropic:claude-…`, `openai-chat:gpt-…`), with the provider's
    usual environment variables, or is a model made with Pydantic AI, for a server of your own.

    Raises:
        InvalidInput: there is no such model or provider, or its key or library is missing.
    """

    def __init__(self, model: str | Model, *, max_answer_tokens: int = MAX_ANSWER_TOKENS) -> None:
        try:
            self._model = infer_model(model)
        except (UserError, ValueError, ImportError) as error:
            raise InvalidInput(f"the judge's model cannot be used: {error!s:.500}") from error
        self._max_answer_tokens = max_answer_tokens

    async def ask(self, evidence: Evidence, timeout_seconds: float) -> JudgeReply:
        """The model was asked once: the reply says what it answered, or which of its failures came instead."""
        started = time.monotonic()
        try:
            response = await self._request(evidence, timeout_seconds)
        except Exception as error:
            # A response that is no model's makes the libraries fail in ways of their own.
            return _failure(error, self._model.model_name)
        return _reply(response, int((time.monotonic() - started) * 1_000_000))

    async def _request(self, evidence: Evidence, timeout_seconds: float) -> ModelResponse:
        prompt = UserPromptPart(evidence.as_prompt())
        answer = ToolDefinition(
            name=_ANSWER,
            description="Answers the question.",
            parameters_json_schema=answer_schema(),
            strict=True,
        )
        settings = ModelSettings(
            max_retries=0,
            max_tokens=self._max_answer_tokens,
            timeout=timeout_seconds,
            request_timeout=timeout_seconds,
        )
        # Judging is rare: no connection is kept open between two questions, nor from one event loop to the next.
        async with self._model:
            return await model_request(
                self._model,
                [ModelRequest(parts=[prompt], instructions=JUDGE_INSTRUCTIONS)],
                model_settings=settings,
                model_request_parameters=ModelRequestParameters(
                    output_mode="tool", output_tools=[answer], allow_text_output=False
                ),
            )


def _failure(error: Exception, model: str) -> JudgeReply:
    return JudgeReply(
        result=_result(error),
        detail=f"{type(error).__name__}: {error}",
        model=model,
        retry_after_seconds=error.retry_after if isinstance(error, ModelAPIError) else None,
    )


def _result(error: Exception) -> AttemptResult:
    """The quota that is used up is refused for good: no waiting of a provider's minutes brings it back."""
    if isinstance(error, ModelRateLimitError):
        return AttemptResult.RATE_LIMITED
    if isinstance(error, ModelTimeoutError | ModelRequestTimeout):
        return AttemptResult.TIMED_OUT
    if isinstance(error, ModelQuotaExceededError | ModelRequestRejectedError | UserError):
        return AttemptResult.REFUSED
    # A failure of no category is a response that came and could not be read.
    is_outage = isinstance(error, ModelAPIError) and type(error) is not ModelAPIError
    return AttemptResult.OUTAGE if is_outage else AttemptResult.BAD_OUTPUT


def _reply(response: ModelResponse, elapsed_microseconds: int) -> JudgeReply:
    model, usage = response.model_name, _usage_of(response, elapsed_microseconds)
    try:
        return JudgeReply.of(read_answer(read_object(_answer_text(response))), model=model, usage=usage)
    except BadAnswer as failure:
        return JudgeReply(result=AttemptResult.BAD_OUTPUT, detail=str(failure), model=model, usage=usage)


def _answer_text(response: ModelResponse) -> str:
    """What the model handed to the one tool, or said where its server does not know tools."""
    calls = [part for part in response.parts if isinstance(part, ToolCallPart)]
    if len(calls) > 1:
        raise BadAnswer("the model answered more than once")
    text = calls[0].args_as_json_str() if calls else response.text
    if not text:
        raise BadAnswer("the model answered nothing")
    return text


def _usage_of(response: ModelResponse, elapsed_microseconds: int) -> ModelUsage | None:
    """What the response consumed; None where the provider did not say, which is not 0."""
    used = response.usage
    if used.unmeasured_requests or not used.has_values():
        return None
    counted = {
        "input_tokens": max(used.input_tokens, used.cache_read_tokens),
        "cached_input_tokens": used.cache_read_tokens,
        "output_tokens": max(used.output_tokens, used.output_reasoning_tokens),
        "reasoning_tokens": used.output_reasoning_tokens,
        "active_microseconds": elapsed_microseconds,
    }
    usage = ModelUsage(**{name: min(max(count, 0), MAX_COUNTER) for name, count in counted.items()})
    cost = cost_microunits(
        response.model_name, usage, response.provider_name, cache_write_tokens=used.cache_write_tokens
    )
    return replace(usage, cost_microunits=cost or 0)

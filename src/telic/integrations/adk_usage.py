"""What Google's ADK says of a response's usage, and the summaries that it makes beside its agents."""

from telic.domain.base_errors import needs_extra
from telic.domain.budget import ModelUsage, UsageKind
from telic.domain.errors import BudgetExceeded, GoalNotActive, PriceUnknown
from telic.integrations.model_calls import model_usage
from telic.integrations.session import GoalSession

with needs_extra("adk", "telic.integrations.adk"):
    from google.adk.apps.base_events_summarizer import BaseEventsSummarizer
    from google.adk.events import Event
    from google.adk.models.llm_request import LlmRequest
    from google.adk.models.llm_response import LlmResponse
    from google.genai import types


class BilledSummarizer(BaseEventsSummarizer):
    """Summarizes as another does, and bills what that consumed; nothing is summarized once the goal has stopped."""

    def __init__(self, session: GoalSession, inner: BaseEventsSummarizer) -> None:
        self._session = session
        self.inner: BaseEventsSummarizer = inner.inner if isinstance(inner, BilledSummarizer) else inner

    async def maybe_summarize_events(self, *, events: list[Event]) -> Event | None:
        """The events' summary, which is billed."""
        if not events:
            return None
        # The event of a summary does not tell by which model it was made.
        side, model = self._session.sub_agent(), getattr(self.inner, "_llm", None)
        try:
            sent = sum(size_of_text(event.content) for event in events)
            call = await side.begin(model=getattr(model, "model", None), request_bytes=sent)
        except (GoalNotActive, BudgetExceeded, PriceUnknown):
            return None
        try:
            summary = await self.inner.maybe_summarize_events(events=events)
        except BaseException as error:
            await side.unanswered(call, error)
            raise
        told = None if summary is None else summary.usage_metadata
        await side.answered(call, response_usage(told), kind=UsageKind.TOOL)
        return summary


def size_of_request(request: LlmRequest) -> int:
    """Return how many bytes of text the model is sent."""
    instruction = request.config.system_instruction if request.config else None
    return sum(size_of_text(content) for content in request.contents) + len(str(instruction or ""))


def size_of_text(content: types.Content | None) -> int:
    """Return how many bytes of text, and of tools' arguments, this is."""
    parts = (content.parts if content else None) or []
    return sum(len((part.text or "").encode("utf-8", "surrogatepass")) for part in parts) + sum(
        len(str(call.args or "")) for part in parts if (call := part.function_call)
    )


def is_whole(response: LlmResponse, *, is_streamed: bool) -> bool:
    """Return whether the response came to its end: a stream that does not say why it ended broke off."""
    return not is_streamed or response.finish_reason is not None or response.error_code is not None


def response_usage(told: types.GenerateContentResponseUsageMetadata | None) -> ModelUsage | None:
    """Return what a response used; None where it does not say.

    Gemini tells the thoughts beside the answer, other backends within it; what its own tools read is beside the prompt.
    """
    if told is None or told.prompt_token_count is None:
        return None
    thoughts = told.thoughts_token_count or 0
    return model_usage(
        input_tokens=told.prompt_token_count + (told.tool_use_prompt_token_count or 0),
        cached_input_tokens=told.cached_content_token_count,
        output_tokens=(told.candidates_token_count or 0) + thoughts,
        reasoning_tokens=thoughts,
        total_tokens=told.total_token_count,
    )

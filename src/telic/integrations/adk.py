"""A goal in Google's Agent Development Kit: a plugin that shows it and bills it, tools that report, `run` to go on."""

from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, Final

from telic.domain.base_errors import needs_extra
from telic.domain.budget import ModelUsage, UsageKind
from telic.domain.errors import BudgetExceeded, GoalNotActive, InvalidInput, PriceUnknown
from telic.domain.goal import DEFAULT_SCOPE
from telic.integrations.model_calls import ModelCall
from telic.integrations.runs import EndedRun, RunOutcome, run_while_active
from telic.integrations.session import GoalSession
from telic.integrations.settings import AnyStore, SessionSettings
from telic.integrations.tools import GoalTool, GoalTools
from telic.loop.agents.json_reader import model_usage

with needs_extra("adk", "telic.integrations.adk"):
    from google.adk.agents import LlmAgent
    from google.adk.agents.callback_context import CallbackContext
    from google.adk.agents.invocation_context import InvocationContext, LlmCallsLimitExceededError
    from google.adk.apps.base_events_summarizer import BaseEventsSummarizer
    from google.adk.apps.llm_event_summarizer import LlmEventSummarizer
    from google.adk.events import Event
    from google.adk.models.llm_request import LlmRequest
    from google.adk.models.llm_response import LlmResponse
    from google.adk.plugins import BasePlugin
    from google.adk.runners import Runner
    from google.adk.tools.base_tool import BaseTool
    from google.adk.tools.tool_context import ToolContext
    from google.genai import types

PLUGIN: Final = "telic"
Place = tuple[str, str]
"""An invocation, and the agent in it whose model is called."""

_IS_IN_TOOL: Final[ContextVar[bool]] = ContextVar("telic_adk_is_in_tool", default=False)
_LEFT: Final = ConnectionAbortedError("the run was left before its model had answered")


def ignore(_event: Event) -> None:
    """Do nothing with the event."""


class GoalPlugin(BasePlugin):
    """A scope's goal for one session of an app.

    Give agents the `tools`, and the app this plugin as its last, so that no other answers in the model's place. A
    model that is not called since the goal stopped answers with an event whose `error_code` is that of the refusal.
    """

    def __init__(self, store: AnyStore, *, scope: str = DEFAULT_SCOPE, settings: SessionSettings | None = None) -> None:
        super().__init__(PLUGIN)
        self.session = GoalSession(store, scope=scope, settings=settings)
        goal_tools = GoalTools(self.session)
        self.tools: list[BaseTool] = [_AdkTool(goal_tools, tool) for tool in goal_tools.offered]
        self._sub_agents = self.session.sub_agent()
        self._open: dict[Place, list[_OpenCall]] = {}

    async def run(
        self,
        runner: Runner,
        prompt: str | None = None,
        *,
        user_id: str,
        session_id: str,
        on_event: Callable[[Event], None] = ignore,
        **options: Any,
    ) -> RunOutcome[Event]:
        """The runner has worked on the goal until it ended, stopped, or needs the host; the goal tells which.

        Without a prompt the goal alone is what it works on. The result is the last run's last event; one with an
        `error_code` ends the work. Other `options` are those of `Runner.run_async`.

        Raises:
            GoalNotActive: the scope has no active goal.
            InvalidInput: this plugin is not one of the runner's.
        """
        if runner.plugin_manager.get_plugin(PLUGIN) is not self:
            raise InvalidInput("the runner's app does not have this plugin")
        options |= {"user_id": user_id, "session_id": session_id}

        async def once(given: str) -> EndedRun[Event]:
            last, message = None, types.Content(role="user", parts=[types.Part(text=given)])
            try:
                async for last in runner.run_async(new_message=message, **options):
                    on_event(last)
            except BaseException as error:
                await self.settle(error)
                raise
            return EndedRun(last, needs_host=last is not None and last.error_code is not None)

        return await run_while_active(self.session, prompt, once)

    async def settle(self, error: BaseException) -> None:
        """The calls that a run of your own left unanswered when it ended with this error are accounted for."""
        for place in list(self._open):
            await self._settle_at(place, error)

    async def _settle_at(self, place: Place, error: BaseException) -> None:
        for call in self._open.pop(place, []):
            await call.session.record_failed_call(call.call, error, seen_bytes=call.seen_bytes, told=call.told)

    async def before_run_callback(self, *, invocation_context: InvocationContext) -> None:
        """The summaries of the app's compaction are billed too, as a tool's calls of a model."""
        config = invocation_context.events_compaction_config
        if config is None:
            return
        inner, agent = config.summarizer, invocation_context.agent
        if inner is None and isinstance(agent, LlmAgent):
            inner = LlmEventSummarizer(llm=agent.canonical_model)
        if inner is not None:
            config.summarizer = _BilledSummarizer(self.session, inner)

    async def after_run_callback(self, *, invocation_context: InvocationContext) -> None:
        """A run has ended or was left by its host: what its open calls may have cost is recorded."""
        await self._end_run(invocation_context, _LEFT)

    async def on_run_error_callback(self, *, invocation_context: InvocationContext, error: Exception) -> None:
        """As `after_run_callback`, for a run that ended with an error. Too many calls are refused before they begin."""
        if isinstance(error, LlmCallsLimitExceededError):
            for place in self._places_of(invocation_context):
                await self._release_at(place)
        await self._end_run(invocation_context, error)

    async def _end_run(self, context: InvocationContext, error: Exception) -> None:
        for place in self._places_of(context):
            await self._settle_at(place, error)

    def _places_of(self, context: InvocationContext) -> list[Place]:
        return [place for place in self._open if place[0] == context.invocation_id]

    async def _release_at(self, place: Place) -> None:
        for call in self._open.pop(place, []):
            await call.session.cancel_call(call.call)

    async def on_event_callback(self, *, invocation_context: InvocationContext, event: Event) -> None:
        """Where an agent's own callback answered in the model's place, the model was never called."""
        place = invocation_context.invocation_id, event.author
        if not event.partial and all(not call.seen_bytes for call in self._open.get(place, ())):
            await self._release_at(place)

    async def before_tool_callback(
        self, *, tool: BaseTool, tool_args: dict[str, Any], tool_context: ToolContext
    ) -> None:
        """Agents that a tool runs are sub-agents. Each tool has a task of its own: this is true within it only."""
        _IS_IN_TOOL.set(True)

    async def before_model_callback(
        self, *, callback_context: CallbackContext, llm_request: LlmRequest
    ) -> LlmResponse | None:
        """The goal is at the end of this request only; or the model is not called."""
        # An error would end the whole app: the refusal is the model's answer instead.
        session = self._sub_agents if _IS_IN_TOOL.get() else self.session
        try:
            call = await session.begin(model=llm_request.model, request_bytes=_size_of_request(llm_request))
        except (GoalNotActive, BudgetExceeded, PriceUnknown) as refusal:
            return LlmResponse(error_code=refusal.code, error_message=str(refusal), turn_complete=True)
        self._open.setdefault(_place(callback_context), []).append(_OpenCall(session, call))
        if call.prompt is not None:
            shown = types.Content(role="user", parts=[types.Part(text=call.prompt)])
            llm_request.contents = [*llm_request.contents, shown]
        return None

    async def after_model_callback(self, *, callback_context: CallbackContext, llm_response: LlmResponse) -> None:
        """The response is billed when it is whole."""
        place = _place(callback_context)
        if llm_response.partial:
            # Calls of one agent end in the order in which they began.
            for each in self._open.get(place, [])[:1]:
                each.seen_bytes += _size_of_text(llm_response.content)
                each.told = response_usage(llm_response.usage_metadata) or each.told
            return
        call = self._taken(place)
        if call is not None:
            usage = response_usage(llm_response.usage_metadata)
            await call.session.record_response(
                call.call,
                usage if is_whole(llm_response, is_streamed=call.seen_bytes > 0) else None,
                model=llm_response.model_version,
                response_id=llm_response.interaction_id,
                seen_bytes=call.seen_bytes or _size_of_text(llm_response.content),
                told=usage or call.told,
            )

    def _taken(self, place: Place) -> "_OpenCall | None":
        calls = self._open.get(place, [])
        call = calls.pop(0) if calls else None
        if not calls:
            self._open.pop(place, None)
        return call

    async def on_model_error_callback(
        self, *, callback_context: CallbackContext, llm_request: LlmRequest, error: Exception
    ) -> None:
        """A call that came to nothing is accounted for, as far as anybody can know."""
        call = self._taken(_place(callback_context))
        if call is not None:
            await call.session.record_failed_call(call.call, error, seen_bytes=call.seen_bytes, told=call.told)


@dataclass(slots=True)
class _OpenCall:
    """A call that goes on, and how much of its response was seen."""

    session: GoalSession
    call: ModelCall
    seen_bytes: int = 0
    told: ModelUsage | None = None


class _AdkTool(BaseTool):
    """One of the goal's tools."""

    def __init__(self, tools: GoalTools, tool: GoalTool) -> None:
        super().__init__(name=tool.name, description=tool.description)
        self._tools = tools
        self._tool = tool

    def _get_declaration(self) -> types.FunctionDeclaration:
        return types.FunctionDeclaration(
            name=self._tool.name, description=self._tool.description, parameters_json_schema=self._tool.schema()
        )

    async def run_async(self, *, args: dict[str, Any], tool_context: ToolContext) -> dict[str, str]:
        """The tool was used, or its answer says why not."""
        return {"result": await self._tools.call(self._tool.name, args)}


def _place(context: CallbackContext) -> Place:
    return context.invocation_id, context.agent_name


class _BilledSummarizer(BaseEventsSummarizer):
    """Summarizes as another does, and bills what that consumed; nothing is summarized once the goal has stopped."""

    def __init__(self, session: GoalSession, inner: BaseEventsSummarizer) -> None:
        self._session = session
        self.inner: BaseEventsSummarizer = inner.inner if isinstance(inner, _BilledSummarizer) else inner

    async def maybe_summarize_events(self, *, events: list[Event]) -> Event | None:
        """The events' summary, which is billed."""
        if not events:
            return None
        # The event of a summary does not tell by which model it was made.
        side, model = self._session.sub_agent(), getattr(self.inner, "_llm", None)
        try:
            sent = sum(_size_of_text(event.content) for event in events)
            call = await side.begin(model=getattr(model, "model", None), request_bytes=sent)
        except (GoalNotActive, BudgetExceeded, PriceUnknown):
            return None
        try:
            summary = await self.inner.maybe_summarize_events(events=events)
        except BaseException as error:
            await side.record_failed_call(call, error)
            raise
        told = None if summary is None else summary.usage_metadata
        await side.record_response(call, response_usage(told), kind=UsageKind.TOOL)
        return summary


def _size_of_request(request: LlmRequest) -> int:
    instruction = request.config.system_instruction if request.config else None
    return sum(_size_of_text(content) for content in request.contents) + len(str(instruction or ""))


def _size_of_text(content: types.Content | None) -> int:
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

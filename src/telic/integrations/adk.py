"""A goal in Google's Agent Development Kit: a plugin that shows it and bills it, tools that report, `run` to go on."""

from collections.abc import Callable
from typing import Any, Final

from telic.domain.budget import ModelUsage
from telic.domain.errors import BudgetExceeded, GoalNotActive, InvalidInput
from telic.domain.errors.extras import needs_extra
from telic.domain.goal import DEFAULT_SCOPE
from telic.integrations.calls import ModelCall
from telic.integrations.outcome import CONTINUE, RunOutcome, outcome_of
from telic.integrations.session import GoalSession
from telic.integrations.settings import SessionSettings
from telic.integrations.tools import GoalTool, GoalTools
from telic.integrations.usage import model_usage
from telic.services.async_store import AsyncGoalStore
from telic.services.store import GoalStore

with needs_extra("adk", "telic.integrations.adk"):
    from google.adk.agents.callback_context import CallbackContext
    from google.adk.events import Event
    from google.adk.models.llm_request import LlmRequest
    from google.adk.models.llm_response import LlmResponse
    from google.adk.plugins import BasePlugin
    from google.adk.runners import Runner
    from google.adk.tools.base_tool import BaseTool
    from google.adk.tools.tool_context import ToolContext
    from google.genai import types

PLUGIN: Final = "telic"


def ignore(_event: Event) -> None:
    """Nothing is done with the event."""


class GoalPlugin(BasePlugin):
    """A scope's goal for one session of an app.

    Give agents the `tools`, and the app this plugin as its last, so that no other answers in the model's place. A
    model that is not called since the goal stopped answers with an event whose `error_code` is that of the refusal.
    """

    def __init__(
        self,
        store: AsyncGoalStore | GoalStore,
        *,
        scope: str = DEFAULT_SCOPE,
        settings: SessionSettings | None = None,
    ) -> None:
        super().__init__(PLUGIN)
        self.session = GoalSession(store, scope=scope, settings=settings)
        goal_tools = GoalTools(self.session)
        self.tools: list[BaseTool] = [_AdkTool(goal_tools, tool) for tool in goal_tools.offered]
        self._open: dict[tuple[str, str], ModelCall] = {}

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
        await self.session.start(continues=prompt is None)
        given, last = CONTINUE if prompt is None else prompt, None
        options |= {"user_id": user_id, "session_id": session_id}
        for _ in range(self.session.settings.max_runs):
            try:
                last = await self._run_once(runner, given, on_event, options) or last
                given = CONTINUE
                is_broken = last is not None and last.error_code is not None
                if is_broken or await self.session.goes_on() is None:
                    break
                await self.session.start(continues=True)
            except GoalNotActive:
                break
        return await outcome_of(self.session, last)

    async def _run_once(
        self, runner: Runner, prompt: str, on_event: Callable[[Event], None], options: dict[str, Any]
    ) -> Event | None:
        async def events() -> Event | None:
            last = None
            message = types.Content(role="user", parts=[types.Part(text=prompt)])
            async for event in runner.run_async(new_message=message, **options):
                last = event
                on_event(event)
            return last

        try:
            return await self.session.guard(events())
        except BaseException as error:
            await self.settle(error)
            raise

    async def settle(self, error: BaseException) -> None:
        """The calls that a run of your own left unanswered when it ended with this error are accounted for."""
        for place in list(self._open):
            await self.session.unanswered(self._open.pop(place), error)

    async def before_model_callback(
        self, *, callback_context: CallbackContext, llm_request: LlmRequest
    ) -> LlmResponse | None:
        """The goal is at the end of this request only; or the model is not called."""
        try:
            call = await self.session.begin()
        except (GoalNotActive, BudgetExceeded) as refusal:
            return LlmResponse(error_code=refusal.code, error_message=str(refusal), turn_complete=True)
        self._open[_place(callback_context)] = call
        if call.prompt is not None:
            shown = types.Content(role="user", parts=[types.Part(text=call.prompt)])
            llm_request.contents = [*llm_request.contents, shown]
        return None

    async def after_model_callback(self, *, callback_context: CallbackContext, llm_response: LlmResponse) -> None:
        """The response is billed when it is whole."""
        if llm_response.partial:
            return
        call = self._open.pop(_place(callback_context), None)
        if call is not None:
            usage = _usage(llm_response.usage_metadata)
            await self.session.answered(
                call, usage, model=llm_response.model_version, response_id=llm_response.interaction_id
            )

    async def on_model_error_callback(
        self, *, callback_context: CallbackContext, llm_request: LlmRequest, error: Exception
    ) -> None:
        """A call that came to nothing is accounted for, as far as anybody can know."""
        call = self._open.pop(_place(callback_context), None)
        if call is not None:
            await self.session.unanswered(call, error)


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


def _place(context: CallbackContext) -> tuple[str, str]:
    return context.invocation_id, context.agent_name


def _usage(told: types.GenerateContentResponseUsageMetadata | None) -> ModelUsage | None:
    """Gemini tells the thoughts beside the answer, and what its own tools read beside the prompt."""
    if told is None or told.prompt_token_count is None:
        return None
    thoughts = told.thoughts_token_count or 0
    return model_usage(
        input_tokens=told.prompt_token_count + (told.tool_use_prompt_token_count or 0),
        cached_input_tokens=told.cached_content_token_count,
        output_tokens=(told.candidates_token_count or 0) + thoughts,
        reasoning_tokens=thoughts,
    )

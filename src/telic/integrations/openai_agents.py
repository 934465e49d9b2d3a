"""A goal in the OpenAI Agents SDK: an input filter shows it, run hooks bill it, tools report on it, `run` goes on."""

import inspect
from contextlib import suppress
from contextvars import ContextVar
from dataclasses import replace
from functools import partial
from typing import Any, Final

from telic.domain.budget import ModelUsage
from telic.domain.errors import GoalNotActive
from telic.domain.errors.extras import needs_extra
from telic.domain.goal import DEFAULT_SCOPE
from telic.domain.ids import new_key
from telic.integrations.calls import ModelCall
from telic.integrations.outcome import CONTINUE, RunOutcome, outcome_of
from telic.integrations.session import GoalSession
from telic.integrations.settings import SessionSettings
from telic.integrations.tools import GoalTool, GoalTools
from telic.integrations.usage import model_usage
from telic.prompt import place_after_prefix
from telic.services.async_store import AsyncGoalStore
from telic.services.store import GoalStore

with needs_extra("openai-agents", "telic.integrations.openai_agents"):
    from agents import (
        Agent,
        FunctionTool,
        MaxTurnsExceeded,
        ModelResponse,
        RunConfig,
        RunContextWrapper,
        RunHooks,
        Runner,
        RunResult,
        RunState,
        SQLiteSession,
        Tool,
    )
    from agents.items import TResponseInputItem
    from agents.memory import Session
    from agents.models.fake_id import FAKE_RESPONSES_ID
    from agents.run_config import CallModelData, CallModelInputFilter, ModelInputData
    from agents.tool_context import ToolContext

_CALL: Final[ContextVar[ModelCall | None]] = ContextVar("telic_model_call", default=None)
"""The call of the model that goes on in this task: the SDK runs its hooks in copies of the task's context."""

_KEPT_BY_THE_SERVER: Final = ("conversation_id", "previous_response_id", "auto_previous_response_id")
"""Options by which the provider keeps what it is sent as input; the block is then sent as instructions instead."""


class AgentsGoal:
    """A scope's goal for one conversation of agents of the OpenAI Agents SDK.

    Give agents the `tools`, and either let `run` work on the goal, or pass `hooks` and `run_config()` to every run
    of your own, also to those of agents that serve as tools. A run of your own that meets a stopped goal raises
    `GoalNotActive`.
    """

    def __init__(
        self,
        store: AsyncGoalStore | GoalStore,
        *,
        scope: str = DEFAULT_SCOPE,
        settings: SessionSettings | None = None,
    ) -> None:
        self.session = GoalSession(store, scope=scope, settings=settings)
        goal_tools = GoalTools(self.session)
        self.tools: list[Tool] = [_function_tool(goal_tools, tool) for tool in goal_tools.offered]
        self._open: dict[str, ModelCall] = {}
        self.hooks = GoalHooks(self)

    def run_config(self, base: RunConfig | None = None, *, in_instructions: bool = False) -> RunConfig:
        """`base` with the goal shown at the end of each request, after what its own filter made of it.

        With `in_instructions` it is shown at the end of the instructions, for conversations that the provider keeps.
        """
        config = base or RunConfig()
        shown = partial(self._show, config.call_model_input_filter, in_instructions)
        return replace(config, call_model_input_filter=shown)

    async def run(
        self,
        agent: Agent[Any],
        prompt: str | list[TResponseInputItem] | RunState[Any] | None = None,
        *,
        session: Session | None = None,
        run_config: RunConfig | None = None,
        **options: Any,
    ) -> RunOutcome[RunResult]:
        """The agent has worked on the goal until it ended, stopped, or needs the host; the goal tells which.

        Without a prompt the goal alone is what it works on. Give the `session` of the conversation, where there is
        one, to go on with it. Other `options` are those of `Runner.run`. A run that reaches its `max_turns` is
        followed by another.

        Raises:
            GoalNotActive: the scope has no active goal.
            BudgetExceeded: what is left of the budget is held by other calls, or by some whose usage is unknown.
        """
        await self.session.start(continues=prompt is None)
        options["session"] = session or SQLiteSession(new_key())
        kept = any(options.get(name) for name in _KEPT_BY_THE_SERVER)
        options["run_config"] = self.run_config(run_config, in_instructions=kept)
        result: RunResult | None = None
        given = CONTINUE if prompt is None else prompt
        for _ in range(self.session.settings.max_runs):
            try:
                result = await self._run_once(agent, given, options)
                given = CONTINUE
                if result.interruptions or await self.session.goes_on() is None:
                    break
            except MaxTurnsExceeded:
                given = CONTINUE
            except GoalNotActive:
                break
            with suppress(GoalNotActive):
                await self.session.start(continues=True)
        return await outcome_of(self.session, result)

    async def _run_once(
        self, agent: Agent[Any], prompt: str | list[TResponseInputItem] | RunState[Any], options: dict[str, Any]
    ) -> RunResult:
        try:
            return await self.session.guard(Runner.run(agent, prompt, hooks=self.hooks, **options))
        except BaseException as error:
            await self.settle(error)
            raise

    async def settle(self, error: BaseException) -> None:
        """The calls that a run of your own left unanswered when it ended with this error are accounted for."""
        for key in list(self._open):
            await self.session.unanswered(self._open.pop(key), error)

    async def _show(
        self, inner: CallModelInputFilter | None, in_instructions: bool, data: CallModelData[Any]
    ) -> ModelInputData:
        made = data.model_data if inner is None else inner(data)
        shown = await made if inspect.isawaitable(made) else made
        call = await self.session.begin()
        _CALL.set(call)
        self._open[call.key] = call
        if call.prompt is None:
            return shown
        if in_instructions:
            return ModelInputData(shown.input, place_after_prefix(shown.instructions or "", call.prompt))
        return ModelInputData([*shown.input, {"role": "user", "content": call.prompt}], shown.instructions)

    async def answered(self, agent: Agent[Any], response: ModelResponse) -> None:
        """The response is billed; called by the hooks."""
        call = _CALL.get()
        if call is None:
            return
        self._open.pop(call.key, None)
        await self.session.answered(
            call, _usage(response), model=_model_name(agent, response), response_id=_response_id(response)
        )


class GoalHooks(RunHooks[Any]):
    """Bills each response. Subclass it for hooks of your own, and call `super().on_llm_end`."""

    def __init__(self, goal: AgentsGoal) -> None:
        self._goal = goal

    async def on_llm_end(self, context: RunContextWrapper[Any], agent: Agent[Any], response: ModelResponse) -> None:
        """The response is billed."""
        await self._goal.answered(agent, response)


def _function_tool(tools: GoalTools, tool: GoalTool) -> FunctionTool:
    async def invoke(_context: ToolContext[Any], arguments: str) -> str:
        return await tools.call(tool.name, arguments)

    return FunctionTool(
        name=tool.name, description=tool.description, params_json_schema=tool.schema(), on_invoke_tool=invoke
    )


def _usage(response: ModelResponse) -> ModelUsage | None:
    used = response.usage
    return model_usage(
        input_tokens=used.input_tokens,
        output_tokens=used.output_tokens,
        cached_input_tokens=used.input_tokens_details.cached_tokens,
        reasoning_tokens=used.output_tokens_details.reasoning_tokens,
    )


def _response_id(response: ModelResponse) -> str | None:
    is_made_up = response.response_id == FAKE_RESPONSES_ID
    return response.request_id if is_made_up or not response.response_id else response.response_id


def _model_name(agent: Agent[Any], response: ModelResponse) -> str | None:
    told = (getattr(item, "provider_data", None) or {} for item in response.output)
    known = next((data["model"] for data in told if "model" in data), None)
    return known or (agent.model if isinstance(agent.model, str) else getattr(agent.model, "model", None))

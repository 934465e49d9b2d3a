"""A goal in the OpenAI Agents SDK: a model that shows and bills it, tools that report on it, `run` to go on."""

import inspect
from copy import copy
from dataclasses import replace
from functools import partial
from typing import Any, Final

from telic.domain.base_errors import needs_extra
from telic.domain.goal import DEFAULT_SCOPE
from telic.domain.ids import new_key
from telic.integrations.runs import EndedRun, RunOutcome, run_while_active
from telic.integrations.session import GoalSession
from telic.integrations.settings import AnyStore, SessionSettings
from telic.integrations.tools import GoalTool, GoalTools

with needs_extra("openai-agents", "telic.integrations.openai_agents"):
    from agents import (
        Agent,
        FunctionTool,
        MaxTurnsExceeded,
        RunConfig,
        RunHooks,
        Runner,
        RunResult,
        RunState,
        SQLiteSession,
        Tool,
    )
    from agents.items import TResponseInputItem
    from agents.memory import Session
    from agents.run_config import CallModelData, CallModelInputFilter, ModelInputData
    from agents.tool_context import ToolContext

    from telic.integrations.openai_model import GoalModel, enter_run

_BY_RESPONSE: Final = ("previous_response_id", "auto_previous_response_id")
_KEPT_BY_THE_SERVER: Final = ("conversation_id", *_BY_RESPONSE)
"""Options by which the provider keeps what it is sent as input; the block is then sent as instructions instead."""

Prompt = str | list[TResponseInputItem] | RunState[Any]


class AgentsGoal:
    """A scope's goal for one conversation of agents of the OpenAI Agents SDK.

    Give agents the `tools`, and either let `run` work on the goal, or pass `run_config()` to every run of your own: a
    run that meets a stopped goal raises `GoalNotActive`. Agents that serve as tools inherit it, and are billed as
    sub-agents; give `sub_agent().run_config()` to runs that your own tools start. `hooks` do nothing; they are there
    for programs that pass them.
    """

    def __init__(self, store: AnyStore, *, scope: str = DEFAULT_SCOPE, settings: SessionSettings | None = None) -> None:
        self.session = GoalSession(store, scope=scope, settings=settings)
        goal_tools = GoalTools(self.session)
        self.tools: list[Tool] = [_function_tool(goal_tools, tool) for tool in goal_tools.offered]
        self.hooks = GoalHooks()

    def sub_agent(self) -> "AgentsGoal":
        """The goal for a sub-agent: it is billed as one, is shown no goal, has no tools for it, and answers once."""
        goal = copy(self)
        goal.session, goal.tools = self.session.sub_agent(), []
        return goal

    def run_config(self, base: RunConfig | None = None, *, in_instructions: bool = False) -> RunConfig:
        """`base` with a model in front of the agents' own that shows the goal and bills each response.

        The goal is at the end of each request, after what the filter of `base` made of it. With `in_instructions` it is
        at the end of the instructions, for conversations that the provider keeps.
        """
        config = base or RunConfig()
        own = config.model
        if isinstance(own, GoalModel):
            config = replace(config, model=own.base.model)
        model = GoalModel(self.session, config, in_instructions)
        return replace(config, model=model, call_model_input_filter=partial(_enter, config.call_model_input_filter))

    async def run(
        self,
        agent: Agent[Any],
        prompt: Prompt | None = None,
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
        kept = any(options.get(name) for name in _KEPT_BY_THE_SERVER)
        if session is not None or not kept:
            options["session"] = session or SQLiteSession(new_key())
        options["run_config"] = self.run_config(run_config, in_instructions=kept)

        async def once(given: Prompt) -> EndedRun[RunResult]:
            try:
                result = await Runner.run(agent, given, **options)
            except MaxTurnsExceeded as error:
                responses = error.run_data.raw_responses if error.run_data else []
                _go_on_from(options, responses[-1].response_id if responses else None)
                return EndedRun(None)
            _go_on_from(options, result.last_response_id)
            return EndedRun(result, needs_host=bool(result.interruptions))

        return await run_while_active(self.session, prompt, once)

    async def settle(self, error: BaseException | None = None) -> None:
        """Calls that a run of your own left unanswered are in the ledger: wait for this before you close the store."""
        await self.session.wait_until_recorded()


class GoalHooks(RunHooks[Any]):
    """Hooks that do nothing: responses are billed by the model of `run_config()`."""


def _go_on_from(options: dict[str, Any], response_id: str | None) -> None:
    # Where the provider keeps the conversation by its responses, the next run has to name the last one.
    if response_id is not None and any(options.get(name) for name in _BY_RESPONSE):
        options["previous_response_id"] = response_id


async def _enter(inner: CallModelInputFilter | None, data: CallModelData[Any]) -> ModelInputData:
    made = data.model_data if inner is None else inner(data)
    shown = await made if inspect.isawaitable(made) else made
    enter_run(data.agent)
    return shown


def _function_tool(tools: GoalTools, tool: GoalTool) -> FunctionTool:
    async def invoke(_context: ToolContext[Any], arguments: str) -> str:
        return await tools.call(tool.name, arguments)

    return FunctionTool(
        name=tool.name, description=tool.description, params_json_schema=tool.schema(), on_invoke_tool=invoke
    )

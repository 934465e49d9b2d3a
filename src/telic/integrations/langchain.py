"""A goal in LangChain and LangGraph: a middleware that shows it, bills it, goes on with it, and brings its tools."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from typing import Any, TypeVar

from telic.domain.budget import ModelUsage
from telic.domain.errors import InvalidInput
from telic.domain.errors.extras import needs_extra
from telic.domain.goal import DEFAULT_SCOPE
from telic.integrations.calls import ModelCall
from telic.integrations.outcome import CONTINUE
from telic.integrations.session import GoalSession
from telic.integrations.settings import SessionSettings
from telic.integrations.tools import GoalTool, GoalTools
from telic.integrations.usage import model_usage
from telic.services.async_store import AsyncGoalStore
from telic.services.store import GoalStore

with needs_extra("langchain", "telic.integrations.langchain"):
    from langchain.agents.middleware import AgentMiddleware, AgentState, ModelRequest, ModelResponse, hook_config
    from langchain_core.messages import AIMessage, AnyMessage, HumanMessage
    from langchain_core.tools import BaseTool, StructuredTool
    from langgraph.runtime import Runtime

T = TypeVar("T")
Update = dict[str, Any]


class GoalMiddleware(AgentMiddleware[AgentState[Any], Any, Any]):
    """A scope's goal for one thread of an agent that `create_agent` made.

    Put it last among the middleware, so that each attempt at a call passes it. The agent goes on by itself while the
    goal is active, and ends when it is not; nothing of the goal is kept in the graph's state. `invoke` needs a
    blocking store; `ainvoke` works with both, and also cancels a running call when somebody stops the goal: it then
    raises `GoalNotActive`.
    """

    def __init__(
        self,
        store: AsyncGoalStore | GoalStore,
        *,
        scope: str = DEFAULT_SCOPE,
        settings: SessionSettings | None = None,
    ) -> None:
        super().__init__()
        self.session = GoalSession(store, scope=scope, settings=settings)
        goal_tools = GoalTools(self.session)
        self.tools: Sequence[BaseTool] = [self._tool(goal_tools, tool) for tool in goal_tools.offered]
        self._runs = 0

    async def abefore_agent(self, state: AgentState[Any], runtime: Runtime[Any]) -> Update | None:
        """The agent works on the goal.

        Raises:
            GoalNotActive: the scope has none that is active.
        """
        self._runs = 1
        await self.session.start()
        return None

    def before_agent(self, state: AgentState[Any], runtime: Runtime[Any]) -> Update | None:
        """As `abefore_agent`."""
        return self._wait(self.abefore_agent(state, runtime))

    @hook_config(can_jump_to=["end"])
    async def abefore_model(self, state: AgentState[Any], runtime: Runtime[Any]) -> Update | None:
        """The agent ends here where its goal has."""
        has_ended = self.session.seen is not None and await self.session.goes_on() is None
        return {"jump_to": "end"} if has_ended else None

    @hook_config(can_jump_to=["end"])
    def before_model(self, state: AgentState[Any], runtime: Runtime[Any]) -> Update | None:
        """As `abefore_model`."""
        return self._wait(self.abefore_model(state, runtime))

    async def awrap_model_call(
        self, request: ModelRequest[Any], handler: Callable[[ModelRequest[Any]], Awaitable[ModelResponse[Any]]]
    ) -> ModelResponse[Any]:
        """The goal is at the end of this request only, and the response is billed.

        Raises:
            GoalNotActive, BudgetExceeded: the model was not called, or its call was cancelled.
        """

        async def ask() -> ModelResponse[Any]:
            return await handler(_shown(request, call))

        call = await self.session.begin()
        try:
            response = await self.session.guard(ask())
        except BaseException as error:
            await self.session.unanswered(call, error)
            raise
        await self._bill(call, response)
        return response

    def wrap_model_call(
        self, request: ModelRequest[Any], handler: Callable[[ModelRequest[Any]], ModelResponse[Any]]
    ) -> ModelResponse[Any]:
        """As `awrap_model_call`, but that a running call is not cancelled."""
        call = self._wait(self.session.begin())
        try:
            response = handler(_shown(request, call))
        except BaseException as error:
            self._wait(self.session.unanswered(call, error))
            raise
        self._wait(self._bill(call, response))
        return response

    async def _bill(self, call: ModelCall, response: ModelResponse[Any]) -> None:
        message = next((each for each in response.result if isinstance(each, AIMessage)), None)
        if message is None:
            await self.session.answered(call, None)
            return
        told = message.response_metadata
        name = told.get("model_name") or told.get("model")
        await self.session.answered(call, _usage(message), model=name, response_id=told.get("id") or message.id)

    @hook_config(can_jump_to=["model"])
    async def aafter_agent(self, state: AgentState[Any], runtime: Runtime[Any]) -> Update | None:
        """The agent goes on while the goal is active, for as many runs as the settings allow."""
        is_over = self.session.seen is None or self._runs >= self.session.settings.max_runs
        if is_over or await self.session.goes_on() is None:
            return None
        self._runs += 1
        await self.session.start(continues=True)
        return {"messages": [HumanMessage(CONTINUE)], "jump_to": "model"}

    @hook_config(can_jump_to=["model"])
    def after_agent(self, state: AgentState[Any], runtime: Runtime[Any]) -> Update | None:
        """As `aafter_agent`."""
        return self._wait(self.aafter_agent(state, runtime))

    def _tool(self, tools: GoalTools, tool: GoalTool) -> BaseTool:
        async def use(**arguments: Any) -> str:
            return await tools.call(tool.name, arguments)

        def wait(**arguments: Any) -> str:
            return self._wait(use(**arguments))

        return StructuredTool(
            name=tool.name, description=tool.description, args_schema=tool.schema(), func=wait, coroutine=use
        )

    def _wait(self, work: Coroutine[Any, Any, T]) -> T:
        """What the work gives, in a thread without an event loop."""
        if not self.session.is_blocking:
            work.close()
            raise InvalidInput("an agent with an async store is called by ainvoke or astream")
        return asyncio.run(work)


def _shown(request: ModelRequest[Any], call: ModelCall) -> ModelRequest[Any]:
    if call.prompt is None:
        return request
    messages: list[AnyMessage] = [*request.messages, HumanMessage(call.prompt)]
    return request.override(messages=messages)


def _usage(message: AIMessage) -> ModelUsage | None:
    used = message.usage_metadata
    if used is None:
        return None
    return model_usage(
        input_tokens=used["input_tokens"],
        output_tokens=used["output_tokens"],
        cached_input_tokens=used.get("input_token_details", {}).get("cache_read"),
        reasoning_tokens=used.get("output_token_details", {}).get("reasoning"),
    )

"""A goal in LangChain and LangGraph: a middleware that shows it, bills it, goes on with it, and brings its tools."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from contextlib import suppress
from contextvars import ContextVar
from copy import copy
from typing import Any, Final, TypeVar
from uuid import UUID

from telic.domain.base_errors import needs_extra
from telic.domain.errors import GoalNotActive, InvalidInput
from telic.domain.goal import DEFAULT_SCOPE
from telic.integrations.model_calls import ModelCall
from telic.integrations.runs import CONTINUE, guarded
from telic.integrations.session import GoalSession
from telic.integrations.settings import AnyStore, SessionSettings
from telic.integrations.tools import GoalTool, GoalTools

with needs_extra("langchain", "telic.integrations.langchain"):
    from langchain.agents.middleware import AgentMiddleware, AgentState, ModelRequest, ModelResponse, hook_config
    from langchain.agents.middleware.types import ToolCallRequest
    from langchain_core.callbacks import BaseCallbackManager
    from langchain_core.messages import AIMessage, AnyMessage, HumanMessage, ToolMessage
    from langchain_core.tools import BaseTool
    from langgraph.config import get_config
    from langgraph.runtime import Runtime
    from langgraph.types import Command

    from telic.integrations.langchain_calls import OWN_CALL, SIDE_CALLS, StreamedMessage, answer, size_of

T = TypeVar("T")
Update = dict[str, Any]

_CALLER: Final[ContextVar[GoalSession | None]] = ContextVar("telic_langchain_caller", default=None)
"""Whose tool runs."""


class GoalMiddleware(AgentMiddleware[AgentState[Any], Any, Any]):
    """A scope's goal for one thread of an agent that `create_agent` made.

    Put it last among the middleware, so that each attempt at a call passes it. The agent goes on by itself while the
    goal is active, and ends when it is not; nothing of the goal is kept in the graph's state. An agent that is part of
    another graph answers once, and its graph decides what comes next; one that a tool of the goal's agent runs is a
    sub-agent (`sub_agent`). What else calls models below the agent is billed too. `invoke` needs a blocking store;
    `ainvoke` works with both, and also cancels a running call when somebody stops the goal: it then raises
    `GoalNotActive`.
    """

    def __init__(self, store: AnyStore, *, scope: str = DEFAULT_SCOPE, settings: SessionSettings | None = None) -> None:
        super().__init__()
        self.session = GoalSession(store, scope=scope, settings=settings)
        goal_tools = GoalTools(self.session)
        self.tools: Sequence[BaseTool] = [_tool(self.session, goal_tools, tool) for tool in goal_tools.offered]
        self._sub_agents = self.session.sub_agent()
        self._is_sub_agent = False
        self._runs = 0

    def sub_agent(self) -> "GoalMiddleware":
        """A middleware for an agent that works for this one, wherever it runs.

        Its calls are billed to the goal as a sub-agent's, and count as no turns. It is shown no goal, has no tools for
        it, and answers once. An agent that a tool of the goal's agent runs is treated so with any middleware of the
        same scope.
        """
        view = copy(self)
        view.tools, view._is_sub_agent = [], True
        return view

    @property
    def _is_below(self) -> bool:
        caller = _CALLER.get()
        return self._is_sub_agent or (caller is not None and caller.scope == self.session.scope)

    async def abefore_agent(self, state: AgentState[Any], runtime: Runtime[Any]) -> Update | None:
        """The agent works on the goal.

        Raises:
            GoalNotActive: the scope has none that is active.
        """
        SIDE_CALLS.belongs(_node(), self.session)
        if not self._is_below:
            self._runs = 1
            await self.session.start()
        return None

    def before_agent(self, state: AgentState[Any], runtime: Runtime[Any]) -> Update | None:
        """As `abefore_agent`."""
        return self._wait(self.abefore_agent(state, runtime))

    @hook_config(can_jump_to=["end"])
    async def abefore_model(self, state: AgentState[Any], runtime: Runtime[Any]) -> Update | None:
        """The agent ends here where its goal has."""
        SIDE_CALLS.belongs(_node(), self.session)
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
            GoalNotActive, BudgetExceeded, PriceUnknown: the model was not called, or its call was cancelled.
        """
        session, asked = self._asked(request)
        seen = StreamedMessage()

        async def ask() -> ModelResponse[Any]:
            # Set within the task, so that the callbacks of other tasks take their calls for side calls (ADR 37).
            OWN_CALL.set(seen)
            return await handler(_shown(asked, call))

        call = await session.begin(model=_model_name(asked), request_bytes=_size(asked))
        try:
            response = await guarded(session, ask())
        except BaseException as error:
            await session.record_failed_call(call, error, seen_bytes=seen.bytes, told=seen.usage)
            raise
        await answer(session, call, _message(response), seen)
        return response

    def wrap_model_call(
        self, request: ModelRequest[Any], handler: Callable[[ModelRequest[Any]], ModelResponse[Any]]
    ) -> ModelResponse[Any]:
        """As `awrap_model_call`, but that a running call is not cancelled."""
        session, asked = self._asked(request)
        call = self._wait(session.begin(model=_model_name(asked), request_bytes=_size(asked)))
        seen = StreamedMessage()
        token = OWN_CALL.set(seen)
        try:
            response = handler(_shown(asked, call))
        except BaseException as error:
            self._wait(session.record_failed_call(call, error, seen_bytes=seen.bytes, told=seen.usage))
            raise
        finally:
            OWN_CALL.reset(token)
        self._wait(answer(session, call, _message(response), seen))
        return response

    def _asked(self, request: ModelRequest[Any]) -> tuple[GoalSession, ModelRequest[Any]]:
        """Return whose call it is, and the request; a streamed one asks for its usage where it says nothing of that."""
        model = request.model
        if getattr(model, "stream_usage", False) is None:
            request = request.override(model=model.model_copy(update={"stream_usage": True}))
        if not self._is_below:
            return self.session, request
        others = [tool for tool in request.tools if not isinstance(tool, _GoalTool)]
        return self._sub_agents, request.override(tools=others)

    async def awrap_tool_call(
        self, request: ToolCallRequest, handler: Callable[[ToolCallRequest], Awaitable[ToolMessage | Command[Any]]]
    ) -> ToolMessage | Command[Any]:
        """Agents that the tool runs are sub-agents."""
        token = _CALLER.set(self.session)
        try:
            return await handler(request)
        finally:
            _CALLER.reset(token)

    def wrap_tool_call(
        self, request: ToolCallRequest, handler: Callable[[ToolCallRequest], ToolMessage | Command[Any]]
    ) -> ToolMessage | Command[Any]:
        """As `awrap_tool_call`."""
        token = _CALLER.set(self.session)
        try:
            return handler(request)
        finally:
            _CALLER.reset(token)

    @hook_config(can_jump_to=["model"])
    async def aafter_agent(self, state: AgentState[Any], runtime: Runtime[Any]) -> Update | None:
        """The agent goes on while the goal is active, for as many runs as the settings allow."""
        is_over = self.session.seen is None or self._runs >= self.session.settings.max_runs
        if self._is_below or _is_in_a_graph() or is_over or await self.session.goes_on() is None:
            return None
        self._runs += 1
        await self.session.start(continues=True)
        return {"messages": [HumanMessage(CONTINUE)], "jump_to": "model"}

    @hook_config(can_jump_to=["model"])
    def after_agent(self, state: AgentState[Any], runtime: Runtime[Any]) -> Update | None:
        """As `aafter_agent`."""
        return self._wait(self.aafter_agent(state, runtime))

    def _wait(self, work: Coroutine[Any, Any, T]) -> T:
        return _finished(self.session, work)


class _GoalTool(BaseTool):
    """One of the goal's tools. Its arguments have any names that a model may think of."""

    session: GoalSession
    goal_tools: GoalTools

    def _run(self, /, **arguments: Any) -> str:
        return _finished(self.session, self._arun(**arguments))

    async def _arun(self, /, **arguments: Any) -> str:
        if self.session.seen is None:
            # A call that a person approved after a restart: its goal is the one that is active.
            with suppress(GoalNotActive):
                await self.session.start()
        return await self.goal_tools.call(self.name, arguments)


def _tool(session: GoalSession, tools: GoalTools, tool: GoalTool) -> BaseTool:
    return _GoalTool(
        name=tool.name, description=tool.description, args_schema=tool.schema(), session=session, goal_tools=tools
    )


def _finished(session: GoalSession, work: Coroutine[Any, Any, T]) -> T:
    """Return what the work gives, in a thread without an event loop.

    Raises:
        InvalidInput: the store needs one.
    """
    if not session.is_blocking:
        work.close()
        raise InvalidInput("an agent with an async store is called by ainvoke or astream")
    return asyncio.run(work)


def _node() -> UUID | None:
    """Return the run of the node that this is called in."""
    callbacks = get_config().get("callbacks")
    return callbacks.parent_run_id if isinstance(callbacks, BaseCallbackManager) else None


def _is_in_a_graph() -> bool:
    # Each level of a graph has a part of the checkpoint's namespace.
    return "|" in str(get_config().get("configurable", {}).get("checkpoint_ns", ""))


def _shown(request: ModelRequest[Any], call: ModelCall) -> ModelRequest[Any]:
    if call.prompt is None:
        return request
    messages: list[AnyMessage] = [*request.messages, HumanMessage(call.prompt)]
    return request.override(messages=messages)


def _message(response: ModelResponse[Any]) -> AIMessage | None:
    return next((each for each in response.result if isinstance(each, AIMessage)), None)


def _model_name(request: ModelRequest[Any]) -> object:
    return getattr(request.model, "model_name", None) or getattr(request.model, "model", None)


def _size(request: ModelRequest[Any]) -> int:
    system = [] if request.system_message is None else [request.system_message]
    return size_of([*system, *request.messages])

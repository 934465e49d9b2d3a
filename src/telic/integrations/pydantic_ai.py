"""A goal in Pydantic AI: one capability that shows it, bills it, goes on with it, and brings its tools."""

from collections.abc import Sequence
from contextlib import suppress
from copy import copy
from dataclasses import dataclass, replace
from typing import Any

from telic.domain.errors import GoalNotActive
from telic.domain.errors.extras import needs_extra
from telic.domain.goal import DEFAULT_SCOPE
from telic.integrations.outcome import CONTINUE, RunOutcome, outcome_of
from telic.integrations.session import GoalSession, ModelCall
from telic.integrations.settings import SessionSettings
from telic.integrations.tools import GoalTool, GoalTools
from telic.integrations.usage import turn_key
from telic.services.async_store import AsyncGoalStore
from telic.services.store import GoalStore

with needs_extra("pydantic-ai", "telic.integrations.pydantic_ai"):
    from pydantic_ai import Agent, RunContext, Tool, UsageLimits, capture_run_messages
    from pydantic_ai.capabilities import AbstractCapability, CapabilityOrdering, WrapModelRequestHandler
    from pydantic_ai.messages import ModelMessage, ModelRequest, ModelResponse, ToolCallPart, UserPromptPart
    from pydantic_ai.models import ModelRequestContext
    from pydantic_ai.run import AgentRunResult
    from pydantic_ai.toolsets import AgentToolset, FunctionToolset

    from telic.loop.verification.judge_model import usage_of


@dataclass(frozen=True, slots=True)
class Conversation:
    """All messages of a run, to go on from, and its result where it came to one before its goal stopped."""

    messages: list[ModelMessage]
    result: AgentRunResult[Any] | None


class GoalCapability(AbstractCapability[Any]):
    """A scope's goal for one conversation with an agent of Pydantic AI.

    Either give it to the agent (`capabilities=[…]`), whose run then raises `GoalNotActive` when the goal stops, or let
    `run` work on the goal with an agent that does not have it.
    """

    def __init__(
        self,
        store: AsyncGoalStore | GoalStore,
        *,
        scope: str = DEFAULT_SCOPE,
        settings: SessionSettings | None = None,
    ) -> None:
        self.session = GoalSession(store, scope=scope, settings=settings)
        self._tools = GoalTools(self.session)
        self._call: ModelCall | None = None
        self._continuations = 0

    async def run(
        self,
        agent: Agent[Any, Any],
        prompt: str | None = None,
        *,
        message_history: Sequence[ModelMessage] | None = None,
        **options: Any,
    ) -> RunOutcome[Conversation]:
        """The agent has worked on the goal until it ended, stopped, or needs the host; the goal tells which.

        Without a prompt the goal alone is what it works on. Other `options` are those of `Agent.run`; no other limit
        than the goal's budget is set where they name none.

        Raises:
            GoalNotActive: the scope has no active goal.
            BudgetExceeded: what is left of the budget is held by other calls, or by some whose usage is unknown.
        """
        await self.session.start(continues=prompt is None)
        options.setdefault("usage_limits", UsageLimits(request_limit=None))
        options["capabilities"] = [*options.get("capabilities", ()), self]
        result: AgentRunResult[Any] | None = None
        given = CONTINUE if prompt is None else prompt
        with capture_run_messages() as messages, suppress(GoalNotActive):
            result = await self.session.guard(agent.run(given, message_history=message_history, **options))
        return await outcome_of(self.session, Conversation(list(messages), result))

    async def for_run(self, ctx: RunContext[Any]) -> "GoalCapability":
        """A copy for the run, which counts its own calls; the session is shared."""
        return copy(self)

    def get_ordering(self) -> CapabilityOrdering:
        """Innermost: nothing changes the request after the goal is in it, or the response before it is billed."""
        return CapabilityOrdering(position="innermost")

    def get_toolset(self) -> AgentToolset[Any]:
        """The goal's tools."""
        return FunctionToolset([_tool(self._tools, tool) for tool in self._tools.offered])

    async def prepare_model_request(
        self, ctx: RunContext[Any], request_context: ModelRequestContext
    ) -> ModelRequestContext:
        """The goal is at the end of the request, and only there.

        Raises:
            GoalNotActive, BudgetExceeded: the model is not called.
        """
        key = turn_key(ctx.run_id, ctx.run_step, request_context.attempt) if ctx.run_id else None
        self._call = call = await self.session.begin(key)
        if call.prompt is None:
            return request_context
        shown = ModelRequest(parts=[UserPromptPart(call.prompt)])
        return replace(request_context, messages=[*request_context.messages, shown])

    async def after_model_request(
        self, ctx: RunContext[Any], *, request_context: ModelRequestContext, response: ModelResponse
    ) -> ModelResponse:
        """The response is billed; where it would be the last and the goal is active, the run goes on."""
        call, self._call = self._call, None
        if call is not None:
            usage = usage_of(response, call.elapsed_microseconds)
            await self.session.answered(
                call, usage, model=response.model_name, response_id=response.provider_response_id
            )
        await self._continue(ctx, request_context, response)
        return response

    async def _continue(
        self, ctx: RunContext[Any], request_context: ModelRequestContext, response: ModelResponse
    ) -> None:
        outputs = {tool.name for tool in request_context.model_request_parameters.output_tools}
        if any(part.tool_name not in outputs for part in response.parts if isinstance(part, ToolCallPart)):
            return
        is_allowed = self._continuations + 1 < self.session.settings.max_runs
        if is_allowed and self.session.seen is not None and await self.session.goes_on():
            self._continuations += 1
            await self.session.start(continues=True)
            ctx.enqueue(CONTINUE, priority="when_idle")

    async def wrap_model_request(
        self, ctx: RunContext[Any], *, request_context: ModelRequestContext, handler: WrapModelRequestHandler
    ) -> ModelResponse:
        """A request that came to nothing is accounted for, as far as anybody can know."""
        try:
            return await handler(request_context)
        except BaseException as error:
            await self._settle(error)
            raise

    async def on_model_request_error(
        self, ctx: RunContext[Any], *, request_context: ModelRequestContext, error: Exception
    ) -> ModelResponse:
        """The same, of each attempt; the error is raised as it came."""
        await self._settle(error)
        raise error

    async def _settle(self, error: BaseException) -> None:
        call, self._call = self._call, None
        if call is not None:
            await self.session.unanswered(call, error)


def _tool(tools: GoalTools, tool: GoalTool) -> Tool[Any]:
    async def use(**arguments: Any) -> str:
        return await tools.call(tool.name, arguments)

    return Tool.from_schema(use, tool.name, tool.description, tool.schema(), sequential=True)

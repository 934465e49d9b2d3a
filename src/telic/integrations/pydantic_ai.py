"""A goal in Pydantic AI: one capability that shows it, bills it, goes on with it, and brings its tools."""

from collections.abc import Sequence
from contextlib import suppress
from contextvars import ContextVar
from copy import copy
from dataclasses import dataclass, replace
from typing import Any, Final

from telic.domain.base_errors import needs_extra
from telic.domain.errors import GoalNotActive
from telic.domain.goal import DEFAULT_SCOPE
from telic.integrations.model_calls import ModelCall, turn_key
from telic.integrations.runs import CONTINUE, RunOutcome, guarded, outcome_of
from telic.integrations.session import GoalSession
from telic.integrations.settings import AnyStore, SessionSettings
from telic.integrations.tools import GoalTool, GoalTools

with needs_extra("pydantic-ai", "telic.integrations.pydantic_ai"):
    from pydantic_ai import Agent, RunContext, UsageLimits, capture_run_messages
    from pydantic_ai.capabilities import AbstractCapability, CapabilityOrdering, WrapModelRequestHandler
    from pydantic_ai.exceptions import UserError
    from pydantic_ai.messages import ModelMessage, ModelRequest, ModelResponse, ToolCallPart, UserPromptPart
    from pydantic_ai.models import ModelRequestContext
    from pydantic_ai.models.fallback import FallbackModel
    from pydantic_ai.run import AgentRunResult
    from pydantic_ai.tools import ToolDefinition
    from pydantic_ai.toolsets import AbstractToolset, AgentToolset, ToolsetTool
    from pydantic_core import SchemaValidator, core_schema

    from telic.integrations.pydantic_usage import (
        NotedResponses,
        is_whole,
        noting,
        request_bytes,
        response_bytes,
        response_usage,
    )

_PREPARES_REQUESTS: Final = hasattr(AbstractCapability, "prepare_model_request")
"""Whether Pydantic AI calls the hook (from 2.64 on). In older ones the wrapper of the request does its work."""
_AT_TOOLS: Final[ContextVar[tuple[GoalSession, ...]]] = ContextVar("telic_at_tools", default=())
"""The conversations whose tools run here: an agent that runs within a tool is a sub-agent."""


@dataclass(frozen=True, slots=True)
class Conversation:
    """All messages of a run, to go on from, and its result where it came to one before its goal stopped."""

    messages: list[ModelMessage]
    result: AgentRunResult[Any] | None


class GoalCapability(AbstractCapability[Any]):
    """A scope's goal for one conversation with an agent of Pydantic AI.

    Either give it to the agent (`capabilities=[…]`), whose run then raises `GoalNotActive` when the goal stops, or let
    `run` work on the goal with an agent that does not have it. An agent that one of the conversation's tools runs with
    it, or with its `sub_agent()`, is billed as a sub-agent and answers once.
    """

    def __init__(self, store: AnyStore, *, scope: str = DEFAULT_SCOPE, settings: SessionSettings | None = None) -> None:
        self.session = GoalSession(store, scope=scope, settings=settings)
        self._tools = GoalTools(self.session)
        self._call: ModelCall | None = None
        self._noted = NotedResponses()
        self._continuations = 0

    def sub_agent(self) -> "GoalCapability":
        """The goal for a sub-agent: it is billed as one, is shown no goal, has no tools for it, and answers once."""
        view = copy(self)
        view.session = self.session.sub_agent()
        view._tools = GoalTools(view.session)
        return view

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
            result = await guarded(self.session, agent.run(given, message_history=message_history, **options))
        return await outcome_of(self.session, Conversation(list(messages), result))

    async def for_run(self, ctx: RunContext[Any]) -> "GoalCapability":
        """A copy for the run, which counts its own calls; the session is shared."""
        is_nested = any(_is_same(session, self.session) for session in _AT_TOOLS.get())
        # Runs of one capability may overlap: each counts its own continuations.
        view = self.sub_agent() if is_nested and not self.session.is_sub_agent else copy(self)
        view._noted = NotedResponses()
        return view

    def get_ordering(self) -> CapabilityOrdering:
        """Innermost: nothing changes the request after the goal is in it, or the response before it is billed."""
        return CapabilityOrdering(position="innermost")

    def get_toolset(self) -> AgentToolset[Any]:
        """The goal's tools."""
        return _GoalToolset(self._tools)

    async def wrap_tool_execute(
        self, ctx: RunContext[Any], *, call: ToolCallPart, tool_def: ToolDefinition, args: Any, handler: Any
    ) -> Any:
        """The tool runs; an agent that it runs is a sub-agent of this conversation."""
        token = _AT_TOOLS.set((*_AT_TOOLS.get(), self.session))
        try:
            return await handler(args)
        finally:
            _AT_TOOLS.reset(token)

    async def prepare_model_request(
        self, ctx: RunContext[Any], request_context: ModelRequestContext
    ) -> ModelRequestContext:
        """The goal is at the end of the request, and only there.

        Raises:
            GoalNotActive, BudgetExceeded: the model is not called.
        """
        attempt = getattr(request_context, "attempt", None)
        key = turn_key(ctx.run_id, ctx.run_step, attempt) if ctx.run_id else None
        self._call = call = await self._begin(request_context, key)
        self._noted = NotedResponses()
        model = noting(request_context.model, self._noted)
        if call.prompt is None:
            return replace(request_context, model=model)
        shown = ModelRequest(parts=[UserPromptPart(call.prompt)])
        return replace(request_context, model=model, messages=[*request_context.messages, shown])

    async def _begin(self, request: ModelRequestContext, key: str | None) -> ModelCall:
        return await self.session.begin(
            key,
            # A fallback's name is those of all its models.
            model=None if isinstance(request.model, FallbackModel) else request.model.model_name,
            provider=request.model.system,
            request_bytes=request_bytes(request.messages),
        )

    async def after_model_request(
        self, ctx: RunContext[Any], *, request_context: ModelRequestContext, response: ModelResponse
    ) -> ModelResponse:
        """The response is billed; where it would be the last and the goal is active, the run goes on."""
        call, self._call = self._call, None
        if call is not None:
            await self._bill_untaken(call, response)
            await self._bill(call, response, is_whole=is_whole(request_context, response))
        await self._continue(ctx, request_context, response)
        return response

    async def _bill(self, call: ModelCall, response: ModelResponse, *, is_whole: bool = True) -> None:
        provider, told = response.provider_name or call.provider, response_usage(response)
        await self.session.record_response(
            replace(call, provider=provider),
            told if is_whole else None,
            model=response.model_name,
            response_id=response.provider_response_id,
            cache_write_tokens=response.usage.cache_write_tokens,
            seen_bytes=response_bytes(response),
            told=told,
        )

    async def _bill_untaken(self, call: ModelCall, taken: ModelResponse | None) -> None:
        # A fallback's models that answered in vain were paid all the same.
        untaken = [each for each in self._noted.responses if each is not taken and not _is_taken(each, taken)]
        self._noted.responses.clear()
        for number, response in enumerate(untaken):
            await self._bill(replace(call, key=turn_key(call.key, f"untaken-{number}"), hold=None), response)

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
            # A stream that its host reads by itself (`run_stream`) ends with its first answer: then nothing goes on.
            with suppress(UserError):
                ctx.enqueue(CONTINUE, priority="when_idle")

    async def wrap_model_request(
        self, ctx: RunContext[Any], *, request_context: ModelRequestContext, handler: WrapModelRequestHandler
    ) -> ModelResponse:
        """A request that came to nothing is accounted for, as far as anybody can know."""
        if not _PREPARES_REQUESTS:
            request_context = await self.prepare_model_request(ctx, request_context)
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
        if call is None:
            return
        came = self._noted.partial()
        if self._noted.responses and came is None:
            await self._bill_untaken(call, None)
            await self.session.cancel_call(call)
            return
        await self._bill_untaken(call, None)
        told, size = (None, 0) if came is None else (response_usage(came), response_bytes(came))
        await self.session.record_failed_call(call, error, seen_bytes=size, told=told)


class _GoalToolset(AbstractToolset[Any]):
    """The goal's tools, which answer arguments of any shape."""

    def __init__(self, tools: GoalTools) -> None:
        self._tools = tools

    @property
    def id(self) -> str | None:
        """The toolset's id."""
        return "telic"

    async def get_tools(self, ctx: RunContext[Any]) -> dict[str, ToolsetTool[Any]]:
        """The tools by their names."""
        return {tool.name: self._described(tool) for tool in self._tools.offered}

    def _described(self, tool: GoalTool) -> ToolsetTool[Any]:
        told = ToolDefinition(
            name=tool.name, description=tool.description, parameters_json_schema=tool.schema(), sequential=True
        )
        validator = SchemaValidator(core_schema.no_info_after_validator_function(_as_given, core_schema.any_schema()))
        return ToolsetTool(toolset=self, tool_def=told, max_retries=1, args_validator=validator)

    async def call_tool(self, name: str, tool_args: Any, ctx: RunContext[Any], tool: ToolsetTool[Any]) -> str:
        """Return what the model is answered."""
        return await self._tools.call(name, tool_args)


def _as_given(arguments: Any) -> Any:
    # The framework takes None to be no answer of the validator.
    return "null" if arguments is None else arguments


def _is_same(one: GoalSession, other: GoalSession) -> bool:
    """Return whether both work on one scope of one store."""
    return one.conversation is other.conversation or (one.store is other.store and one.scope == other.scope)


def _is_taken(response: ModelResponse, taken: ModelResponse | None) -> bool:
    known = response.provider_response_id
    return taken is not None and known is not None and known == taken.provider_response_id

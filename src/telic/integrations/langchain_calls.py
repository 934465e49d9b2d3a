"""The calls of models that LangChain makes below an agent with a goal, but not for the agent's own turn."""

import asyncio
from collections.abc import Coroutine, Iterator
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from telic.domain.base_errors import needs_extra
from telic.domain.budget import ModelUsage, UsageKind
from telic.integrations.model_calls import ModelCall
from telic.integrations.session import GoalSession
from telic.loop.agents.json_reader import model_usage

with needs_extra("langchain", "telic.integrations.langchain"):
    from langchain_core.callbacks import BaseCallbackHandler
    from langchain_core.messages import AIMessage, BaseMessage
    from langchain_core.messages.ai import UsageMetadata, add_usage
    from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, LLMResult
    from langchain_core.tracers.context import register_configure_hook

_REASONS: Final = frozenset({"finishreason", "stopreason", "donereason"})
"""The names under which providers say why a response ended, in any spelling."""


class StreamedMessage:
    """A streamed response so far."""

    def __init__(self) -> None:
        self.is_streamed = False
        self.bytes = 0
        self._used: UsageMetadata | None = None

    @property
    def usage(self) -> ModelUsage | None:
        """The usage that was streamed so far; None if there was none yet."""
        return None if self._used is None else _usage_of(self._used)

    def took(self, message: BaseMessage) -> None:
        """Add one more piece of the response."""
        self.is_streamed = True
        self.bytes += size_of([message]) if message.content or getattr(message, "tool_calls", None) else 0
        used = getattr(message, "usage_metadata", None)
        self._used = add_usage(self._used, used) if used else self._used

    def is_whole(self, message: AIMessage) -> bool:
        """Return whether the response came to its end: a stream that does not say why it ended broke off."""
        told = {name.replace("_", "").lower() for name, value in message.response_metadata.items() if value}
        return not self.is_streamed or bool(told & _REASONS)


OWN_CALL: Final[ContextVar[StreamedMessage | None]] = ContextVar("telic_langchain_own_call", default=None)
"""The call of the agent's own turn, which the middleware bills itself, and what was seen of its response."""


@dataclass(frozen=True, slots=True)
class _ChainRun:
    """A run of a chain, graph or tool: what it is a part of."""

    parent: UUID | None
    is_tool: bool


@dataclass(frozen=True, slots=True)
class _Goal:
    """Whose goal a graph works on, and the event loop that its store belongs to, if there is one."""

    session: GoalSession
    loop: asyncio.AbstractEventLoop | None


@dataclass(frozen=True, slots=True)
class _SideCall:
    """A call of a model that goes on."""

    goal: _Goal
    call: ModelCall
    kind: UsageKind
    seen: StreamedMessage


class SideCalls(BaseCallbackHandler):
    """Bills the calls of summaries, selections of tools, tools that call models, and sub-agents without a middleware.

    LangChain tells it of every run in the process: only so are calls seen that another middleware makes. What is not
    below an agent with a goal is passed over.
    """

    run_inline = True

    def __init__(self) -> None:
        self._runs: dict[UUID, _ChainRun] = {}
        self._goals: dict[UUID, _Goal] = {}
        self._calls: dict[UUID, _SideCall] = {}
        self._seen: dict[UUID, StreamedMessage] = {}

    def belongs(self, node: UUID | None, session: GoalSession) -> None:
        """Calls below the graph that this node is a part of are billed to the session's goal."""
        # A node is a run below its graph's: the graph is what all calls of this agent are below.
        run = self._runs.get(node) if node else None
        if run is not None and run.parent is not None:
            try:
                loop = asyncio.get_running_loop()
            except RuntimeError:
                loop = None
            self._goals[run.parent] = _Goal(session, loop)

    def on_chain_start(self, *_given: Any, run_id: UUID, parent_run_id: UUID | None = None, **_more: Any) -> None:
        """The run is known by what it is a part of."""
        self._runs[run_id] = _ChainRun(parent_run_id, is_tool=False)

    def on_tool_start(self, *_given: Any, run_id: UUID, parent_run_id: UUID | None = None, **_more: Any) -> None:
        """As `on_chain_start`."""
        self._runs[run_id] = _ChainRun(parent_run_id, is_tool=True)

    def on_chain_end(self, *_given: Any, run_id: UUID, **_more: Any) -> None:
        """The run is forgotten."""
        self._runs.pop(run_id, None)
        self._goals.pop(run_id, None)

    on_chain_error = on_tool_end = on_tool_error = on_chain_end

    def on_chat_model_start(
        self,
        serialized: dict[str, Any],
        messages: list[list[BaseMessage]],
        *,
        run_id: UUID,
        parent_run_id: UUID | None = None,
        **_more: Any,
    ) -> None:
        """The call belongs to the goal of the nearest agent that it is below."""
        own = OWN_CALL.get()
        if own is not None:
            self._seen[run_id] = own
            return
        above = list(self._above(parent_run_id))
        goal = next((found for each, _run in above if (found := self._goals.get(each))), None)
        if goal is not None:
            call = goal.session.call_without_begin(request_bytes=size_of(messages[0]))
            seen = self._seen[run_id] = StreamedMessage()
            self._calls[run_id] = _SideCall(goal, call, self._kind([run for _each, run in above]), seen)

    def on_llm_new_token(self, token: Any, *, chunk: Any = None, run_id: UUID, **_more: Any) -> None:
        """The piece's usage is kept, should the rest of the streamed response never come."""
        seen = self._seen.get(run_id)
        if seen is not None and isinstance(chunk, ChatGenerationChunk):
            seen.took(chunk.message)

    def _above(self, run: UUID | None) -> Iterator[tuple[UUID, _ChainRun]]:
        while run is not None and (known := self._runs.get(run)) is not None:
            yield run, known
            run = known.parent

    def _kind(self, above: list[_ChainRun]) -> UsageKind:
        """Return `sub_agent` below an agent that a tool runs, else `tool`."""
        is_agents = any(run.is_tool for run in above[1:]) and not above[0].is_tool
        return UsageKind.SUB_AGENT if is_agents else UsageKind.TOOL

    async def on_llm_end(self, response: LLMResult, *, run_id: UUID, **_more: Any) -> None:
        """The response is billed."""
        self._seen.pop(run_id, None)
        side = self._calls.pop(run_id, None)
        if side is None:
            return
        generation = response.generations[0][0] if response.generations and response.generations[0] else None
        message = generation.message if isinstance(generation, ChatGeneration) else None
        await self._account(side, answer(side.goal.session, side.call, message, side.seen, side.kind))

    async def on_llm_error(self, error: BaseException, *, run_id: UUID, **_more: Any) -> None:
        """An estimate of the call's usage is recorded."""
        self._seen.pop(run_id, None)
        side = self._calls.pop(run_id, None)
        if side is not None:
            lost = side.goal.session.record_failed_call(
                side.call, error, seen_bytes=side.seen.bytes, told=side.seen.usage, kind=side.kind
            )
            await self._account(side, lost)

    async def _account(self, side: _SideCall, work: Coroutine[Any, Any, object]) -> None:
        # The store's own loop may be waiting for this very call: then the work is left to it.
        loop = side.goal.loop
        if loop is None or side.goal.session.is_blocking or loop is asyncio.get_running_loop():
            await work
        else:
            asyncio.run_coroutine_threadsafe(work, loop)


SIDE_CALLS: Final = SideCalls()
register_configure_hook(ContextVar("telic_langchain_side_calls", default=SIDE_CALLS), inheritable=True)


async def answer(
    session: GoalSession,
    call: ModelCall,
    message: BaseMessage | None,
    seen: StreamedMessage,
    kind: UsageKind | None = None,
) -> None:
    """The model's message is billed; one that broke off, or does not say what it used, as an estimate."""
    if not isinstance(message, AIMessage):
        await session.record_response(call, None, kind=kind, seen_bytes=seen.bytes, told=seen.usage)
        return
    told, used = message.response_metadata, _usage(message)
    await session.record_response(
        call,
        used if seen.is_whole(message) else None,
        told=used,
        model=told.get("model_name") or told.get("model"),
        response_id=told.get("id") or message.id,
        kind=kind,
        cache_write_tokens=_written(message),
        seen_bytes=size_of([message]),
    )


def size_of(messages: list[Any]) -> int:
    """Return how many bytes of text, and of tools' arguments, these messages are."""
    return sum(
        len(str(message.content).encode("utf-8", "surrogatepass")) + len(str(getattr(message, "tool_calls", "") or ""))
        for message in messages
    )


def _usage(message: AIMessage) -> ModelUsage | None:
    used = message.usage_metadata
    return None if used is None else _usage_of(used)


def _usage_of(used: UsageMetadata) -> ModelUsage | None:
    return model_usage(
        input_tokens=used["input_tokens"],
        output_tokens=used["output_tokens"],
        cached_input_tokens=used.get("input_token_details", {}).get("cache_read"),
        reasoning_tokens=used.get("output_token_details", {}).get("reasoning"),
        total_tokens=used.get("total_tokens"),
    )


def _written(message: AIMessage) -> int:
    used = message.usage_metadata
    written = None if used is None else used.get("input_token_details", {}).get("cache_creation")
    return written if type(written) is int and written > 0 else 0

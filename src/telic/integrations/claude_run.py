"""One run of Claude Code, followed: which calls go on, what each response used, and whether all of it has ended."""

import asyncio
import re
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final, cast

from telic.domain.base_errors import needs_extra
from telic.domain.budget import ModelUsage
from telic.domain.errors import BudgetExceeded, GoalNotActive
from telic.domain.goal import Goal
from telic.integrations.claude_usage import (
    EndedResponse,
    ResponseEvents,
    SessionFiles,
    reported_usage,
    usage_beyond,
)
from telic.integrations.model_calls import ModelCall, model_name, turn_key
from telic.integrations.session import GoalSession
from telic.loop.agents.claude_usage import ResponseUsage
from telic.pricing import cost_microunits

with needs_extra("claude-agent", "telic.integrations.claude_agent"):
    from claude_agent_sdk import (
        TERMINAL_TASK_STATUSES,
        AssistantMessage,
        ClaudeSDKClient,
        HookMatcher,
        Message,
        ResultMessage,
        StreamEvent,
        SystemMessage,
        TaskNotificationMessage,
        TaskStartedMessage,
        TaskUpdatedMessage,
    )
    from claude_agent_sdk.types import HookContext, HookEvent, HookInput, HookJSONOutput

_HOOK_SECONDS: Final = 120.0
_STREAM_SECONDS: Final = 60.0
_WHY: Final = "The goal has stopped or was changed."
_STOP: Final[HookJSONOutput] = {"continue_": False, "stopReason": _WHY}
_DENY: Final[HookJSONOutput] = {
    "hookSpecificOutput": {
        "hookEventName": "PreToolUse",
        "permissionDecision": "deny",
        "permissionDecisionReason": _WHY,
    }
}
_AGENTS: Final = frozenset({"local_agent", "local_workflow"})
"""Tasks that call models. Others, such as a shell in the background, may never end."""
_NEVER_SENT: Final = re.compile(r"\b(ECONNREFUSED|ENOTFOUND|EAI_AGAIN|EHOSTUNREACH|ENETUNREACH)\b")
_LOST: Final = ConnectionError("the connection broke before the response was whole")


@dataclass(slots=True)
class FollowedRun:
    """A run of the command: what its messages and hooks tell, billed as it comes."""

    session: GoalSession
    goal: Goal | None
    call: ModelCall | None
    used_before: ModelUsage | None
    forked_from: str | None = None
    client: ClaudeSDKClient | None = None
    result: ResultMessage | None = None
    tasks: dict[str, bool] = field(default_factory=dict[str, bool])
    may_go_on: bool = True
    _state: str | None = None
    _files: SessionFiles | None = None
    _events: ResponseEvents = field(default_factory=ResponseEvents)
    _is_cut: bool = False
    _is_settled: asyncio.Event = field(default_factory=asyncio.Event)
    _whole: dict[str, AssistantMessage] = field(default_factory=dict[str, AssistantMessage])
    _agents: dict[str, ModelCall | None] = field(default_factory=dict[str, ModelCall | None])
    _known: list[ModelUsage] = field(default_factory=list[ModelUsage])
    _lost_attempts: int = 0
    _reading: asyncio.Lock = field(default_factory=asyncio.Lock)
    _side: GoalSession = field(init=False)

    def __post_init__(self) -> None:
        self._side = self.session.sub_agent()

    def hooks(self) -> dict[HookEvent, HookMatcher]:
        """Return what looks at the goal before each call of a model, and at sub-agents as they begin and end."""
        seconds = _HOOK_SECONDS + self.session.settings.room_wait_seconds

        def matcher(hook: Any, tools: str | None = None) -> HookMatcher:
            return HookMatcher(matcher=tools, hooks=[hook], timeout=seconds, on_failure="block")

        return {
            "UserPromptSubmit": matcher(self._turn_begins),
            "PreToolUse": matcher(self._agent_is_wanted, "Agent|Task"),
            "PostToolUse": matcher(self._tool_was_used),
            "PostToolUseFailure": matcher(self._tool_was_used),
            "SubagentStart": matcher(self._agent_begins),
            "SubagentStop": matcher(self._agent_stops),
        }

    @property
    def is_over(self) -> bool:
        """The last result has come, and no sub-agent is left that would begin another turn."""
        if self.result is None:
            return False
        return not any(self.tasks.values()) if self._state is None else self._state == "idle"

    async def take(self, message: Message) -> None:
        """Keep what the message tells; a response that has ended is billed."""
        match message:
            case StreamEvent(parent_tool_use_id=None):
                await self._event(message.event)
            case AssistantMessage(parent_tool_use_id=None, error=None, message_id=str(name)):
                self._whole[name] = message
            case ResultMessage():
                await self._turn_ended(message)
            case TaskStartedMessage():
                self.tasks[message.task_id] = message.task_type in _AGENTS
            case TaskNotificationMessage() | TaskUpdatedMessage():
                if message.status in TERMINAL_TASK_STATUSES:
                    self.tasks.pop(message.task_id, None)
                    await self._bill_agents()
            case SystemMessage(subtype="session_state_changed"):
                self._state = str(message.data.get("state"))
            case SystemMessage(subtype="api_retry"):
                await self._response_ended(self._events.end())
                self._lost_attempts += message.data.get("error_status") is None and not self._is_cut
                self._is_cut = False
            case _:
                return

    async def _event(self, event: dict[str, Any]) -> None:
        await self._response_ended(self._events.take(event))
        if self._events.is_open:
            self._is_cut = False
            self._is_settled.clear()

    async def _response_ended(self, ended: EndedResponse | None) -> None:
        # Of a response that broke off nobody knows what it cost: what it had told is the least.
        if ended is None:
            return
        self._is_cut = not ended.is_whole
        if ended.is_whole:
            await self._bill(ended.usage, ended.model, ended.id)
        else:
            await self._break_off(ended)
        if ended.uses_tool or not ended.is_whole:
            await self._expect()
        self._is_settled.set()

    async def _bill(self, told: ResponseUsage | None, model: object, response_id: object) -> None:
        """Bill the response's own usage, and each step beside it by the price of the model that made it."""
        call, self.call = self.call or self.session.call_without_begin(), None
        self._whole.pop(str(response_id), None)
        own = None if told is None else told.own
        cost = None if told is None else self._know(told.own, model, told.cache_write_tokens)
        await self.session.record_response(call, own, model=model, response_id=response_id, cost_microunits=cost)
        for number, step in enumerate(told.beside if told else (), 1):
            # A call of its own, that began just now: the time is its response's already.
            name, beside = step.model or model, self._side.call_without_begin()
            beside = replace(beside, key=turn_key(call.key, f"beside-{number}"))
            cost = self._know(step.usage, name)
            await self._side.record_response(
                beside, step.usage, model=name, response_id=response_id, kind=step.kind, cost_microunits=cost
            )

    async def _break_off(self, ended: EndedResponse) -> None:
        call, self.call = self.call or self.session.call_without_begin(), None
        told = None if ended.usage is None else ended.usage.whole
        # The command counts what it got of such a response, and so must what it is compared with.
        self._known += [] if told is None else [told]
        self._whole.pop(str(ended.id), None)
        await self.session.record_response(
            call, None, model=ended.model, response_id=ended.id, seen_bytes=ended.seen_bytes, told=told
        )

    def _know(self, usage: ModelUsage, model: object, written: int = 0) -> int:
        """Return what the response costs by its model's price; 0 where only the result will tell."""
        prices = self.session.settings.prices
        cost = cost_microunits(model_name(model), usage, "anthropic", cache_write_tokens=written, prices=prices) or 0
        self._known.append(replace(usage, cost_microunits=cost))
        return cost

    async def _expect(self) -> bool:
        """Return whether the model may be called again; then budget is held for it."""
        if self.call is not None:
            return True
        self.call = await self._begun_call()
        return self.call is not None

    async def _begun_call(self, session: GoalSession | None = None) -> ModelCall | None:
        if not self.may_go_on:
            return None
        try:
            return await (session or self.session).begin(is_shown=False)
        except (GoalNotActive, BudgetExceeded):
            self.may_go_on = False
            return None

    async def _turn_ended(self, result: ResultMessage) -> None:
        self.result = result
        await self._response_ended(self._events.end())
        for name, message in list(self._whole.items()):
            await self._bill(reported_usage(message.usage or {}), message.model, name)
        is_lost = result.subtype == "success" and result.is_error and result.api_error_status is None
        was_sent = _NEVER_SENT.search(result.result or "") is None
        for _ in range(self._lost_attempts if was_sent else 0):
            await self.session.record_failed_call(self.session.call_without_begin(), _LOST)
        self._lost_attempts = 0
        call, self.call = self.call, None
        if call is not None:
            await (
                self.session.record_failed_call(call, _LOST) if is_lost and was_sent else self.session.cancel_call(call)
            )

    async def _is_shown(self) -> bool:
        """Return whether the model may be called for the goal that its prompt shows."""
        store, scope, shown = self.session.store, self.session.scope, self.goal
        goal = await self.session.with_retries(lambda: store.active(scope))
        if goal is None or shown is None:
            return self.may_go_on and goal is shown
        return self.may_go_on and (goal.id, goal.revision) == (shown.id, shown.revision)

    async def _turn_begins(self, given: HookInput, _use: str | None, _context: HookContext) -> HookJSONOutput:
        # A prompt is the run's own, or the notification that a sub-agent has ended.
        if self._files is None:
            self._files = await asyncio.to_thread(SessionFiles, Path(given["transcript_path"]), self.forked_from)
            self.used_before = self._files.used_before if self.used_before is None else self.used_before
            return {}
        return {} if await self._is_shown() and await self._expect() else _STOP

    async def _agent_is_wanted(self, _given: HookInput, _use: str | None, _context: HookContext) -> HookJSONOutput:
        return {} if await self._is_shown() else _DENY

    async def _agent_begins(self, given: HookInput, _use: str | None, _context: HookContext) -> HookJSONOutput:
        agent = str(cast("dict[str, Any]", given)["agent_id"])
        self._agents[agent] = await self._begun_call(self._side)
        if self._agents[agent] is None and self.client is not None:
            with suppress(Exception):
                await self.client.stop_task(agent)
        return {}

    async def _agent_stops(self, _given: HookInput, _use: str | None, _context: HookContext) -> HookJSONOutput:
        await self._bill_agents()
        return {}

    async def _tool_was_used(self, given: HookInput, _use: str | None, _context: HookContext) -> HookJSONOutput:
        # After each tool its model is called again: that of the conversation, or of a sub-agent (ADR 36).
        agent = cast("dict[str, Any]", given).get("agent_id")
        if agent is not None:
            await self._bill_agents()
        elif self._events.is_open:
            # The end of the response that used the tool may be told after its tool was used.
            with suppress(TimeoutError):
                await asyncio.wait_for(self._is_settled.wait(), _STREAM_SECONDS)
        if not await self._is_shown():
            return _STOP
        if agent is not None and self._agents.get(agent) is None:
            self._agents[agent] = await self._begun_call(self._side)
        return {} if self.may_go_on else _STOP

    async def _bill_agents(self) -> None:
        """Bill what the sub-agents' files tell of responses that have ended."""
        if self._files is None:
            return
        async with self._reading:
            for agent, response in await asyncio.to_thread(self._files.new_responses):
                call, self._agents[agent] = self._agents.get(agent) or self._side.call_without_begin(), None
                used, name = cast("ModelUsage", response.usage), response.model
                cost = self._know(used, name)
                await self._side.record_response(call, used, model=name, response_id=response.key, cost_microunits=cost)

    async def ended(self, error: BaseException | None = None) -> None:
        """The command has ended, by itself or by this error: everything that was asked of a model is accounted for."""
        await self._response_ended(self._events.end())
        await self._bill_agents()
        await self._bill_the_rest()
        left = [(self.session, self.call), *((self._side, call) for call in self._agents.values())]
        self.call, self._agents = None, {}
        for session, call in left:
            if call is not None:
                await (session.cancel_call(call) if error is None else session.record_failed_call(call, error))

    async def _bill_the_rest(self) -> None:
        # Summaries, titles and the like are in the result's sum alone, and in no event.
        if self.result is None or self.result.model_usage is None:
            return
        models, cost = self.result.model_usage, self.result.total_cost_usd
        rest = usage_beyond(models, cost, self.used_before, self._known)
        if rest is not None:
            await self._side.record_response(
                self._side.call_without_begin(),
                rest,
                model=next(iter(models)) if len(models) == 1 else None,
                response_id="rest",
                cost_microunits=rest.cost_microunits,
            )

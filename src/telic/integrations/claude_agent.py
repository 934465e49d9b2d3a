"""A goal in the Claude Agent SDK: the system prompt shows it, each response's events bill it, `run` goes on with it."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, Final, cast

from telic.domain.budget import ModelUsage, UsageKind
from telic.domain.errors import BudgetExceeded, GoalNotActive, InvalidInput
from telic.domain.errors.extras import needs_extra
from telic.domain.goal import DEFAULT_SCOPE, Goal
from telic.integrations.calls import ModelCall
from telic.integrations.claude_usage import difference, response_usage, sum_of_models
from telic.integrations.outcome import CONTINUE, RunOutcome, outcome_of
from telic.integrations.session import GoalSession
from telic.integrations.settings import SessionSettings
from telic.integrations.tools import GoalTool, GoalTools
from telic.loop.agents.cumulative import used_since
from telic.loop.agents.parsing import sum_usage
from telic.prompt import place_after_prefix
from telic.services.async_store import AsyncGoalStore
from telic.services.store import GoalStore

with needs_extra("claude-agent", "telic.integrations.claude_agent"):
    from claude_agent_sdk import (
        AssistantMessage,
        ClaudeAgentOptions,
        ClaudeSDKClient,
        HookMatcher,
        Message,
        ResultMessage,
        SdkMcpTool,
        StreamEvent,
        TaskStartedMessage,
        create_sdk_mcp_server,
    )
    from claude_agent_sdk.types import (
        HookContext,
        HookInput,
        SyncHookJSONOutput,
        SystemPromptCustom,
        SystemPromptPreset,
    )

SERVER: Final = "goal"
"""The name of the server of the goal's tools, which are called `mcp__goal__…`."""

_CHECK_SECONDS: Final = 120.0


def ignore(_message: Message) -> None:
    """Nothing is done with the message."""


@dataclass(frozen=True, slots=True)
class ClaudeRun:
    """The last run's result, and the id by which its session is resumed (`resume` in the options)."""

    session_id: str
    result: ResultMessage


class ClaudeGoal:
    """A scope's goal for one conversation with Claude Code.

    The goal stands at the end of the system prompt, which is built anew for each run and never recorded in the
    session. Before each further call of a run the goal is looked at: where it stopped, or was changed, the run ends.
    Sub-agents' calls are billed when the run ends, from the result's sum of the session. Of a session that another
    object began the sum before is not known: then sub-agents' usage is recorded as unknown.
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
        self._totals: dict[str, ModelUsage] = {}

    async def run(
        self,
        prompt: str | None = None,
        *,
        options: ClaudeAgentOptions | None = None,
        on_message: Callable[[Message], None] = ignore,
    ) -> RunOutcome[ClaudeRun]:
        """Claude has worked on the goal until it ended, stopped, or needs the host; the goal tells which.

        Without a prompt the goal alone is what it works on. A run that ends with an error ends the work too, but for
        one that reached the `max_turns` of its options: it is followed by another.

        Raises:
            GoalNotActive: the scope has no active goal.
            InvalidInput: the options' system prompt is a file, which nothing can be added to.
            BudgetExceeded: what is left of the budget is held by other calls, or by some whose usage is unknown.
        """
        await self.session.start(continues=prompt is None)
        base = options or ClaudeAgentOptions()
        given, last = CONTINUE if prompt is None else prompt, None
        for _ in range(self.session.settings.max_runs):
            try:
                result = await self.session.guard(self._run_once(base, given, on_message))
                last, given = ClaudeRun(result.session_id, result), CONTINUE
                base = replace(base, resume=result.session_id, session_id=None, continue_conversation=False)
                is_broken = result.is_error and result.subtype != "error_max_turns"
                if is_broken or await self.session.goes_on() is None:
                    break
                await self.session.start(continues=True)
            except GoalNotActive:
                break
        return await outcome_of(self.session, last)

    async def _run_once(
        self, base: ClaudeAgentOptions, prompt: str, on_message: Callable[[Message], None]
    ) -> ResultMessage:
        call = await self.session.begin()
        run = _Run(self.session, call.goal, call, self._used_before(base))
        try:
            async with ClaudeSDKClient(self._options(base, call.prompt, run)) as client:
                await client.query(prompt)
                async for message in client.receive_response():
                    await run.heard(message)
                    on_message(message)
        except BaseException as error:
            self._totals.clear()
            await run.broke(error)
            raise
        result, total = await run.ended(), run.total
        self._totals = {} if total is None else {result.session_id: total}
        return result

    def _used_before(self, options: ClaudeAgentOptions) -> ModelUsage | None:
        """What the session had used, which its next result counts again; None where that is not known."""
        if options.resume is None and not options.continue_conversation:
            return ModelUsage()
        return None if options.fork_session else self._totals.get(options.resume or "")

    def _options(self, base: ClaudeAgentOptions, shown: str | None, run: "_Run") -> ClaudeAgentOptions:
        if not isinstance(base.mcp_servers, dict):
            raise InvalidInput("give the options' mcp_servers as a dictionary")
        server = create_sdk_mcp_server(SERVER, tools=[_tool(self._tools, tool) for tool in self._tools.offered])
        names = [f"mcp__{SERVER}__{tool.name}" for tool in self._tools.offered]
        check = HookMatcher(hooks=[run.check], timeout=_CHECK_SECONDS, on_failure="block")
        hooks = dict(base.hooks or {})
        for event in ("PostToolUse", "PostToolUseFailure"):
            hooks[event] = [*hooks.get(event, []), check]
        return replace(
            base,
            system_prompt=_with_goal(base.system_prompt, shown),
            mcp_servers={**base.mcp_servers, SERVER: server},
            allowed_tools=[*base.allowed_tools, *names],
            include_partial_messages=True,
            hooks=hooks,
        )


@dataclass(slots=True)
class _Run:
    """One run of the command: which call goes on, and what its response has said of itself so far."""

    session: GoalSession
    goal: Goal | None
    call: ModelCall | None
    used_before: ModelUsage | None
    begun: dict[str, Any] | None = None
    usage: dict[str, Any] = field(default_factory=dict[str, Any])
    whole: dict[str, AssistantMessage] = field(default_factory=dict[str, AssistantMessage])
    result: ResultMessage | None = None
    billed: list[ModelUsage] = field(default_factory=list[ModelUsage])
    has_sub_agents: bool = False
    calls_tools: bool = False
    may_go_on: bool = True

    async def heard(self, message: Message) -> None:
        """What the message tells of a response is kept; one that has ended is billed."""
        if isinstance(message, TaskStartedMessage) or getattr(message, "parent_tool_use_id", None):
            self.has_sub_agents = True
        elif isinstance(message, StreamEvent):
            await self._event(message.event)
        elif isinstance(message, AssistantMessage) and message.message_id and message.error is None:
            self.whole[message.message_id] = message
        elif isinstance(message, ResultMessage):
            self.result = message

    async def _event(self, event: dict[str, Any]) -> None:
        match event.get("type"):
            case "message_start":
                await self._cut_off()
                begun: dict[str, Any] = event.get("message") or {}
                self.begun, self.usage = begun, dict(begun.get("usage") or {})
            case "message_delta":
                self.calls_tools = (event.get("delta") or {}).get("stop_reason") == "tool_use"
                self.usage |= {name: count for name, count in (event.get("usage") or {}).items() if count is not None}
            case "message_stop" if self.begun is not None:
                ended, self.begun = self.begun, None
                await self._bill(response_usage(self.usage), ended.get("model"), ended.get("id"))
                await self._expect_another()
            case _:
                return

    async def _bill(self, usage: ModelUsage | None, model: object, response_id: object) -> None:
        call, self.call = self.call or self.session.unannounced(), None
        self.whole.pop(str(response_id), None)
        self.billed += [] if usage is None else [usage]
        await self.session.answered(call, usage, model=model, response_id=response_id)

    async def _cut_off(self) -> None:
        """A response that began and never ended cost nobody knows what."""
        if self.begun is not None:
            begun, self.begun = self.begun, None
            await self._bill(None, begun.get("model"), begun.get("id"))

    async def _expect_another(self) -> None:
        if not self.calls_tools:
            return
        try:
            self.call = await self.session.begin(is_shown=False)
        except (GoalNotActive, BudgetExceeded):
            self.may_go_on = False

    async def check(self, _input: HookInput, _tool_use_id: str | None, _context: HookContext) -> SyncHookJSONOutput:
        """The hook after each tool: the model is called again only for the goal that its prompt shows."""
        store, scope = self.session.store, self.session.scope
        goal = await self.session.patiently(lambda: store.active(scope))
        shown = self.goal
        is_shown = goal is not None and shown is not None and (goal.id, goal.revision) == (shown.id, shown.revision)
        if self.may_go_on and (is_shown or (shown is None and goal is None)):
            return {}
        return {"continue_": False, "stopReason": "The goal has stopped or was changed."}

    async def broke(self, error: BaseException) -> None:
        """The run broke off: the call that went on is accounted for, as far as anybody can know."""
        call, self.call, self.begun = self.call, None, None
        if call is not None:
            await self.session.unanswered(call, error)

    async def ended(self) -> ResultMessage:
        """The run has ended, and all its responses are billed, also those that came without events."""
        await self._cut_off()
        for name, message in list(self.whole.items()):
            await self._bill(response_usage(message.usage or {}), message.model, name)
        await self._bill_sub_agents()
        if self.call is not None:
            await self.session.never_made(self.call)
        assert self.result is not None
        return self.result

    @property
    def total(self) -> ModelUsage | None:
        """What the session has used so far, sub-agents included; None where the command does not say."""
        return (
            None if self.result is None or self.result.model_usage is None else sum_of_models(self.result.model_usage)
        )

    async def _bill_sub_agents(self) -> None:
        """What the result's sum has and no response told of is billed as sub-agents'; they have no events."""
        total, rest = self.total, None
        is_known = total is not None and self.used_before is not None
        if total is not None and self.used_before is not None:
            rest = difference(used_since(self.used_before, total), sum_usage(self.billed))
        if rest is None and (is_known or not self.has_sub_agents):
            return
        names = list((self.result and self.result.model_usage) or {})
        await self.session.answered(
            self.session.unannounced(),
            rest,
            model=names[0] if len(names) == 1 else None,
            response_id="sub-agents",
            kind=UsageKind.SUB_AGENT,
        )


def _with_goal(base: Any, shown: str | None) -> SystemPromptCustom | SystemPromptPreset:
    """The system prompt with the goal at its end; not recorded, since a resumed session would keep the first."""
    text = shown or ""
    if base is None or isinstance(base, str):
        return {"type": "custom", "prompt": place_after_prefix(base or "", text), "snapshot": False}
    given = dict(base)
    if given.get("type") not in ("custom", "preset"):
        raise InvalidInput("a system prompt in a file cannot have the goal at its end: give it as a text")
    name = "append" if given["type"] == "preset" else "prompt"
    shown_with = {name: place_after_prefix(str(given.get(name) or ""), text), "snapshot": False}
    return cast("SystemPromptCustom | SystemPromptPreset", given | shown_with)


def _tool(tools: GoalTools, tool: GoalTool) -> SdkMcpTool[Any]:
    async def use(arguments: dict[str, Any]) -> dict[str, Any]:
        return {"content": [{"type": "text", "text": await tools.call(tool.name, arguments)}]}

    return SdkMcpTool(tool.name, tool.description, tool.schema(), use)

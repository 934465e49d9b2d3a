"""A goal in the Claude Agent SDK: the system prompt shows it, each response's events bill it, `run` goes on with it."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any, Final, cast

from telic.domain.base_errors import needs_extra
from telic.domain.budget import ModelUsage
from telic.domain.clock import MICRO
from telic.domain.errors import InvalidInput
from telic.domain.goal import DEFAULT_SCOPE, Goal
from telic.integrations.model_calls import ModelCall
from telic.integrations.runs import EndedRun, RunOutcome, run_while_active
from telic.integrations.session import GoalSession
from telic.integrations.settings import AnyStore, SessionSettings
from telic.integrations.tools import GoalTool, GoalTools
from telic.prompt import place_after_prefix

with needs_extra("claude-agent", "telic.integrations.claude_agent"):
    from claude_agent_sdk import (
        ClaudeAgentOptions,
        ClaudeSDKClient,
        ClaudeSDKError,
        Message,
        ResultMessage,
        SdkMcpTool,
        create_sdk_mcp_server,
    )
    from claude_agent_sdk.types import SystemPromptCustom, SystemPromptPreset

    from telic.integrations.claude_run import FollowedRun

SERVER: Final = "goal"
"""The name of the server of the goal's tools, which are called `mcp__goal__…`."""

_STOP_SECONDS: Final = 5.0
_GOING_ON: Final[dict[str, Any]] = {"session_id": None, "continue_conversation": False, "fork_session": False}

_ENVIRONMENT: Final = {"CLAUDE_CODE_EMIT_SESSION_STATE_EVENTS": "1", "CLAUDE_CODE_ELEGANT_MEADOW": "0"}
"""The command tells when it has nothing left to do, and keeps no copies of its requests, which show the goal."""


def ignore(_message: Message) -> None:
    """Do nothing with the message."""


@dataclass(frozen=True, slots=True)
class ClaudeRun:
    """The last run's result, and the id by which its session is resumed (`resume` in the options)."""

    session_id: str
    result: ResultMessage


class ClaudeGoal:
    """A scope's goal for one conversation with Claude Code.

    The goal stands at the end of the system prompt, which is built for each run and never recorded in the
    session. Before each further call of a run the goal is looked at: where it stopped, or was changed, the run ends.
    A run lasts until its sub-agents have ended too, also those in the background. Their responses are billed as the
    session's files tell them, and what the result's sum has besides when the run ends.
    """

    def __init__(self, store: AnyStore, *, scope: str = DEFAULT_SCOPE, settings: SessionSettings | None = None) -> None:
        # The command tells its cost itself, and keeps to what is left of a budget of money.
        own = replace(settings or SessionSettings(), allow_unknown_price=True)
        self.session = GoalSession(store, scope=scope, settings=own)
        self._tools = GoalTools(self.session)

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
        base = options or ClaudeAgentOptions()

        async def once(given: str) -> EndedRun[ClaudeRun]:
            nonlocal base
            result = await self._run_once(base, given, on_message)
            base = replace(base, resume=result.session_id, **_GOING_ON)
            is_broken = result.is_error and result.subtype != "error_max_turns"
            return EndedRun(ClaudeRun(result.session_id, result), needs_host=is_broken)

        return await run_while_active(self.session, prompt, once)

    async def _run_once(
        self, base: ClaudeAgentOptions, prompt: str, on_message: Callable[[Message], None]
    ) -> ResultMessage:
        # The command shows one prompt for a whole run, so the goal is looked at again before each further call.
        call = await self.session.begin(model=base.model)
        is_new = base.resume is None and not base.continue_conversation
        forked_from = base.resume if base.fork_session else None
        run = FollowedRun(self.session, call.goal, call, ModelUsage() if is_new else None, forked_from)
        try:
            async with ClaudeSDKClient(self._options(base, call, run)) as client:
                run.client = client
                await client.query(prompt)
                await _follow(client, run, on_message)
        except BaseException as error:
            await run.ended(error)
            raise
        await run.ended()
        if run.result is None:
            raise ClaudeSDKError("the command ended without a result")
        return run.result

    def _options(self, base: ClaudeAgentOptions, call: ModelCall, run: FollowedRun) -> ClaudeAgentOptions:
        if not isinstance(base.mcp_servers, dict):
            raise InvalidInput("give the options' mcp_servers as a dictionary")
        server = create_sdk_mcp_server(SERVER, tools=[_tool(self._tools, tool) for tool in self._tools.offered])
        names = [f"mcp__{SERVER}__{tool.name}" for tool in self._tools.offered]
        hooks = dict(base.hooks or {})
        for event, matcher in run.hooks().items():
            hooks[event] = [*hooks.get(event, []), matcher]
        return replace(
            base,
            system_prompt=_with_goal(base.system_prompt, call.prompt),
            mcp_servers={**base.mcp_servers, SERVER: server},
            allowed_tools=[*base.allowed_tools, *names],
            include_partial_messages=True,
            max_budget_usd=_money_left(base.max_budget_usd, call.goal),
            env=_ENVIRONMENT | base.env,
            hooks=hooks,
        )


async def _follow(client: ClaudeSDKClient, run: FollowedRun, on_message: Callable[[Message], None]) -> None:
    """Read until everything has ended that was begun; nothing goes on where this is cancelled."""
    messages = client.receive_messages()
    try:
        async for message in messages:
            await run.take(message)
            on_message(message)
            if run.is_over:
                break
        # A shell in the background would hold up the command's end, and wake its model once nobody looks any more.
        await _stop_tasks(client, run)
    except BaseException:
        run.may_go_on = False
        with suppress(Exception):
            async with asyncio.timeout(_STOP_SECONDS):
                await client.interrupt()
                await _stop_tasks(client, run)
                run.result = None
                while not run.is_over:
                    await run.take(await anext(messages))
        raise


async def _stop_tasks(client: ClaudeSDKClient, run: FollowedRun) -> None:
    run.may_go_on = False
    for task in list(run.tasks):
        with suppress(Exception):
            await client.stop_task(task)


def _money_left(limit_usd: float | None, goal: Goal | None) -> float | None:
    """Return the lower of the host's own limit and what the goal's budget of money has left."""
    if goal is None or goal.budget.cost_microunits is None:
        return limit_usd
    left = max(goal.budget.cost_microunits - goal.usage.cost_microunits, 0) / MICRO
    return left if limit_usd is None else min(left, limit_usd)


def _with_goal(base: Any, shown: str | None) -> SystemPromptCustom | SystemPromptPreset:
    # Not recorded (`snapshot`), since a session that is resumed would keep the first block.
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

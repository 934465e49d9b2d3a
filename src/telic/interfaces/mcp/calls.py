"""The tools at work: each call is checked, done, and answered."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Final

from telic.domain.budget import Budget, ModelUsage, typed_usage
from telic.domain.clock import MICRO
from telic.domain.criteria import typed_criteria
from telic.domain.errors import GoalError, InvalidInput, StaleUpdate, WouldReplace
from telic.domain.goal import Actor, Goal, GoalStatus
from telic.domain.ids import new_key
from telic.domain.lifecycle import NamedActor
from telic.domain.limits import MAX_COUNTER
from telic.integrations.tools import CREATE_GOAL, REPORT_BLOCKED, REPORT_COMPLETE, Arguments, GoalTool, checked
from telic.interfaces.mcp.conversation import McpConversation, Role, about
from telic.interfaces.mcp.results import ToolAnswer, quote_if_ambiguous, refusal
from telic.interfaces.mcp.tools import TOOL_OF, ServerTool, next_steps
from telic.prompt import quote
from telic.services.actions import DONE, ActionRequest, ActionResult, GoalAction, execute
from telic.services.chat.replies import changes_between
from telic.services.insight import list_goals, read_goal
from telic.wording.amounts import parse_budget

_LISTED: Final = 20
_OPERATOR: Final = NamedActor(Actor.OPERATOR, door="mcp")
_COUNTED: Final = ("input_tokens", "cached_input_tokens", "output_tokens", "reasoning_tokens")


@dataclass(frozen=True, slots=True)
class ToolCalls:
    """The calls of one client."""

    conversation: McpConversation
    tools: Mapping[str, ServerTool]

    async def call(self, name: str, given: Arguments) -> ToolAnswer:
        """The tool was used, or the answer says why not; then nothing changed."""
        tool = self.tools.get(name)
        if tool is None:
            return refusal(InvalidInput(f"there is no such tool; there are {', '.join(self.tools)}"))
        try:
            return await self._handlers()[name](checked(name, tool.parameters, given))
        except StaleUpdate as error:
            return await self._stale(error)
        except WouldReplace as error:
            return self._in_the_way(error)
        except GoalError as error:
            return refusal(error)

    def _handlers(self) -> dict[str, Callable[[Arguments], Awaitable[ToolAnswer]]]:
        return {
            "get_goal": self._get,
            "list_goals": self._list,
            "report_progress": self._report_progress,
            REPORT_COMPLETE.name: partial(self._report, REPORT_COMPLETE),
            REPORT_BLOCKED.name: partial(self._report, REPORT_BLOCKED),
            "create_goal": self._create,
            **{name: partial(self._move, action) for action, name in TOOL_OF.items()},
        }

    async def _stale(self, error: StaleUpdate) -> ToolAnswer:
        why = "the goal was changed since you saw it" if error.expected_revision else "you had not looked at it yet"
        shown = await self.conversation.shown(error.goal)
        again = f"decide again; if you still mean it, call again with revision {error.goal.revision}"
        text = f"Nothing changed: {why}. It stands like this now.\n\n{shown}"
        return ToolAnswer(outcome="refused", text=text, goal=error.goal, next=(again,), error=error)

    def _done(self, outcome: str, text: str, goal: Goal | None, before: Goal | None = None, **more: Any) -> ToolAnswer:
        if goal is not None:
            self.conversation.remember(goal)
        changes = () if before is None or goal is None else changes_between(before, goal)
        steps = next_steps(goal, self.conversation.settings)
        return ToolAnswer(outcome=outcome, text=text, goal=goal, changes=changes, next=steps, **more)

    async def _get(self, given: Arguments) -> ToolAnswer:
        settings = self.conversation.settings
        source = {"store": settings.store_name, "scope": settings.scope}
        goal = await self.conversation.resolve_goal(given["goal_id"])
        if goal is None:
            where = f"scope {quote(settings.scope)} of the store {quote(settings.store_name)}"
            return self._done("none", f"There is no goal in {where}.", None, source=source)
        text, details = await self.conversation.shown(goal), await read_goal(self.conversation.store, goal.id)
        return self._done("shown", text, goal, details=details, source=source)

    async def _list(self, given: Arguments) -> ToolAnswer:
        page = await list_goals(
            self.conversation.store,
            scope=self.conversation.settings.scope,
            status=None if given["status"] is None else GoalStatus(given["status"]),
            text=given["text"],
            cursor=given["cursor"],
            limit=_LISTED,
        )
        lines = [f"{quote_if_ambiguous(each.goal.id)} {about(each.goal)}" for each in page.entries]
        text = "\n".join(lines) or "There are no goals like that."
        more = (
            (f"call list_goals with cursor {quote_if_ambiguous(page.next_cursor)} for older ones",)
            if page.next_cursor
            else ()
        )
        return ToolAnswer(outcome="listed", text=text, goals=page.entries, next_cursor=page.next_cursor, next=more)

    async def _report_progress(self, given: Arguments) -> ToolAnswer:
        before = await self.conversation.goals.named(given["goal_id"])
        session, usage = self.conversation.session(before, None), _usage(given)
        # One that cannot be a key is refused by the store. To replace it would make a repeated call another one.
        key = new_key() if given["key"] is None else str(given["key"])
        result = await session.with_retries(
            lambda: session.store.record_turn(before.id, usage=usage, model=given["model"], key=key)
        )
        text = f"Turn {result.turn.number} is counted. The goal is {about(result.goal)}"
        return self._done("recorded", text, result.goal, before)

    async def _report(self, tool: GoalTool, given: Arguments) -> ToolAnswer:
        before = await self.conversation.reported(given["goal_id"])
        text = await tool.use(self.conversation.session(before, given["revision"]), given)
        if before is None:
            return self._done("none", text, None)
        # The report may have led to checks, and these to more: the answer is about the goal after all of it.
        details = await read_goal(self.conversation.store, before.id)
        outcome = "unchanged" if details.goal.revision == before.revision else "changed"
        return self._done(outcome, text, details.goal, before, details=details)

    async def _create(self, given: Arguments) -> ToolAnswer:
        if self.conversation.settings.role is Role.OPERATOR:
            return await self._create_as_operator(given)
        session = self.conversation.session(None, None)
        text = await CREATE_GOAL.use(session, given)
        return self._done("created", text, session.seen)

    async def _create_as_operator(self, given: Arguments) -> ToolAnswer:
        result = await self._act(
            GoalAction.CREATE,
            None,
            given,
            text=given["text"],
            scope=self.conversation.settings.scope,
            budget=parse_budget(tuple(given["budget"] or ()), Budget()),
            criteria=typed_criteria(given["checks"] or (), given["judges"] or (), given["approvals"] or ()),
        )
        text = f"Goal {quote_if_ambiguous(result.goal.id)} {DONE[GoalAction.CREATE]}."
        return self._done("created", text, result.goal, superseded=result.superseded)

    def _in_the_way(self, error: WouldReplace) -> ToolAnswer:
        driven = "" if error.worker is None else f" It is driven by {quote(error.worker)}."
        goal = f"Goal {quote_if_ambiguous(error.goal.id)}, {about(error.goal)}."
        text = f"Nothing changed: another goal is active and would be paused. {goal}{driven}"
        return replace(refusal(error, error.goal), text=text)

    async def _move(self, action: GoalAction, given: Arguments) -> ToolAnswer:
        before = await self.conversation.resolve_goal(given["goal_id"])
        if before is None:
            return self._done("none", "There is no goal.", None)
        # What is not named of a budget stays, so that raising one limit lifts no other.
        budget = parse_budget(tuple(given["budget"]), before.budget) if given.get("budget") else None
        result = await self._act(action, before, given, budget=budget)
        goal, name = result.goal, quote_if_ambiguous(result.goal.id)
        if result.is_repetition:
            return self._done("unchanged", f"Nothing changed now. Goal {name} is {about(goal)}", goal)
        return self._done("changed", f"Goal {name} {DONE[action]}.", goal, before, superseded=result.superseded)

    async def _act(self, action: GoalAction, goal: Goal | None, given: Arguments, **more: Any) -> ActionResult:
        # At the revision that was read just now: no later change of others is overwritten.
        request = ActionRequest(
            action=action,
            actor=_OPERATOR,
            goal=goal,
            is_as_read=True,
            key=given["key"],
            note=given.get("note"),
            replace=bool(given.get("replace")),
            **more,
        )
        return await execute(self.conversation.store, request)


def _usage(given: Arguments) -> ModelUsage:
    counts = {name: given[name] or 0 for name in _COUNTED}
    # A number that is too large for JSON is not made to fit: it is one too large for the store, which refuses it.
    active = min((given["active_seconds"] or 0) * MICRO, MAX_COUNTER + 1)
    return typed_usage(**counts, active_microseconds=active)

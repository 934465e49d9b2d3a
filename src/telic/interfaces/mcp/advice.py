"""Next steps for a model: by where the goal stands, and by what the server's role may do about it."""

import json
from typing import Final

from telic.domain.goal import Goal, GoalStatus
from telic.interfaces.mcp.results import plainly
from telic.interfaces.mcp.settings import Role, ServerSettings
from telic.services.actions import PURPOSES, GoalAction, fitting_actions
from telic.wording.amounts import write_larger_limits


def next_steps(goal: Goal | None, settings: ServerSettings) -> tuple[str, ...]:
    """Return the steps that fit the goal as it stands, and the role."""
    if settings.role is Role.OBSERVER:
        return ()
    if goal is None:
        return _without_goal(settings)
    if settings.role is Role.AGENT:
        return _for_agents(goal)
    return _for_operators(goal)


def _without_goal(settings: ServerSettings) -> tuple[str, ...]:
    if settings.role is Role.OPERATOR or settings.agent_may_create:
        return ("create_goal sets one, when the user asks for it",)
    return ("do what the user asks for; goals are set by the user or the host",)


def _for_agents(goal: Goal) -> tuple[str, ...]:
    match goal.status:
        case GoalStatus.ACTIVE:
            return (
                "work on it, and call report_progress at the end of your turn",
                f"call report_complete with revision {goal.revision} when every part of it holds and you have seen how",
                f"call report_blocked with revision {goal.revision} if nothing that you can do moves any part of it",
            )
        case GoalStatus.PAUSED:
            return ("stop working on it and end your turn; only the user or the host can resume it",)
        case _:
            return ("nothing is left to do for it; end your turn",)


_TOOLS: Final = {
    GoalAction.PAUSE: "pause_goal",
    GoalAction.RESUME: "resume_goal",
    GoalAction.SET_BUDGET: "set_budget",
    GoalAction.CLEAR: "clear_goal",
}
_OFFERED: Final = 2


def _for_operators(goal: Goal) -> tuple[str, ...]:
    if goal.is_finished:
        return ("create_goal sets the next one", "list_goals shows the others")
    fitting = [action for action in fitting_actions(goal) if action in _TOOLS]
    return tuple(_use(action, goal) for action in fitting[:_OFFERED])


def _use(action: GoalAction, goal: Goal) -> str:
    limits = write_larger_limits(goal.usage, goal.budget) if action is GoalAction.RESUME else ()
    budget = f" and budget {json.dumps(limits)}" if limits else ""
    return f"{_TOOLS[action]} with goal_id {plainly(goal.id)}{budget} {PURPOSES[action]}"

"""What a model, or an operator's, is told to do next: by where the goal stands and what it may do about that."""

import json

from telic.domain.goal import Goal, GoalStatus
from telic.interfaces.mcp.results import plainly
from telic.interfaces.mcp.settings import Role, ServerSettings
from telic.wording.amounts import write_larger_limits


def next_steps(goal: Goal | None, settings: ServerSettings) -> tuple[str, ...]:
    """The steps that fit."""
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


def _for_operators(goal: Goal) -> tuple[str, ...]:
    name = plainly(goal.id)
    match goal.status:
        case GoalStatus.ACTIVE:
            return (f"pause_goal with goal_id {name} stops work on it", f"set_budget with goal_id {name} limits it")
        case GoalStatus.PAUSED:
            return (
                f"resume_goal with goal_id {name}{_enough(goal)} goes on",
                f"clear_goal with goal_id {name} gives it up for good",
            )
        case _:
            return ("create_goal sets the next one", "list_goals shows the others")


def _enough(goal: Goal) -> str:
    limits = write_larger_limits(goal.usage, goal.budget)
    return f" and budget {json.dumps(limits)}" if limits else ""

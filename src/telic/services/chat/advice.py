"""What to do next in a chat, as commands that can be sent: after a refusal, and by where the goal stands."""

from dataclasses import replace
from typing import Final

from telic.domain.amounts import parse_limit, write_larger_limits, write_limit
from telic.domain.errors import BudgetExceeded, GoalError, InvalidCommand
from telic.domain.goal import Goal
from telic.services.actions import PURPOSES, GoalAction, fitting_actions
from telic.services.chat.grammar import GoalCommand, write
from telic.services.chat.replies import Step


def steps_after_error(error: GoalError, command: GoalCommand | None, goal: Goal | None) -> tuple[Step, ...]:
    """The commands that fit after the error; `goal` is the one that the command was about, where it came so far."""
    if isinstance(error, InvalidCommand):
        return tuple(Step(suggestion, "") for suggestion in error.suggestions)
    if isinstance(error, BudgetExceeded) and command is not None and goal is not None:
        kept = tuple(limit for limit in command.limits if parse_limit(limit)[0] != error.limit)
        more = write_limit(error.limit, 2 * max(error.used, error.budget))
        enough = replace(command, goal_id=goal.id, limits=(*kept, more))
        return (Step(write(enough), "to raise the budget and go on"),)
    return ()


_OFFERED: Final = 2


def steps_for(goal: Goal) -> tuple[Step, ...]:
    """Return the commands that fit where the goal stands."""
    if goal.is_finished:
        next_one = Step("/goal TEXT", PURPOSES[GoalAction.CREATE])
        return (next_one, Step(f"/goal history {goal.id}", "to see what happened"))
    return tuple(Step(_command(action, goal), PURPOSES[action]) for action in fitting_actions(goal)[:_OFFERED])


def _command(action: GoalAction, goal: Goal) -> str:
    limits = write_larger_limits(goal.usage, goal.budget) if action is GoalAction.RESUME else ()
    # Nothing but the scope's active goal is meant where no id is named.
    named = "" if goal.is_active else f" {goal.id}"
    return " ".join([f"/goal {action}{named}", *(f"--budget {limit}" for limit in limits)])

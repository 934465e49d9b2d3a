"""What to do next in a chat, as commands that can be sent: after a refusal, and by where the goal stands."""

from dataclasses import replace

from telic.domain.errors import BudgetExceeded, GoalError, InvalidCommand
from telic.domain.goal import Goal, GoalStatus
from telic.services.chat.grammar import GoalCommand, write
from telic.services.chat.replies import Step
from telic.wording.amounts import parse_limit, write_larger_limits, write_limit


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


def steps_for(goal: Goal) -> tuple[Step, ...]:
    """The commands that fit where the goal stands."""
    match goal.status:
        case GoalStatus.ACTIVE:
            return (Step("/goal pause", "to stop it for now"), Step("/goal complete", "to say that it is reached"))
        case GoalStatus.PAUSED:
            return (Step(_resume(goal), "to go on"), Step(f"/goal clear {goal.id}", "to give it up for good"))
        case _:
            return (Step("/goal TEXT", "to set the next one"), Step(f"/goal history {goal.id}", "to see what happened"))


def _resume(goal: Goal) -> str:
    limits = write_larger_limits(goal.usage, goal.budget)
    return " ".join([f"/goal resume {goal.id}", *(f"--budget {limit}" for limit in limits)])

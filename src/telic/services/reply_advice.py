"""What to do next: after a refusal by its code, after a change by where the goal stands."""

from dataclasses import replace
from typing import Final

from telic.domain.amounts import parse_limit, write_larger_limits, write_limit
from telic.domain.errors import BudgetExceeded, GoalError, InvalidCommand
from telic.domain.goal import Goal, GoalStatus
from telic.prompt.grammar import GoalCommand, write
from telic.services.replies import Step

ADVICE: Final = {
    "goal_error": "/goal status shows where things stand",
    "invalid_input": "/goal help shows what can be typed",
    "invalid_command": "/goal help shows what can be typed",
    "invalid_text": "leave out the characters that cannot be kept, or /goal help",
    "empty_text": "say what is to be reached: /goal create TEXT",
    "text_too_long": "keep it short, and point to a file for the details",
    "invalid_number": "amounts are 2M or 500k tokens, $5, 90m, 40turns; in front of a goal's text, -- ends options",
    "invalid_cursor": "start again with /goal list",
    "goal_not_found": "/goal list shows the goals with their ids",
    "ambiguous_id": "give more characters of the id; /goal list shows enough of them",
    "invalid_transition": "/goal status ID shows where the goal stands",
    "stale_update": "somebody changed the goal meanwhile; look at it, then send the command again",
    "key_conflict": "this message was answered before; send a new one",
    "turn_conflict": "the first record of the turn stands",
    "budget_exceeded": "raise the budget in the same command",
    "price_unknown": "the model's price must be given, or the budget of money taken away",
    "lease_lost": "another worker has the goal; look at it with /goal status",
    "lease_held": "another worker has the goal; look at it with /goal status",
    "hold_lost": "the turn counts without its hold",
    "goal_not_active": "/goal resume ID starts it again",
    "agent_failure": "look at the agent's output; /goal resume ID tries again",
    "agent_not_runnable": "the agent's command must be put right",
    "agent_prompt_too_large": "the agent must take its prompt on standard input",
    "agent_conversation_lost": "the next turn begins a new conversation",
    "agent_exited": "look at the agent's output; /goal resume ID tries again",
    "agent_timed_out": "give the agent more time, or smaller steps",
    "agent_said_nothing": "look at the agent's settings; /goal resume ID tries again",
    "agent_output_broken": "the agent's output format must be put right",
    "agent_turn_failed": "look at the agent's provider; /goal resume ID tries again",
    "workspace_missing": "put the goal's folder back, then /goal resume ID",
    "not_allowed": "somebody with the authority must do it",
    "would_replace": "say that it may be paused, or use another scope",
    "missing_extra": "what is missing must be installed where the program runs",
    "store_error": "the goals could not be reached; telic doctor tells what is wrong",
    "store_busy": "nothing was written; send the command again",
    "store_unavailable": "nothing was written; send the command again when the store can be reached",
    "outcome_unknown": "it may or may not have been done; /goal status shows which",
    "store_full": "nothing was written; make room, then send the command again",
    "store_moved": "nothing was written; the program must open the store anew",
    "store_corrupt": "nothing was written; telic doctor tells what is damaged",
    "store_misconfigured": "nothing was written; the program's store must be set right",
    "schema_mismatch": "nothing was written; Telic must be upgraded",
    "store_closed": "nothing was written; the program must open the store again",
}


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

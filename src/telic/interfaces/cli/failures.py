"""What a failure means to a shell: one table from error code to exit code and next step."""

from typing import Final

from telic.domain.errors import GoalError

EXIT_NOTHING_THERE: Final = 3
EXIT_FOUND_PROBLEMS: Final = 10
EXIT_INTERRUPTED: Final = 130

_INPUT: Final = 2
_CONFLICT: Final = 4
_BUDGET: Final = 5
_NOT_ALLOWED: Final = 6
_RETRYABLE: Final = 7
_UNKNOWN: Final = 8
_STORE: Final = 9
_AGENT: Final = 11

FAILURES: Final[dict[str, tuple[int, str | None]]] = {
    "invalid_input": (_INPUT, "telic COMMAND --help tells what is accepted"),
    "invalid_text": (_INPUT, "telic COMMAND --help tells what is accepted"),
    "empty_text": (_INPUT, 'say what is to be reached: telic create "Move billing to the new API"'),
    "text_too_long": (_INPUT, "keep the goal short and point to a file for the details, or raise --max-chars"),
    "invalid_number": (_INPUT, "whole numbers only; budgets as 2M, 500k, $5, 90m or 40turns"),
    "invalid_cursor": (_INPUT, "use the next_cursor of the page before, unchanged"),
    "invalid_command": (_INPUT, "/goal help tells what can be typed in a chat"),
    "goal_not_found": (EXIT_NOTHING_THERE, "telic list shows the goals with their ids"),
    "ambiguous_id": (EXIT_NOTHING_THERE, "give more characters of the id; telic list shows enough of them"),
    "invalid_transition": (_CONFLICT, "telic show ID tells where the goal stands"),
    "stale_update": (_CONFLICT, "look at it with telic show ID, then repeat with its --revision"),
    "key_conflict": (_CONFLICT, "use a fresh --key for a new call"),
    "turn_conflict": (_CONFLICT, "the first record stands; use a fresh --key for another turn"),
    "budget_exceeded": (_BUDGET, "raise it in the same call: telic resume ID --budget 4M"),
    "price_unknown": (_BUDGET, "pip install 'telic[pricing]', or give the model a price of your own"),
    "goal_not_active": (_CONFLICT, "telic show ID tells why it rests; telic resume ID starts it again"),
    "lease_held": (_CONFLICT, "wait until the lease has expired; telic show ID tells who has the goal"),
    "lease_lost": (_CONFLICT, "stop working on the goal; telic claim ID asks for it anew"),
    "hold_lost": (_CONFLICT, "record the turn without --hold"),
    "not_allowed": (_NOT_ALLOWED, None),
    "agent_failure": (_AGENT, None),
    "agent_not_runnable": (_AGENT, "name a command that can be executed, and a folder that is there"),
    "agent_prompt_too_large": (_AGENT, "leave {prompt} out of the command; the prompt then comes on standard input"),
    "agent_exited": (_AGENT, "the end of its output says why"),
    "agent_timed_out": (_AGENT, "give each turn more time, or the agent smaller steps"),
    "agent_said_nothing": (_AGENT, "run the command by hand to see why it prints nothing"),
    "agent_output_broken": (_AGENT, "tell Telic the format that the command prints"),
    "agent_turn_failed": (_AGENT, "the end of its output says why"),
    "workspace_missing": (_AGENT, "name a folder that is there"),
    "store_busy": (_RETRYABLE, "repeat the command; nothing was written"),
    "store_unavailable": (_RETRYABLE, "repeat the command when the store can be reached; nothing was written"),
    "outcome_unknown": (_UNKNOWN, "repeat the command with the --key it names; it then happens exactly once"),
    "store_full": (_STORE, "make room, then repeat the command; nothing was written"),
    "store_moved": (_STORE, "repeat the command; it opens the file that is there now"),
    "store_corrupt": (_STORE, "telic doctor tells what is damaged"),
    "store_misconfigured": (_STORE, "--store PATH or TELIC_STORE names the store; telic create makes a new one"),
    "schema_mismatch": (_STORE, "upgrade Telic: pip install --upgrade telic"),
    "store_closed": (_STORE, None),
    "store_error": (_STORE, "telic doctor tells what is wrong"),
}


def failure(error: GoalError) -> tuple[int, str | None]:
    """The exit code and the next step for an error."""
    return FAILURES.get(error.code, (_STORE, None))

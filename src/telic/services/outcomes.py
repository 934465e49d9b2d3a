"""What each error means to a caller: a shell, a program that speaks HTTP, a browser, a person in a chat.

One row for each code. Surfaces look it up here and add only what their own call knows, such as the goal's id.
"""

from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from telic.domain.errors import GoalError


class ExitCode(IntEnum):
    """How a command ended, for scripts. `telic run` has more, which say how it left its goal."""

    DONE = 0
    WRONG_INPUT = 2
    NOTHING_THERE = 3
    CONFLICT = 4
    OVER_BUDGET = 5
    NOT_ALLOWED = 6
    RETRYABLE = 7
    OUTCOME_UNKNOWN = 8
    STORE_FAILED = 9
    FOUND_PROBLEMS = 10
    AGENT_FAILED = 11
    SYSTEM_FAILED = 12
    INTERRUPTED = 130


@dataclass(frozen=True, slots=True)
class ErrorOutcome:
    """What an error means: a command's exit code, an HTTP status, a page's title, and what to do next.

    Of the next step in a shell, parts between semicolons stand for themselves, and `{command}` is the one that failed.
    """

    exit_code: ExitCode
    http_status: int
    title: str | None = None
    next_in_shell: str | None = None
    next_in_chat: str = ""


HELP: Final = "{command} --help tells what is accepted"

OUTCOMES: Final[dict[str, ErrorOutcome]] = {
    "invalid_input": ErrorOutcome(
        ExitCode.WRONG_INPUT, 422, next_in_shell=HELP, next_in_chat="/goal help shows what can be typed"
    ),
    "invalid_text": ErrorOutcome(
        ExitCode.WRONG_INPUT,
        422,
        next_in_shell=HELP,
        next_in_chat="leave out the characters that cannot be kept, or /goal help",
    ),
    "empty_text": ErrorOutcome(
        ExitCode.WRONG_INPUT,
        422,
        next_in_shell='say what is to be reached: telic create "Move billing to the new API"',
        next_in_chat="say what is to be reached: /goal create TEXT",
    ),
    "text_too_long": ErrorOutcome(
        ExitCode.WRONG_INPUT,
        422,
        next_in_shell="keep the goal short and point to a file for the details; --max-chars N allows more",
        next_in_chat="keep it short, and point to a file for the details",
    ),
    "invalid_number": ErrorOutcome(
        ExitCode.WRONG_INPUT,
        422,
        next_in_shell=HELP,
        next_in_chat="amounts are 2M or 500k tokens, $5, 90m, 40turns; in front of a goal's text, -- ends options",
    ),
    "invalid_cursor": ErrorOutcome(
        ExitCode.WRONG_INPUT,
        422,
        next_in_shell="use the next_cursor of the page before, unchanged",
        next_in_chat="start again with /goal list",
    ),
    "invalid_command": ErrorOutcome(
        ExitCode.WRONG_INPUT,
        422,
        next_in_shell="/goal help tells what can be typed in a chat",
        next_in_chat="/goal help shows what can be typed",
    ),
    "goal_not_found": ErrorOutcome(
        ExitCode.NOTHING_THERE,
        404,
        title="There is no such goal",
        next_in_shell="telic list shows the goals with their ids",
        next_in_chat="/goal list shows the goals with their ids",
    ),
    "ambiguous_id": ErrorOutcome(
        ExitCode.NOTHING_THERE,
        409,
        title="Several goals are meant",
        next_in_shell="give more characters of the id, or its last ones; telic list shows enough of them",
        next_in_chat="give more characters of the id; /goal list shows enough of them",
    ),
    "invalid_transition": ErrorOutcome(
        ExitCode.CONFLICT,
        409,
        next_in_shell="telic show ID tells where the goal stands",
        next_in_chat="/goal status ID shows where the goal stands",
    ),
    "stale_update": ErrorOutcome(
        ExitCode.CONFLICT,
        412,
        next_in_shell="look at it with telic show ID, then repeat; --revision N names what you have seen",
        next_in_chat="somebody changed the goal meanwhile; look at it, then send the command again",
    ),
    "key_conflict": ErrorOutcome(
        ExitCode.CONFLICT,
        409,
        next_in_shell="the key belongs to another call; --key NAME gives this one its own",
        next_in_chat="this message was answered before; send a new one",
    ),
    "turn_conflict": ErrorOutcome(
        ExitCode.CONFLICT,
        409,
        next_in_shell="the first record stands; --key NAME records another turn",
        next_in_chat="the first record of the turn stands",
    ),
    "budget_exceeded": ErrorOutcome(
        ExitCode.OVER_BUDGET,
        409,
        title="The budget is used up",
        next_in_shell="raise it in the same call: telic resume ID --budget 4M",
        next_in_chat="raise the budget in the same command",
    ),
    "price_unknown": ErrorOutcome(
        ExitCode.OVER_BUDGET,
        409,
        next_in_shell="pip install 'telic[pricing]', or give the model a price of your own",
        next_in_chat="the model's price must be given, or the budget of money taken away",
    ),
    "goal_not_active": ErrorOutcome(
        ExitCode.CONFLICT,
        409,
        next_in_shell="telic show ID tells why it rests; telic resume ID starts it again",
        next_in_chat="/goal resume ID starts it again",
    ),
    "lease_held": ErrorOutcome(
        ExitCode.CONFLICT,
        409,
        next_in_shell="wait until the lease has expired; telic show ID tells who has the goal",
        next_in_chat="another worker has the goal; look at it with /goal status",
    ),
    "lease_lost": ErrorOutcome(
        ExitCode.CONFLICT,
        409,
        next_in_shell="stop working on the goal; telic claim ID asks for it anew",
        next_in_chat="another worker has the goal; look at it with /goal status",
    ),
    "hold_lost": ErrorOutcome(
        ExitCode.CONFLICT,
        409,
        next_in_shell="the hold is open no more; telic record ID --tokens N records the turn without it",
        next_in_chat="the turn counts without its hold",
    ),
    "not_allowed": ErrorOutcome(
        ExitCode.NOT_ALLOWED, 403, title="That is not allowed", next_in_chat="somebody with the authority must do it"
    ),
    "would_replace": ErrorOutcome(
        ExitCode.NOT_ALLOWED,
        409,
        next_in_shell="--replace pauses it",
        next_in_chat="say that it may be paused, or use another scope",
    ),
    "missing_extra": ErrorOutcome(
        ExitCode.WRONG_INPUT, 500, next_in_chat="what is missing must be installed where the program runs"
    ),
    "agent_failure": ErrorOutcome(
        ExitCode.AGENT_FAILED, 500, next_in_chat="look at the agent's output; /goal resume ID tries again"
    ),
    "agent_not_runnable": ErrorOutcome(
        ExitCode.AGENT_FAILED,
        500,
        next_in_shell="name a command that can be executed, and a folder that is there",
        next_in_chat="the agent's command must be put right",
    ),
    "agent_prompt_too_large": ErrorOutcome(
        ExitCode.AGENT_FAILED,
        500,
        next_in_shell="leave {prompt} out of the command; the prompt then comes on standard input",
        next_in_chat="the agent must take its prompt on standard input",
    ),
    "agent_cost_unknown": ErrorOutcome(
        ExitCode.AGENT_FAILED, 500, next_in_chat="give the agent's model a price, or take the money budget away"
    ),
    "agent_exited": ErrorOutcome(
        ExitCode.AGENT_FAILED,
        500,
        next_in_shell="the end of its output says why",
        next_in_chat="look at the agent's output; /goal resume ID tries again",
    ),
    "agent_timed_out": ErrorOutcome(
        ExitCode.AGENT_FAILED,
        500,
        next_in_shell="give each turn more time, or the agent smaller steps",
        next_in_chat="give the agent more time, or smaller steps",
    ),
    "agent_said_nothing": ErrorOutcome(
        ExitCode.AGENT_FAILED,
        500,
        next_in_shell="run the command by hand to see why it prints nothing",
        next_in_chat="look at the agent's settings; /goal resume ID tries again",
    ),
    "agent_output_broken": ErrorOutcome(
        ExitCode.AGENT_FAILED,
        500,
        next_in_shell="tell Telic the format that the command prints",
        next_in_chat="the agent's output format must be put right",
    ),
    "agent_turn_failed": ErrorOutcome(
        ExitCode.AGENT_FAILED,
        500,
        next_in_shell="the end of its output says why",
        next_in_chat="look at the agent's provider; /goal resume ID tries again",
    ),
    "agent_conversation_lost": ErrorOutcome(
        ExitCode.AGENT_FAILED,
        500,
        next_in_shell="the next turn begins a new conversation",
        next_in_chat="the next turn begins a new conversation",
    ),
    "workspace_missing": ErrorOutcome(
        ExitCode.AGENT_FAILED,
        500,
        next_in_shell="name a folder that is there",
        next_in_chat="put the goal's folder back, then /goal resume ID",
    ),
    "store_busy": ErrorOutcome(
        ExitCode.RETRYABLE,
        503,
        next_in_shell="repeat the command; nothing was written",
        next_in_chat="nothing was written; send the command again",
    ),
    "store_unavailable": ErrorOutcome(
        ExitCode.RETRYABLE,
        503,
        next_in_shell="repeat the command when the store can be reached; nothing was written",
        next_in_chat="nothing was written; send the command again when the store can be reached",
    ),
    "outcome_unknown": ErrorOutcome(
        ExitCode.OUTCOME_UNKNOWN,
        503,
        next_in_shell="repeat the command; --key KEY with the key above makes it happen exactly once",
        next_in_chat="it may or may not have been done; /goal status shows which",
    ),
    "store_full": ErrorOutcome(
        ExitCode.STORE_FAILED,
        507,
        next_in_shell="make room, then repeat the command; nothing was written",
        next_in_chat="nothing was written; make room, then send the command again",
    ),
    "store_moved": ErrorOutcome(
        ExitCode.STORE_FAILED,
        503,
        next_in_shell="repeat the command; it opens the file that is there now",
        next_in_chat="nothing was written; the program must open the store anew",
    ),
    "store_corrupt": ErrorOutcome(
        ExitCode.STORE_FAILED,
        500,
        next_in_shell="--store PATH names the store; telic doctor tells what is damaged",
        next_in_chat="nothing was written; telic doctor tells what is damaged",
    ),
    "store_misconfigured": ErrorOutcome(
        ExitCode.STORE_FAILED,
        500,
        next_in_shell="--store PATH or TELIC_STORE names the store; telic create makes a new one",
        next_in_chat="nothing was written; the program's store must be set right",
    ),
    "schema_mismatch": ErrorOutcome(
        ExitCode.STORE_FAILED,
        500,
        next_in_shell="upgrade Telic: pip install --upgrade telic",
        next_in_chat="nothing was written; Telic must be upgraded",
    ),
    "store_closed": ErrorOutcome(
        ExitCode.STORE_FAILED, 503, next_in_chat="nothing was written; the program must open the store again"
    ),
    "store_error": ErrorOutcome(
        ExitCode.STORE_FAILED,
        500,
        next_in_shell="telic doctor tells what is wrong",
        next_in_chat="the goals could not be reached; telic doctor tells what is wrong",
    ),
}
"""Every code there is. Agents never run behind HTTP: their errors there would be the server's own fault."""

HTTP_REFUSALS: Final[dict[str, int]] = {
    "invalid_request": 400,
    "token_required": 401,
    "foreign_origin": 403,
    "read_only": 403,
    "not_found": 404,
    "method_not_allowed": 405,
    "body_too_slow": 408,
    "body_too_large": 413,
    "unsupported_media_type": 415,
    "wrong_host": 421,
    "precondition_required": 428,
    "too_many_requests": 429,
    "too_many_guesses": 429,
    "internal_error": 500,
    "too_many_streams": 503,
}
"""What is refused over HTTP before the store is asked."""

_OTHER: Final = ErrorOutcome(ExitCode.STORE_FAILED, 500, next_in_chat="/goal status shows where things stand")


def http_status(code: str) -> int:
    """Return the HTTP status with which a refusal or an error of this code is answered, by every server."""
    return HTTP_REFUSALS[code] if code in HTTP_REFUSALS else OUTCOMES.get(code, _OTHER).http_status


def outcome_of(error: GoalError) -> ErrorOutcome:
    """Return what the error means; one of a kind that is not known here is a failure of no name."""
    return OUTCOMES.get(error.code, _OTHER)

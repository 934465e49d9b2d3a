"""The meaning of each error to a caller: a shell, a program that speaks HTTP, a browser, a person in a chat.

One row for each code. Surfaces look it up here and add only what their own call knows, such as the goal's id.
"""

from dataclasses import dataclass
from enum import IntEnum
from typing import Any, Final

from telic.domain.errors import GoalError
from telic.domain.ids import short_ids


class ExitCode(IntEnum):
    """The exit code of a command, for scripts. `telic run` has more, which say where it left its goal."""

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
    """The meaning of an error: a command's exit code, an HTTP status, a page's title, and what to do next.

    In a next step `{id}` is the goal's, see `about`. Of one in a shell, parts between semicolons stand for themselves,
    and `{command}` is the command that failed.
    """

    exit_code: ExitCode
    http_status: int
    next_in_chat: str = ""
    next_in_shell: str | None = None
    title: str | None = None


HELP: Final = "{command} --help tells what is accepted"


def about(advice: str, goal_id: str | None) -> str:
    """Return the advice with the goal's short id, ready to be pasted.

    Where the goal is not known the id is left out: commands then mean the scope's active goal, or its latest.
    """
    return advice.replace(" {id}", f" {short_ids([goal_id])[0]}" if goal_id else "")


def _outcomes(exit_code: ExitCode, http_status: int, **rows: tuple[Any, ...]) -> dict[str, ErrorOutcome]:
    """Return the rows of these codes: for each the next step in a chat, then in a shell, then a page's title."""
    return {code: ErrorOutcome(exit_code, http_status, *row) for code, row in rows.items()}


# Every code there is. Agents never run behind HTTP: their errors there would be the server's own fault.
OUTCOMES: Final[dict[str, ErrorOutcome]] = {
    **_outcomes(
        ExitCode.WRONG_INPUT,
        422,
        invalid_input=("/goal help shows what can be typed", HELP),
        invalid_text=("leave out the characters that cannot be kept, or /goal help", HELP),
        empty_text=(
            "say what is to be reached: /goal create TEXT",
            'say what is to be reached: telic create "Move billing to the new API"',
        ),
        text_too_long=(
            "keep it short, and point to a file for the details",
            "keep the goal short and point to a file for the details; --max-chars N allows more",
        ),
        invalid_number=(
            "amounts are 2M or 500k tokens, $5, 90m, 40turns; in front of a goal's text, -- ends options",
            HELP,
        ),
        invalid_cursor=("start again with /goal list", "use the cursor that the page before gave, unchanged"),
        invalid_command=("/goal help shows what can be typed", "/goal help tells what can be typed in a chat"),
    ),
    **_outcomes(
        ExitCode.NOTHING_THERE,
        404,
        goal_not_found=(
            "/goal list shows the goals with their ids",
            "telic list shows the goals with their ids",
            "There is no such goal",
        ),
    ),
    **_outcomes(
        ExitCode.NOTHING_THERE,
        409,
        ambiguous_id=(
            "give more characters of the id; /goal list shows enough of them",
            "give more characters of the id, or its last ones; telic list shows enough of them",
            "Several goals are meant",
        ),
    ),
    **_outcomes(
        ExitCode.CONFLICT,
        409,
        invalid_transition=(
            "/goal status {id} shows where the goal stands",
            "telic show {id} tells where the goal stands",
        ),
        key_conflict=(
            "this message was answered before; send a new one",
            "the key belongs to another call; --key NAME gives this one its own",
        ),
        turn_conflict=(
            "the first record of the turn stands",
            "the first record stands; --key NAME records another turn",
        ),
        goal_not_active=(
            "/goal resume {id} starts it again",
            "telic show {id} tells why it rests; telic resume {id} starts it again",
        ),
        lease_held=(
            "another worker has the goal; look at it with /goal status",
            "wait until the lease has expired; telic show {id} tells who has the goal",
        ),
        lease_lost=(
            "another worker has the goal; look at it with /goal status",
            "stop working on the goal; telic claim {id} asks for it again",
        ),
        hold_lost=(
            "the turn counts without its hold",
            "the hold is open no more; telic record {id} --tokens N records the turn without it",
        ),
    ),
    **_outcomes(
        ExitCode.CONFLICT,
        412,
        stale_update=(
            "somebody changed the goal meanwhile; look at it, then send the command again",
            "look at it with telic show {id}, then repeat; --revision N names what you have seen",
        ),
    ),
    **_outcomes(
        ExitCode.OVER_BUDGET,
        409,
        budget_exceeded=(
            "raise the budget in the same command",
            "raise it in the same call: telic resume {id} --budget 4M",
            "The budget is used up",
        ),
        price_unknown=(
            "the model's price must be given, or the budget of money taken away",
            "pip install 'telic[pricing]', or give the model a price of your own",
        ),
    ),
    **_outcomes(
        ExitCode.NOT_ALLOWED,
        403,
        not_allowed=("somebody with the authority must do it", None, "That is not allowed"),
    ),
    **_outcomes(
        ExitCode.NOT_ALLOWED,
        409,
        would_replace=("say that it may be paused, or use another scope", "--replace pauses it"),
    ),
    **_outcomes(
        ExitCode.WRONG_INPUT,
        500,
        missing_extra=("what is missing must be installed where the program runs",),
    ),
    **_outcomes(
        ExitCode.AGENT_FAILED,
        500,
        agent_failure=("look at the agent's output; /goal resume {id} tries again",),
        agent_not_runnable=(
            "the agent's command must be put right",
            "name a command that can be executed, and a folder that is there",
        ),
        agent_prompt_too_large=(
            "the agent must take its prompt on standard input",
            "leave {prompt} out of the command; the prompt then comes on standard input",
        ),
        agent_cost_unknown=("give the agent's model a price, or take the money budget away",),
        agent_exited=("look at the agent's output; /goal resume {id} tries again", "the end of its output says why"),
        agent_timed_out=(
            "give the agent more time, or smaller steps",
            "give each turn more time, or the agent smaller steps",
        ),
        agent_said_nothing=(
            "look at the agent's settings; /goal resume {id} tries again",
            "run the command by hand to see why it prints nothing",
        ),
        agent_output_broken=(
            "the agent's output format must be put right",
            "tell Telic the format that the command prints",
        ),
        agent_turn_failed=(
            "look at the agent's provider; /goal resume {id} tries again",
            "the end of its output says why",
        ),
        agent_conversation_lost=("the next turn begins a new conversation", "the next turn begins a new conversation"),
        workspace_missing=("put the goal's folder back, then /goal resume {id}", "name a folder that is there"),
    ),
    **_outcomes(
        ExitCode.RETRYABLE,
        503,
        store_busy=("nothing was written; send the command again", "repeat the command; nothing was written"),
        store_unavailable=(
            "nothing was written; send the command again when the store can be reached",
            "repeat the command when the store can be reached; nothing was written",
        ),
    ),
    **_outcomes(
        ExitCode.OUTCOME_UNKNOWN,
        503,
        outcome_unknown=(
            "it may or may not have been done; /goal status shows which",
            "repeat the command; --key KEY with the key above makes it happen exactly once",
        ),
    ),
    **_outcomes(
        ExitCode.STORE_FAILED,
        507,
        store_full=(
            "nothing was written; make room, then send the command again",
            "make room, then repeat the command; nothing was written",
        ),
    ),
    **_outcomes(
        ExitCode.STORE_FAILED,
        503,
        store_moved=(
            "nothing was written; the program must open the store again",
            "repeat the command; it opens the file that is there now",
        ),
        store_closed=("nothing was written; the program must open the store again",),
    ),
    **_outcomes(
        ExitCode.STORE_FAILED,
        500,
        store_corrupt=(
            "nothing was written; telic doctor tells what is damaged",
            "--store PATH names the store; telic doctor tells what is damaged",
        ),
        store_misconfigured=(
            "nothing was written; the program's store must be set right",
            "--store PATH or TELIC_STORE names the store; telic create makes a new one",
        ),
        schema_mismatch=("nothing was written; Telic must be upgraded", "upgrade Telic: pip install --upgrade telic"),
        store_error=(
            "the goals could not be reached; telic doctor tells what is wrong",
            "telic doctor tells what is wrong",
        ),
    ),
}

# What is refused over HTTP before the store is asked.
HTTP_REFUSALS: Final[dict[str, int]] = {
    "invalid_request": 400,
    "token_required": 401,
    "foreign_origin": 403,
    "foreign_form": 403,
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

_OTHER: Final = ErrorOutcome(ExitCode.STORE_FAILED, 500, next_in_chat="/goal status shows where things stand")


def http_status(code: str) -> int:
    """Return the HTTP status with which a refusal or an error of this code is answered, by every server."""
    return HTTP_REFUSALS[code] if code in HTTP_REFUSALS else OUTCOMES.get(code, _OTHER).http_status


def outcome_of(error: GoalError) -> ErrorOutcome:
    """Return what the error means; one of a kind that is not known here is a failure of no name."""
    return OUTCOMES.get(error.code, _OTHER)

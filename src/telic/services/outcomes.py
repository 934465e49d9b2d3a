"""The meaning of each error to a caller: a shell, a program that speaks HTTP, a browser, a person in a chat.

One row for each code. Surfaces look it up here and add only what their own call knows, such as the goal's id.
"""

from dataclasses import dataclass
from enum import IntEnum
from typing import Any, Final

from telic.domain.errors import GoalError


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

    In a next step `{id}` is the goal's, see `next_steps.about`, and `{command}` the shell's command that failed. Parts
    between semicolons stand for themselves: where nothing is typed, those of a chat that name its commands are left
    out. A model's next step names tools that every role has over MCP; where there is none, a person has to help.
    """

    exit_code: ExitCode
    http_status: int
    next_in_chat: str = ""
    next_in_shell: str = ""
    next_for_model: str | None = None
    title: str | None = None


_PRICE: Final = "give the agent's model a price, or take the money budget away"
_LOOK: Final = "get_goal shows where the goal stands"
HELP: Final = "{command} --help tells what is accepted"


def _outcomes(exit_code: ExitCode, http_status: int, **rows: tuple[Any, ...]) -> dict[str, ErrorOutcome]:
    """Return the rows of these codes: the next step in a chat, in a shell, of a model, and a page's title."""
    return {code: ErrorOutcome(exit_code, http_status, *row) for code, row in rows.items()}


# Every code there is. Agents never run behind HTTP: their errors there would be the server's own fault.
OUTCOMES: Final[dict[str, ErrorOutcome]] = {
    **_outcomes(
        ExitCode.WRONG_INPUT,
        422,
        invalid_input=("put right what is named; /goal help tells how", HELP, "call again, as its description says"),
        invalid_text=("put right what is named; /goal help tells how", HELP, "put right what is named, and call again"),
        empty_text=(
            "say what is to be reached; /goal create TEXT does",
            'say what is to be reached: telic create "Move billing to the new API"',
            "say what is to be reached, and call again",
        ),
        text_too_long=(
            "keep it short, and point to a file for the details",
            "keep the goal short and point to a file for the details; --max-chars N allows more",
        ),
        invalid_number=(
            "amounts are 2M or 500k tokens, $5, 90m, 40turns; /goal -- TEXT keeps every word of a text",
            HELP,
            "write amounts as 2M or 500k tokens, $5, 90m or 40turns, and call again",
        ),
        invalid_cursor=(
            "start again with the first page; /goal list shows it",
            "use the cursor that the page before gave, unchanged",
            "call list_goals without a cursor",
        ),
        invalid_command=("put right what is named; /goal help tells how", "/goal help tells what can be typed", _LOOK),
    ),
    **_outcomes(
        ExitCode.NOTHING_THERE,
        404,
        goal_not_found=(
            "the goal may be in another store or scope; /goal list shows the goals with their ids",
            "telic list shows the goals with their ids",
            "list_goals shows the goals with their ids",
            "There is no such goal",
        ),
    ),
    **_outcomes(
        ExitCode.NOTHING_THERE,
        409,
        ambiguous_id=(
            "give more characters of the id; /goal list shows enough of them",
            "give more characters of the id, or its last ones; telic list shows enough of them",
            "give more characters of the id; list_goals shows whole ones",
            "Several goals are meant",
        ),
    ),
    **_outcomes(
        ExitCode.CONFLICT,
        409,
        invalid_transition=(
            "look at where the goal stands; /goal status {id} shows it",
            "telic show {id} tells where it stands",
            _LOOK,
        ),
        key_conflict=(
            "the key belongs to another call; send this one with a key of its own",
            "the key belongs to another call; --key NAME gives this one its own",
            "the key belongs to another call; give this one a key of its own",
        ),
        turn_conflict=(
            "the first record of the turn stands",
            "the first record stands; --key NAME records another turn",
            "the first record of the turn stands; another turn needs a key of its own",
        ),
        goal_not_active=(
            "resume the goal first; /goal resume {id} does",
            "telic show {id} tells why it rests; telic resume {id} starts it again",
            "do not work on the goal until the user or the host resumes it",
        ),
        lease_held=(
            "another worker has the goal; look at it with /goal status",
            "wait until the lease has expired; telic show {id} tells who has the goal",
            "another worker has the goal; get_goal shows which",
        ),
        lease_lost=(
            "another worker has the goal; look at it with /goal status",
            "stop working on the goal; telic claim {id} asks for it again",
            "another worker has the goal; stop working on it",
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
            "somebody changed the goal meanwhile; look at it as it is now, then decide again",
            "look at it with telic show {id}, then repeat; --revision N names what you have seen",
            "somebody changed the goal meanwhile; look at it with get_goal, then decide again",
        ),
    ),
    **_outcomes(
        ExitCode.OVER_BUDGET,
        409,
        budget_exceeded=(
            "give the goal a larger budget with the same request",
            "raise it in the same call: telic resume {id} --budget 4M",
            "ask the user for a larger budget, and give it in the same call",
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
        not_allowed=(
            "somebody with the authority must do it",
            "somebody with the authority must do it; telic show {id} tells where the goal stands",
            None,
            "That is not allowed",
        ),
    ),
    **_outcomes(
        ExitCode.NOT_ALLOWED,
        409,
        would_replace=(
            "say that it may be paused, or use another scope",
            "--replace pauses it",
            "ask the user; if they agree, call again with replace true",
        ),
    ),
    **_outcomes(
        ExitCode.WRONG_INPUT,
        500,
        missing_extra=("what is missing must be installed where the program runs",),
    ),
    **_outcomes(
        ExitCode.AGENT_FAILED,
        500,
        agent_failure=("look at the agent's output; /goal resume {id} tries again", "its output's end says why", _LOOK),
        agent_not_runnable=("put the agent's command right", "name a command that runs, and a folder that is there"),
        agent_prompt_too_large=(
            "the agent must take its prompt on standard input",
            "leave {prompt} out of the command; the prompt then comes on standard input",
        ),
        agent_cost_unknown=(_PRICE, _PRICE),
        agent_exited=("look at the agent's output; /goal resume {id} tries again", "its output's end says why", _LOOK),
        agent_timed_out=("give it more time, or smaller steps", "give turns more time, or the agent smaller steps"),
        agent_said_nothing=(
            "look at the agent's settings; /goal resume {id} tries again",
            "run the command by hand to see why it prints nothing",
            _LOOK,
        ),
        agent_output_broken=("put the agent's output format right", "tell Telic the format that the command prints"),
        agent_turn_failed=("look at its provider; /goal resume {id} tries again", "its output's end says why", _LOOK),
        agent_conversation_lost=("the next turn begins a new conversation", "the next turn begins a new conversation"),
        workspace_missing=(
            "put the goal's folder back; /goal resume {id} goes on then",
            "name a folder that is there",
            _LOOK,
        ),
    ),
    **_outcomes(
        ExitCode.RETRYABLE,
        503,
        store_busy=(
            "nothing was written; send it again",
            "repeat the command; nothing was written",
            "nothing was written; repeat the call",
        ),
        store_unavailable=(
            "nothing was written; send it again when the store can be reached",
            "repeat the command when the store can be reached; nothing was written",
            "nothing was written; repeat the call later",
        ),
    ),
    **_outcomes(
        ExitCode.OUTCOME_UNKNOWN,
        503,
        outcome_unknown=(
            "it may or may not have been done; look at the goal before you repeat it; /goal status shows it",
            "repeat the command; --key KEY with the key above makes it happen exactly once",
        ),
    ),
    **_outcomes(
        ExitCode.STORE_FAILED,
        507,
        store_full=(
            "nothing was written; make room, then send it again",
            "make room, then repeat the command; nothing was written",
            "nothing was written; tell the user to make room, then repeat the call",
        ),
    ),
    **_outcomes(
        ExitCode.STORE_FAILED,
        503,
        store_moved=(
            "nothing was written; the program must open the store again",
            "repeat the command; it opens the file that is there now",
        ),
        store_closed=("nothing was written; the program must open the store again", "repeat the command"),
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
        schema_mismatch=("nothing was written; Telic must be upgraded", "upgrade Telic: pip install -U telic"),
        store_error=("the goals are out of reach; telic doctor tells why", "telic doctor tells what is wrong"),
    ),
}

# What is refused over HTTP before the store is asked.
_REFUSED_OVER_HTTP: Final = {
    400: "invalid_request", 401: "token_required", 403: "foreign_origin foreign_form read_only", 404: "not_found",
    405: "method_not_allowed", 408: "body_too_slow", 413: "body_too_large", 415: "unsupported_media_type",
    421: "wrong_host", 428: "precondition_required", 429: "too_many_requests too_many_guesses", 500: "internal_error",
    503: "too_many_streams",
}  # fmt: skip
HTTP_REFUSALS: Final = {code: status for status, codes in _REFUSED_OVER_HTTP.items() for code in codes.split()}
"""The status of each."""

_OTHER: Final = ErrorOutcome(
    ExitCode.STORE_FAILED, 500, next_in_chat="look at where things stand; /goal status shows it"
)


def http_status(code: str) -> int:
    """Return the HTTP status with which a refusal or an error of this code is answered, by every server."""
    return HTTP_REFUSALS[code] if code in HTTP_REFUSALS else OUTCOMES.get(code, _OTHER).http_status


def outcome_of(error: GoalError) -> ErrorOutcome:
    """Return what the error means; one of a kind that is not known here is a failure of no name."""
    return OUTCOMES.get(error.code, _OTHER)

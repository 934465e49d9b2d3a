"""What a failure means to a shell: one table from error code to exit code and next step."""

import re
from typing import Final

import click

from telic.domain.amounts import InvalidAmount
from telic.domain.errors import BudgetExceeded, GoalError, NotAllowed, OutcomeUnknown, StaleUpdate, WouldReplace
from telic.domain.wording import first_words
from telic.interfaces.cli.options import QUOTED_MONEY

EXIT_NOTHING_THERE: Final = 3
EXIT_FOUND_PROBLEMS: Final = 10
EXIT_SYSTEM: Final = 12
EXIT_INTERRUPTED: Final = 130

_INPUT: Final = 2
_CONFLICT: Final = 4
_BUDGET: Final = 5
_NOT_ALLOWED: Final = 6
_RETRYABLE: Final = 7
_UNKNOWN: Final = 8
_STORE: Final = 9
_AGENT: Final = 11

_HELP: Final = "{command} --help tells what is accepted"

FAILURES: Final[dict[str, tuple[int, str | None]]] = {
    "invalid_input": (_INPUT, _HELP),
    "invalid_text": (_INPUT, _HELP),
    "empty_text": (_INPUT, 'say what is to be reached: telic create "Move billing to the new API"'),
    "text_too_long": (_INPUT, "keep the goal short and point to a file for the details; --max-chars N allows more"),
    "invalid_number": (_INPUT, _HELP),
    "invalid_cursor": (_INPUT, "use the next_cursor of the page before, unchanged"),
    "invalid_command": (_INPUT, "/goal help tells what can be typed in a chat"),
    "goal_not_found": (EXIT_NOTHING_THERE, "telic list shows the goals with their ids"),
    "ambiguous_id": (
        EXIT_NOTHING_THERE,
        "give more characters of the id, or its last ones; telic list shows enough of them",
    ),
    "invalid_transition": (_CONFLICT, "telic show ID tells where the goal stands"),
    "stale_update": (_CONFLICT, "look at it with telic show ID, then repeat; --revision N names what you have seen"),
    "key_conflict": (_CONFLICT, "the key belongs to another call; --key NAME gives this one its own"),
    "turn_conflict": (_CONFLICT, "the first record stands; --key NAME records another turn"),
    "budget_exceeded": (_BUDGET, "raise it in the same call: telic resume ID --budget 4M"),
    "price_unknown": (_BUDGET, "pip install 'telic[pricing]', or give the model a price of your own"),
    "goal_not_active": (_CONFLICT, "telic show ID tells why it rests; telic resume ID starts it again"),
    "lease_held": (_CONFLICT, "wait until the lease has expired; telic show ID tells who has the goal"),
    "lease_lost": (_CONFLICT, "stop working on the goal; telic claim ID asks for it anew"),
    "hold_lost": (_CONFLICT, "the hold is open no more; telic record ID --tokens N records the turn without it"),
    "not_allowed": (_NOT_ALLOWED, None),
    "would_replace": (_NOT_ALLOWED, "--replace pauses it"),
    "missing_extra": (_INPUT, None),
    "agent_failure": (_AGENT, None),
    "agent_not_runnable": (_AGENT, "name a command that can be executed, and a folder that is there"),
    "agent_prompt_too_large": (_AGENT, "leave {prompt} out of the command; the prompt then comes on standard input"),
    "agent_exited": (_AGENT, "the end of its output says why"),
    "agent_timed_out": (_AGENT, "give each turn more time, or the agent smaller steps"),
    "agent_said_nothing": (_AGENT, "run the command by hand to see why it prints nothing"),
    "agent_output_broken": (_AGENT, "tell Telic the format that the command prints"),
    "agent_turn_failed": (_AGENT, "the end of its output says why"),
    "agent_conversation_lost": (_AGENT, "the next turn begins a new conversation"),
    "workspace_missing": (_AGENT, "name a folder that is there"),
    "store_busy": (_RETRYABLE, "repeat the command; nothing was written"),
    "store_unavailable": (_RETRYABLE, "repeat the command when the store can be reached; nothing was written"),
    "outcome_unknown": (_UNKNOWN, "repeat the command; --key KEY with the key above makes it happen exactly once"),
    "store_full": (_STORE, "make room, then repeat the command; nothing was written"),
    "store_moved": (_STORE, "repeat the command; it opens the file that is there now"),
    "store_corrupt": (_STORE, "telic doctor tells what is damaged"),
    "store_misconfigured": (_STORE, "--store PATH or TELIC_STORE names the store; telic create makes a new one"),
    "schema_mismatch": (_STORE, "upgrade Telic: pip install --upgrade telic"),
    "store_closed": (_STORE, None),
    "store_error": (_STORE, "telic doctor tells what is wrong"),
}


_OF_COMMANDS: Final[dict[tuple[str, str], str]] = {
    ("create", "store_misconfigured"): "--store PATH or TELIC_STORE names the store",
    ("export", "store_misconfigured"): "name a FILE that is not there yet, in a folder that you can write to",
    ("import", "store_misconfigured"): "name a FILE that can be read; --store PATH names the store that it goes to",
    ("import", "store_corrupt"): "name a FILE that the other system, or telic export, has written",
    ("wake", "goal_not_active"): "telic show ID tells where the goal stands, and what a waiting one waits for",
    ("mcp", "store_misconfigured"): "--store PATH or TELIC_STORE names the store; telic create --store PATH makes one",
}
"""Where a code means something of its own to one command."""

_MAKERS: Final = frozenset({"create", "run"})

_OPTION: Final = re.compile(r"--[a-z][a-z-]+")


def failure(error: GoalError, command: click.Command | None = None) -> tuple[int, str | None]:
    """The exit code and the next step for an error; the step names what the command has, or other commands."""
    if command is None:
        context = click.get_current_context(silent=True)
        command = context.command if context else None
    name = (command and command.name) or ""
    code, usual = FAILURES.get(error.code, (_STORE, None))
    hint = _of_this(error, name) or _OF_COMMANDS.get((name, error.code), usual)
    return code, None if hint is None else _fitting(hint, command)


def _of_this(error: GoalError, name: str) -> str | None:
    """What is to be done, where the error itself tells."""
    match error:
        case InvalidAmount():
            return f"{QUOTED_MONEY}; {_HELP}" if "$" in str(error) else _HELP
        case StaleUpdate():
            return f"look at it with telic show {error.goal.id}; --revision {error.goal.revision} names it as it is now"
        case BudgetExceeded() if error.asked:
            return "telic budget ID 4M raises it; telic holds ID shows what is held"
        case OutcomeUnknown(key=str(key)):
            return f"repeat the command; --key {key} makes it happen exactly once"
        case WouldReplace():
            both = "; --scope NAME keeps both" if name in _MAKERS else ""
            return f"--replace pauses it: “{first_words(error.goal.text)}”{both}; telic show {error.goal.id} tells more"
        case NotAllowed() if "expected_revision" in str(error):
            return "--revision N names the revision that was seen"
        case _:
            return None


def _fitting(hint: str, command: click.Command | None) -> str | None:
    """The parts of the hint whose options the command has; a part about another command has options of its own."""
    options = {each for parameter in command.params for each in parameter.opts} if command else set[str]()
    parts = [
        part for part in hint.split("; ") if "telic " in part or set(_OPTION.findall(part)) <= options | {"--help"}
    ]
    path = f"telic {command.name}" if command and command.name not in (None, "telic") else "telic"
    return "; ".join(parts).replace("{command}", path) or None

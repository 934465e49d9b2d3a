"""The exit code and the next step of a command, by where a run left its goal, or by what failed."""

import re
import shlex
from typing import Final

import click

from telic.domain.errors import BudgetExceeded, GoalError, NotAllowed, OutcomeUnknown, StaleUpdate, WouldReplace
from telic.domain.goal import (
    Goal,
    Reason,
    approval_signal,
)
from telic.interfaces.cli.options import QUOTED_MONEY
from telic.services.next_steps import about
from telic.services.outcomes import HELP, outcome_of
from telic.wording.amounts import InvalidAmount, first_words, write_limit

EXIT_HELD: Final = 29
EXIT_LOST: Final = 30
EXIT_STILL_ACTIVE: Final = 31

ENDINGS: Final[dict[Reason, tuple[int, str | None]]] = {
    Reason.VERIFIED: (0, None),
    Reason.ACCEPTED: (0, None),
    Reason.ASSERTED: (0, None),
    Reason.USER: (20, "telic run {id} goes on"),
    Reason.SUPERSEDED: (21, "another goal has the scope's slot; telic run {id} --replace takes it back"),
    Reason.BUDGET: (22, "telic run {id} --budget AMOUNT raises the budget and goes on"),
    Reason.USAGE_LIMIT: (23, "the provider gives no more for now; telic run {id} goes on"),
    Reason.WAITING: (24, "telic show {id} tells what it waits for; telic run {id} waits for it and goes on"),
    Reason.BLOCKED: (25, "do what it needs, then telic run {id} goes on"),
    Reason.STALLED: (26, "telic events {id} tells what was tried; telic run {id} tries again"),
    Reason.FAILED: (27, "mend what the note says, then telic run {id} goes on"),
    Reason.DISMISSED: (28, None),
    Reason.GIVEN_UP: (28, None),
}
"""The exit code and the next step for each reason; `{id}` in a next step is the goal's."""

_STILL_ACTIVE: Final[tuple[int, str | None]] = (EXIT_STILL_ACTIVE, "nothing drives it now; telic run {id} goes on")
_FOR_A_PERSON: Final = "telic approve {id} answers it, or telic reject {id}; telic run {id} goes on then"
_STORE_NAMED: Final = "--store PATH or TELIC_STORE names the store"

# Where a code means something of its own to one command, the table of all surfaces would mislead.
_OF_COMMANDS: Final[dict[tuple[str, str], str]] = {
    ("create", "store_misconfigured"): _STORE_NAMED,
    ("export", "store_misconfigured"): "name a FILE that is not there yet, in a folder that you can write to",
    ("import", "store_misconfigured"): "name a FILE that can be read; --store PATH names the store that it goes to",
    ("import", "store_corrupt"): "name a FILE that the other system, or telic export, has written",
    ("wake", "goal_not_active"): "telic show {id} tells where the goal stands, and what a waiting one waits for",
    ("mcp", "store_misconfigured"): f"{_STORE_NAMED}; telic create --store PATH makes one",
    ("release", "hold_lost"): "telic holds {id} shows the goal's holds with their keys",
}

_OPTION: Final = re.compile(r"--[a-z][a-z-]+")
# Errors name the library's arguments, which every surface but this one has; people type these instead.
_TYPED_AS: Final = {
    "active_microseconds": "--time",
    "cached_input_tokens": "--cached",
    "cost_microunits": "--cost",
    "decided_by": "--by",
    "delay_seconds": "--delay",
    "expected_revision": "--revision",
    "goal_id": "ID",
    "idle_seconds": "--idle",
    "input_tokens": "--input",
    "lease_seconds": "--lease",
    "max_chars": "--max-chars",
    "max_failures": "--max-failures",
    "max_idle_turns": "--max-idle",
    "output_tokens": "--output",
    "reasoning_tokens": "--reasoning",
    "ttl_seconds": "--ttl",
    "turn_timeout_seconds": "--turn-timeout",
    "verify_every_turns": "--verify-every",
    "wake_at": "--wake-at",
    "wake_signal": "--wake-signal",
}
_QUOTED_OR_NAME: Final = re.compile(r"""'[^']*'|"[^"]*"|“[^”]*”|\b[a-z]+(?:_[a-z]+)+\b""")


class CommandFailed(Exception):
    """The command ended in an error, in the words of the command line; `goal_id` is the goal that it was about."""

    def __init__(
        self, error: GoalError, command: click.Command | None, goal_id: str | None = None, exit_code: int | None = None
    ) -> None:
        super().__init__(in_shell_words(str(error)))
        self.error = error
        code, self.hint = failure(error, command, goal_id)
        self.exit_code = code if exit_code is None else exit_code


def in_shell_words(message: str) -> str:
    """Return the message with the options that a person types where it names arguments of the library."""
    # What stands in quotes is somebody's own text.
    return _QUOTED_OR_NAME.sub(lambda found: _TYPED_AS.get(found[0], found[0]), message)


def ending(goal: Goal) -> tuple[int, str | None]:
    """Return the exit code and the next step for a goal that nobody drives any more."""
    code, hint = _STILL_ACTIVE if goal.reason is None else ENDINGS[goal.reason]
    if goal.reason is Reason.WAITING and goal.wake_signal == approval_signal(goal.id):
        hint = _FOR_A_PERSON
    return code, None if hint is None else about(hint, goal.id)


def failure(
    error: GoalError, command: click.Command | None = None, goal_id: str | None = None
) -> tuple[int, str | None]:
    """Return the exit code and the next step for an error; the step names what the command has, or other commands."""
    name = (command and command.name) or ""
    outcome = outcome_of(error)
    named = getattr(getattr(error, "goal", None), "id", goal_id or getattr(error, "goal_id", None))
    hint = _of_this(error, name) or _OF_COMMANDS.get((name, error.code), outcome.next_in_shell)
    return outcome.exit_code, None if hint is None else _fitting(about(hint, named), command)


def _of_this(error: GoalError, name: str) -> str | None:
    """Return the next step that fits this error, or None if only its code decides."""
    match error:
        case InvalidAmount():
            return f"{QUOTED_MONEY}; {HELP}" if "$" in str(error) else HELP
        case StaleUpdate():
            return f"look at it with telic show {{id}}; --revision {error.goal.revision} names it as it is now"
        case BudgetExceeded() if error.asked:
            enough = max(2 * error.budget, error.used + error.held + error.asked)
            more = shlex.quote(write_limit(error.limit, enough))
            return f"telic budget {{id}} {more} raises it; telic holds {{id}} shows what is held"
        case BudgetExceeded():
            more = shlex.quote(write_limit(error.limit, 2 * max(error.used, error.budget)))
            return f"raise it in the same call: telic resume {{id}} --budget {more}"
        case OutcomeUnknown(key=str(key)):
            return f"repeat the command; --key {key} makes it happen exactly once"
        case WouldReplace():
            both = "; --scope NAME keeps both" if name in ("create", "run") else ""
            return f"--replace pauses it: “{first_words(error.goal.text)}”{both}; telic show {{id}} tells more"
        case NotAllowed() if "expected_revision" in str(error):
            return "--revision N names the revision that was seen"
        case _:
            return None


def _fitting(hint: str, command: click.Command | None) -> str | None:
    """Return the parts of the hint whose options the command has; one about another command has options of its own."""
    options = {each for parameter in command.params for each in parameter.opts} if command else set[str]()
    parts = [
        part for part in hint.split("; ") if "telic " in part or set(_OPTION.findall(part)) <= options | {"--help"}
    ]
    path = f"telic {command.name}" if command and command.name not in (None, "telic") else "telic"
    return "; ".join(parts).replace("{command}", path) or None

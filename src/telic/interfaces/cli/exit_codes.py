"""What a command comes to: an exit code and a next step, by where a run left its goal, or by what failed."""

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
from telic.services.outcomes import HELP, outcome_of
from telic.wording.amounts import InvalidAmount, write_limit
from telic.wording.words import first_words

EXIT_HELD: Final = 29
EXIT_LOST: Final = 30

EXIT_STILL_ACTIVE: Final = 31

_STILL_ACTIVE: Final[tuple[int, str | None]] = (EXIT_STILL_ACTIVE, "nothing drives it now; telic run {id} goes on")

_FOR_A_PERSON: Final = "telic approve {id} answers it, or telic reject {id}; telic run {id} goes on then"

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
"""What each reason means to a shell; `{id}` in a next step is the goal's."""


def ending(goal: Goal) -> tuple[int, str | None]:
    """The exit code and the next step for a goal that nobody drives any more."""
    code, hint = _STILL_ACTIVE if goal.reason is None else ENDINGS[goal.reason]
    if goal.reason is Reason.WAITING and goal.wake_signal == approval_signal(goal.id):
        hint = _FOR_A_PERSON
    return code, None if hint is None else hint.format(id=goal.id)


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
    outcome = outcome_of(error)
    hint = _of_this(error, name) or _OF_COMMANDS.get((name, error.code), outcome.next_in_shell)
    return outcome.exit_code, None if hint is None else _fitting(hint, command)


def _of_this(error: GoalError, name: str) -> str | None:
    """What is to be done, where the error itself tells."""
    match error:
        case InvalidAmount():
            return f"{QUOTED_MONEY}; {HELP}" if "$" in str(error) else HELP
        case StaleUpdate():
            return f"look at it with telic show {error.goal.id}; --revision {error.goal.revision} names it as it is now"
        case BudgetExceeded() if error.asked:
            enough = max(2 * error.budget, error.used + error.held + error.asked)
            more = shlex.quote(write_limit(error.limit, enough))
            return f"telic budget ID {more} raises it; telic holds ID shows what is held"
        case BudgetExceeded():
            more = shlex.quote(write_limit(error.limit, 2 * max(error.used, error.budget)))
            return f"raise it in the same call: telic resume ID --budget {more}"
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

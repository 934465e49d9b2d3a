"""The exit code and the next step of a command, by where a run left its goal, or by what failed."""

import re
import shlex
from typing import Final

import click

from telic.domain.budget import LIMIT_NAMES
from telic.domain.errors import BudgetExceeded, GoalError, NotAllowed, OutcomeUnknown, StaleUpdate, WouldReplace
from telic.domain.goal import Goal, Reason
from telic.domain.views import enough
from telic.interfaces.cli.options import QUOTED_MONEY
from telic.services.next_steps import about
from telic.services.outcomes import HELP, outcome_of
from telic.wording.amounts import InvalidAmount, first_words, humanize, write_limit
from telic.wording.goals import next_step

EXIT_HELD: Final = 29
EXIT_LOST: Final = 30
EXIT_STILL_ACTIVE: Final = 31

ENDINGS: Final[dict[Reason, int]] = {
    Reason.VERIFIED: 0,
    Reason.ACCEPTED: 0,
    Reason.ASSERTED: 0,
    Reason.USER: 20,
    Reason.SUPERSEDED: 21,
    Reason.BUDGET: 22,
    Reason.USAGE_LIMIT: 23,
    Reason.WAITING: 24,
    Reason.BLOCKED: 25,
    Reason.STALLED: 26,
    Reason.FAILED: 27,
    Reason.DISMISSED: 28,
    Reason.GIVEN_UP: 28,
}
"""The exit code for each reason."""

_AGAIN: Final = "telic run {id}"
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
        super().__init__(in_shell_words(str(error), command))
        self.error = error
        code, self.hint = failure(error, command, goal_id)
        self.exit_code = code if exit_code is None else exit_code


def in_shell_words(message: str, command: click.Command | None) -> str:
    """Return the message with the command's own options where it names arguments of the library; else with words."""
    options = _options_of(command) | {"ID"}

    def typed(found: re.Match[str]) -> str:
        name = found[0]
        option = _TYPED_AS.get(name)
        # What stands in quotes is somebody's own text.
        return name if option is None else option if option in options else LIMIT_NAMES.get(name, humanize(name))

    return _QUOTED_OR_NAME.sub(typed, message)


def _options_of(command: click.Command | None) -> set[str]:
    return {each for parameter in command.params for each in parameter.opts} if command else set[str]()


def ending(goal: Goal) -> tuple[int, str | None]:
    """Return the exit code and the next step for a goal that nobody drives any more."""
    hint = next_step(goal, _AGAIN, f"{_AGAIN} waits for it and goes on")
    code = EXIT_STILL_ACTIVE if goal.reason is None else ENDINGS[goal.reason]
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
        case BudgetExceeded():
            more = shlex.quote(write_limit(error.limit, enough(error.used, error.budget, error.held + error.asked)))
            if error.asked:
                return f"telic budget {{id}} {more} raises it; telic holds {{id}} shows what is held"
            return f"raise it in the same call: telic resume {{id}} --budget {more}"
        case OutcomeUnknown(key=str(key)):
            return f"repeat the command; --key {shlex.quote(key)} makes it happen exactly once"
        case WouldReplace():
            becomes = "pauses it" if error.goal.is_active else "puts it aside"
            both = "; --scope NAME keeps both" if name in ("create", "run") else ""
            more = "telic run {id} goes on with it" if name == "run" else "telic show {id} tells more"
            return f"--replace {becomes}: “{first_words(error.goal.text)}”{both}; {more}"
        case NotAllowed() if "expected_revision" in str(error):
            return "--revision N names the revision that was seen"
        case _:
            return None


def _fitting(hint: str, command: click.Command | None) -> str | None:
    """Return the parts of the hint whose options the command has; one about another command has options of its own."""
    options = _options_of(command) | {"--help"}
    parts = [part for part in hint.split("; ") if "telic " in part or set(_OPTION.findall(part)) <= options]
    path = f"telic {command.name}" if command and command.name not in (None, "telic") else "telic"
    return "; ".join(parts).replace("{command}", path) or None

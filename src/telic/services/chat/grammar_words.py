"""The words of `/goal`: its commands, its options, and the misspellings and synonyms that are recognised."""

from difflib import get_close_matches
from enum import StrEnum
from typing import Final

from telic.domain.errors import InvalidInput
from telic.domain.ids import check_id_prefix
from telic.wording.amounts import parse_limit


class Verb(StrEnum):
    """A command of `/goal`."""

    STATUS = "status"
    CREATE = "create"
    PAUSE = "pause"
    RESUME = "resume"
    COMPLETE = "complete"
    CLEAR = "clear"
    EDIT = "edit"
    BUDGET = "budget"
    LIST = "list"
    HISTORY = "history"
    HELP = "help"


VERBS: Final = {verb.value: verb for verb in Verb} | {"new": Verb.CREATE, "stop": Verb.PAUSE}
"""The words that are commands."""

USAGE: Final = {
    Verb.STATUS: ("/goal status [ID]", "shows the goal; /goal alone does too"),
    Verb.CREATE: ("/goal create TEXT", "sets a new goal; /goal TEXT does too"),
    Verb.PAUSE: ("/goal pause [ID]", "stops work on it until it is resumed; also /goal stop"),
    Verb.RESUME: ("/goal resume [ID]", "goes on with a paused goal"),
    Verb.COMPLETE: ("/goal complete [ID]", "says that it is reached"),
    Verb.CLEAR: ("/goal clear [ID]", "gives it up for good; its history stays"),
    Verb.EDIT: ("/goal edit [ID] -- TEXT", "changes its text, or its criteria by their options"),
    Verb.BUDGET: ("/goal budget [ID] 2M $5 90m 40turns", "sets limits on its usage; none lifts all"),
    Verb.LIST: ("/goal list", "lists the goals with their ids, newest first"),
    Verb.HISTORY: ("/goal history [ID]", "tells what happened to it"),
    Verb.HELP: ("/goal help", "shows this"),
}
"""The writing of each command, and what it does."""

TAKES_VALUE: Final = {
    **dict.fromkeys(("budget", "turns", "check", "judge", "approve", "note", "cursor"), True),
    **dict.fromkeys(("auto", "replace", "no-criteria", "help"), False),
}
"""The options, and whether a value follows."""

_CRITERIA: Final = frozenset({"check", "judge", "approve"})
_LIMITS: Final = frozenset({"budget", "turns"})

OPTIONS_OF: Final[dict[Verb, frozenset[str]]] = {
    Verb.STATUS: frozenset(),
    Verb.CREATE: _CRITERIA | _LIMITS | {"auto", "replace"},
    Verb.PAUSE: frozenset({"note"}),
    Verb.RESUME: _LIMITS | {"note", "auto", "replace"},
    Verb.COMPLETE: frozenset({"note"}),
    Verb.CLEAR: frozenset({"note"}),
    Verb.EDIT: _CRITERIA | {"no-criteria"},
    Verb.BUDGET: _LIMITS,
    Verb.LIST: frozenset({"cursor"}),
    Verb.HISTORY: frozenset(),
    Verb.HELP: frozenset(),
}
"""The options that each command takes, `--help` aside."""

_ALSO_SAID: Final = {
    **dict.fromkeys(("active", "current", "show"), Verb.STATUS),
    **dict.fromkeys(("abort", "halt"), Verb.PAUSE),
    **dict.fromkeys(("continue", "start", "unpause"), Verb.RESUME),
    **dict.fromkeys(("done", "finish", "finished"), Verb.COMPLETE),
    **dict.fromkeys(("cancel", "delete", "drop", "remove", "reset"), Verb.CLEAR),
    **dict.fromkeys(("events", "log"), Verb.HISTORY),
    "ls": Verb.LIST,
}
_LONGEST_WORD: Final = 20
_LIKENESS: Final = 0.7


def is_id(word: str) -> bool:
    """Return whether the word can begin an id."""
    try:
        check_id_prefix(word)
    except InvalidInput:
        return False
    return word == word.strip()


def is_amount(word: str) -> bool:
    """Return whether the word is an amount: `2M`, `$5`, `90m`, `40turns`, or `none`."""
    try:
        return word == "none" or bool(parse_limit(word))
    except InvalidInput:
        return False


def verb_meant_by(text: str) -> Verb | None:
    """Return the command that a text misspells or says in another word; None where it reads as a goal.

    Only a text that would be a whole command is looked at: one word, with an id or amounts behind it at most.
    """
    words = text.split()
    if not words or not all(is_id(word) or is_amount(word) for word in words[1:]):
        return None
    first = words[0].lower().strip(".,:;!?…")
    if is_id(first):
        return Verb.STATUS
    if len(first) > _LONGEST_WORD:
        return None
    close = get_close_matches(first, VERBS, 1, _LIKENESS)
    return _ALSO_SAID.get(first) or (VERBS[close[0]] if close else None)


def option_meant_by(name: str) -> str | None:
    """Return the option whose name this is, or nearly is."""
    if len(name) > _LONGEST_WORD:
        return None
    return next(iter(get_close_matches(name, TAKES_VALUE, 1, _LIKENESS)), None)

"""The words that a person types after `/goal`, as a value; nothing is done here, and nothing is guessed.

    /goal                             the goal, as `/goal status`
    /goal TEXT                        a new goal, as `/goal create TEXT`
    /goal COMMAND [ID] [OPTION…]      a command, where nothing else follows it

A command word with other words behind it could be a command or the beginning of a goal's text (`/goal clear the
cache`). Such a line does nothing: the error says how to write either. Text is kept as typed, without the white space
around it; behind `--` it is kept to the last character.
"""

import re
import shlex
from dataclasses import dataclass
from typing import Final

from telic.domain.budget import Budget
from telic.domain.criteria import Criterion, CriterionKind
from telic.domain.errors import InvalidCommand, InvalidNumber, TextTooLong
from telic.domain.ids import MIN_PREFIX_CHARS
from telic.services.chat.grammar_scan import Option, Scanned, part_refused, scan
from telic.services.chat.grammar_words import OPTIONS_OF, USAGE, VERBS, Verb, is_amount, is_id, verb_meant_by
from telic.wording.amounts import first_words, parse_budget

MAX_LINE_CHARS: Final = 100_000
_HEAD: Final = re.compile(r"[\s\ufeff\u200b\u200e\u200f\u2060]*/goal(?:@\w+)?(?=\s|$)", re.IGNORECASE)
_WORD: Final = re.compile(r"\s*(\S+)")
_ANY_DIGITS: Final = re.compile(r"[0-9]+")
_SMART_QUOTES: Final = str.maketrans("“”„‘’", '"""\'\'')
_SMART_DASHES: Final = re.compile(r"(?<!\S)[–—―](?=[^\W\d_])")
_PLAIN_VALUE: Final = re.compile(r"[A-Za-z0-9_$.,]+")


@dataclass(frozen=True, slots=True)
class GoalCommand:
    """One understood command. `limits` are amounts as typed, to be laid over a goal's budget by `budget`."""

    verb: Verb
    goal_id: str | None = None
    text: str | None = None
    limits: tuple[str, ...] = ()
    criteria: tuple[Criterion, ...] = ()
    drops_criteria: bool = False
    note: str | None = None
    cursor: str | None = None
    is_auto: bool = False
    may_replace: bool = False
    replaced_id: str | None = None

    def budget(self, base: Budget) -> Budget:
        """Return the base with the command's limits laid over it."""
        return parse_budget(self.limits, base)


def is_goal_command(line: str) -> bool:
    """Return whether the line is meant for `/goal`."""
    return _HEAD.match(line) is not None


def parse(line: str) -> GoalCommand:
    """Return what the line asks for.

    Raises:
        InvalidCommand: it cannot be understood, or means two things.
        InvalidNumber: an amount is none.
        InvalidText: an option's text cannot be kept.
    """
    if len(line) > MAX_LINE_CHARS:
        raise TextTooLong("a command", MAX_LINE_CHARS)
    head = _HEAD.match(line)
    if head is None:
        raise InvalidCommand("this is no /goal command", ("/goal help",))
    body = line[head.end() :]
    word = _WORD.match(body)
    if word is None:
        return GoalCommand(Verb.STATUS)
    verb = VERBS.get(word[1].lower())
    return _bare(body) if verb is None else _with_verb(verb, body[word.end() :], body)


def _bare(body: str) -> GoalCommand:
    scanned = scan(body)
    if _asks_for_help(scanned):
        return GoalCommand(Verb.HELP)
    meant = None if scanned.is_verbatim else verb_meant_by(scanned.text)
    # A goal is never made of what was likely meant as a command.
    if meant is not None:
        first, *rest = scanned.text.split()
        command = USAGE[meant][0] if is_id(first) else " ".join(["/goal", meant, *rest])
        raise InvalidCommand(
            f"{first_words(first)} is no command of /goal (did you mean {meant}?), and no goal was made of it",
            (f"/goal {meant} {first}" if is_id(first) else command, f"/goal create -- {scanned.text}"),
        )
    return _assemble(Verb.CREATE, scanned.options, text=_required_text(Verb.CREATE, scanned))


def _with_verb(verb: Verb, rest: str, body: str) -> GoalCommand:
    leading = _WORD.match(rest)
    goal_id = None
    if verb is Verb.EDIT and leading is not None and is_id(leading[1]):
        goal_id, rest = leading[1].lower(), rest[leading.end() :]
    scanned = scan(rest)
    if _asks_for_help(scanned):
        return GoalCommand(Verb.HELP)
    match verb:
        case Verb.CREATE:
            return _assemble(verb, scanned.options, text=_required_text(verb, scanned))
        case Verb.EDIT:
            return _edit(goal_id, scanned, body)
        case Verb.BUDGET:
            return _set_budget(scanned, body)
        case Verb.LIST | Verb.HELP:
            return _only(verb, scanned, body, may_have_id=False)
        case _:
            return _only(verb, scanned, body, may_have_id=True)


def _asks_for_help(scanned: Scanned) -> bool:
    return any(option.name == "help" for option in scanned.options)


def _required_text(verb: Verb, scanned: Scanned) -> str:
    if not scanned.text.strip():
        raise InvalidCommand("the goal's text is missing: say what is to be reached", (USAGE[verb][0],))
    return scanned.text


def _edit(goal_id: str | None, scanned: Scanned, body: str) -> GoalCommand:
    has_text = bool(scanned.text.strip())
    if has_text and not scanned.is_verbatim and goal_id is None:
        raise _ambiguous(Verb.EDIT, body, f"/goal edit -- {scanned.text}")
    if scanned.is_verbatim:
        _required_text(Verb.EDIT, scanned)
    command = _assemble(Verb.EDIT, scanned.options, goal_id=goal_id, text=scanned.text if has_text else None)
    if command.criteria and command.drops_criteria:
        raise InvalidCommand("--no-criteria takes all criteria away: leave it out to set others")
    if not (has_text or command.criteria or command.drops_criteria):
        raise InvalidCommand("an edit needs a new text or criteria", (USAGE[Verb.EDIT][0],))
    return command


def _set_budget(scanned: Scanned, body: str) -> GoalCommand:
    goal_id, amounts = None, list[str]()
    for each in scanned.text.split():
        # Every id begins with 0 until the year 2527, and nobody writes an amount so.
        if is_id(each) and goal_id is None and (each[0] == "0" or not is_amount(each)):
            goal_id = each.lower()
        elif is_amount(each):
            amounts.append(each)
        else:
            raise _ambiguous(Verb.BUDGET, body, "/goal budget")
    return _assemble(Verb.BUDGET, scanned.options, goal_id=goal_id, amounts=tuple(amounts))


def _only(verb: Verb, scanned: Scanned, body: str, *, may_have_id: bool) -> GoalCommand:
    """Return the command alone, or with an id."""
    words = scanned.text.split()
    if not words:
        return _assemble(verb, scanned.options)
    if may_have_id and len(words) == 1 and is_id(words[0]):
        return _assemble(verb, scanned.options, goal_id=words[0].lower())
    note = next((option for option in scanned.options if option.name == "note"), None)
    if note is not None and not note.is_quoted and "note" in OPTIONS_OF[verb]:
        raise InvalidCommand('a note of several words goes in quotes: --note "…"')
    raise _ambiguous(verb, body, f"/goal {verb}")


def _ambiguous(verb: Verb, body: str, command: str) -> InvalidCommand:
    return InvalidCommand(
        f"{verb} is a command, but what follows it does not fit {USAGE[verb][0]}"
        f" (an id has {MIN_PREFIX_CHARS} or more characters)",
        (command, f"/goal create {body.strip()}"),
    )


def _assemble(
    verb: Verb,
    options: tuple[Option, ...],
    *,
    goal_id: str | None = None,
    text: str | None = None,
    amounts: tuple[str, ...] = (),
) -> GoalCommand:
    allowed = OPTIONS_OF[verb]
    for option in options:
        if option.name not in allowed:
            known = ", ".join(f"--{name}" for name in sorted(allowed)) or "no options"
            raise InvalidCommand(f"{verb} takes {known}, not --{option.name}", (USAGE[verb][0],))
    names = {option.name for option in options}
    command = GoalCommand(
        verb,
        goal_id=goal_id,
        text=text,
        limits=amounts + tuple(_limit(option) for option in options if option.name in ("budget", "turns")),
        criteria=tuple(_criterion(option) for option in options if option.name in ("check", "judge", "approve")),
        drops_criteria="no-criteria" in names,
        note=_value_of("note", options),
        cursor=_value_of("cursor", options),
        is_auto="auto" in names,
        may_replace="replace" in names,
        replaced_id=_replaced_id(options),
    )
    # To find out now whether the limits can be read.
    command.budget(Budget())
    return command


def _value_of(name: str, options: tuple[Option, ...]) -> str | None:
    values = [option.value for option in options if option.name == name and option.value is not None]
    if len(values) > 1:
        raise InvalidCommand(f"--{name} is given twice")
    return values[0] if values else None


def _replaced_id(options: tuple[Option, ...]) -> str | None:
    value = _value_of("replace", options)
    if value is not None and not is_id(value):
        raise part_refused(value, "is no id: --replace=ID names the goal that may be paused, by 8 or more characters")
    return value and value.lower()


def _limit(option: Option) -> str:
    value = option.value or ""
    if option.name == "budget":
        return value
    if not _ANY_DIGITS.fullmatch(value):
        raise InvalidNumber(f"--turns takes a whole number, not {first_words(value)!a}")
    return f"{value}turns"


def _criterion(option: Option) -> Criterion:
    value = option.value or ""
    if option.name == "check":
        return Criterion.command(_arguments(value, is_smart=option.is_smart))
    if not option.is_quoted:
        raise InvalidCommand(f'put the question in quotes: --{option.name} "…"')
    if not value.strip():
        raise InvalidCommand(f"--{option.name}: the question is empty")
    return Criterion.judge(value) if option.name == "judge" else Criterion.approval(value)


def _arguments(command: str, *, is_smart: bool) -> list[str]:
    if is_smart:
        command = _SMART_DASHES.sub("--", command.translate(_SMART_QUOTES))
    try:
        arguments = shlex.split(command)
    except ValueError as error:
        raise part_refused(command, f"cannot be read as a command: {error}") from error
    if not arguments or not arguments[0]:
        raise InvalidCommand('--check needs a command: --check "pytest -q"')
    return arguments


def write(command: GoalCommand) -> str:
    """Return the command as a line that `parse` reads back."""
    words = ["/goal", command.verb.value]
    words += [command.goal_id] if command.goal_id else []
    words += [f"--budget {_quoted(limit)}" for limit in command.limits]
    words += [_write_criterion(criterion) for criterion in command.criteria]
    words += ["--no-criteria"] if command.drops_criteria else []
    words += [f"--note {_quoted(command.note)}"] if command.note is not None else []
    words += [f"--cursor {_quoted(command.cursor)}"] if command.cursor is not None else []
    words += ["--auto"] if command.is_auto else []
    if command.may_replace:
        words.append("--replace" + (f"={command.replaced_id}" if command.replaced_id else ""))
    words += [f"-- {command.text}"] if command.text is not None else []
    return " ".join(words)


def _write_criterion(criterion: Criterion) -> str:
    if criterion.kind is CriterionKind.COMMAND:
        return f"--check {_in_quotes(shlex.join(criterion.argv))}"
    return f"--{'judge' if criterion.kind is CriterionKind.JUDGE else 'approve'} {_in_quotes(criterion.question)}"


def _quoted(value: str) -> str:
    return value if _PLAIN_VALUE.fullmatch(value) else _in_quotes(value)


def _in_quotes(value: str) -> str:
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'

"""What a text says of a goal, found by the words that every surface uses, wherever on the surface they stand.

A fact must be said, and nothing else may be said in its place: each function here takes what a text says and how the
goal stands, and gives a line for each thing that is not so.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict
from functools import cached_property
from typing import Any, Final

from telic.domain.budget import LIMIT_NAMES, LIMITS
from telic.domain.events import EventKind
from telic.domain.goal import Actor, GoalStatus, Reason
from telic.domain.views import NOT_CHECKED, budget_uses
from telic.prompt.escape import visible
from telic.testing.surfaces.goals import ShownGoal
from telic.wording.amounts import first_words, humanize, show_amount, show_amounts, show_percent, show_short, show_time

Faults = Iterator[str]


def plain(value: object) -> str:
    """Return the value as a text must say it: with hidden characters written out, else as `_line` has it."""
    return _line(visible(str(value)))


def _line(text: str) -> str:
    """Return the line as it is compared: one space between words, any case."""
    return " ".join(text.split()).casefold()


def _one_of(words: Sequence[object]) -> re.Pattern[str]:
    """Return what finds each of these where it stands as a word of its own."""
    return re.compile(rf"(?<![\w/-])({'|'.join(re.escape(plain(humanize(word))) for word in words)})(?![\w/-])")


_STATUS: Final = _one_of(list(GoalStatus))
_REASON: Final = _one_of(list(Reason))
# The reasons that are no other fact's words: wherever one stands it is the goal's reason.
_UNMISTAKABLE: Final = _one_of([each for each in Reason if each not in ("user", "budget", "failed", "waiting")])
_OUTCOME: Final = _one_of([NOT_CHECKED, "passed", "failed", "error", "pending", "approved", "rejected"])
VOCABULARY: Final = re.compile(
    rf"{_STATUS.pattern}|{_REASON.pattern}|{_OUTCOME.pattern}|\bwakes\b|\bdriven\b|\bholds?\b|\brevision\b"
)
"""Finds the words by which surfaces say how a goal stands: what is written of the contract's goals has none."""
_COUNTED: Final = re.compile(r"(\d+)(?: of (\d+))? (passed|failed|error|pending|rejected)\b")
_EVENT: Final = re.compile(rf"(?:^|\W)({'|'.join(map(humanize, EventKind))}) +by +({'|'.join(Actor)})\b")
_REVISION: Final = re.compile(r"\brevision\W+(\d+)")
_ID: Final = re.compile(r"\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b")
_AMOUNT: Final = r"unknown|\$?\d[\w.,]*(?<![.,])"
# Signs, and a percentage, may stand between the name of a limit and what is used of it.
_USED: Final = re.compile(rf"^\W*(tokens|turns|time|cost)\s(?:\W|\d+%)*?({_AMOUNT})(?![\w%-])(?: of ({_AMOUNT}))?(.*)")
_OF: Final = re.compile(rf"({_AMOUNT}) of ({_AMOUNT})")
_PERCENTAGE: Final = re.compile(r">?\d+%")
# In a list no name stands before an amount: this is neither a count nor an age.
_LARGE: Final = re.compile(r"(?<![\w.,$/-])(?:\d+(?:\.\d+)?k|\d{1,3}(?:,\d{3})+)(?![\w/-])")
_RESERVED: Final = re.compile(
    r"(\d[\d,]*) (open hold|expired hold|estimate)s?\b[^:]*: ((?:[^,.;]|[,.](?=\d)|, (?=[\d$]))*)"
)


class Text:
    """A text line by line: `state` says how the goal stands; its events come after that, from the first of them on."""

    def __init__(self, text: str) -> None:
        lines = [line for line in map(_line, text.splitlines()) if line]
        first = next((place for place, line in enumerate(lines) if _EVENT.search(line)), len(lines))
        self.state, self._history = lines[:first], lines[first:]

    @property
    def row(self) -> str:
        """Return all of it on one line."""
        return " ".join(self.state + self._history)

    @cached_property
    def statuses(self) -> list[str]:
        """Return the lines that say a status."""
        return [line for line in self.state if _STATUS.search(line)]

    @cached_property
    def events(self) -> list[tuple[str, str]]:
        """Return the kind and the actor of each event, in order."""
        return [(found[1], found[2]) for line in self._history if (found := _EVENT.search(line))]


def _differs(name: str, found: object, wanted: object) -> Faults:
    if found != wanted:
        yield f"{name} {found} instead of {wanted}"


def has_id(text: Text, shown: ShownGoal) -> Faults:
    """Of all whole ids, it has the goal's alone."""
    yield from _differs("ids", set(_ID.findall(" ".join(text.state))), {shown.goal.id})


def has_scope(text: Text, shown: ShownGoal) -> Faults:
    """The scope stands behind its name, and no other does."""
    scope, lines = plain(shown.goal.scope), [line for line in text.state if re.match(r"\W*scope\b", line)]
    if not lines or not all(re.match(rf"\W*scope\W*{re.escape(scope)}(?:$| ·)", line) for line in lines):
        yield f"{lines} instead of scope {scope}"


def has_text(text: Text, shown: ShownGoal) -> Faults:
    """A line begins with the goal's text, and the other lines of it follow."""
    first, *rest = [plain(line) for line in shown.goal.text.split("\n")]
    if not any(re.match(rf"\W*{re.escape(first)}(?:$| ⏎)", line) for line in text.state):
        yield f"no line begins with {first}"
    yield from (f"no line has {line}" for line in rest if not any(line in each for each in text.state))


def has_status(text: Text, shown: ShownGoal) -> Faults:
    """A line begins with the status, perhaps behind its name, and no line has another one."""
    begins = re.compile(rf"\W*(?:status\W+)?{shown.goal.status}\b")
    if not any(begins.match(line) for line in text.statuses):
        yield f"no line begins with {shown.goal.status}"
    yield from _differs("says", {word for line in text.statuses for word in _STATUS.findall(line)}, {shown.goal.status})


def has_reason(text: Text, shown: ShownGoal) -> Faults:
    """The reason stands behind the status, and no other anywhere."""
    wanted = {humanize(shown.goal.reason)} if shown.goal.reason else set[str]()
    found = {word for line in text.statuses for word in _REASON.findall(_without(line, shown.goal.note))}
    found |= {word for line in text.state for word in _UNMISTAKABLE.findall(line)}
    yield from _differs("says", found, wanted)


def _without(line: str, note: str | None) -> str:
    return line.replace(plain(note), " ") if note else line


def has_note(text: Text, shown: ShownGoal) -> Faults:
    """The note stands behind its name, or behind the status; where there is none, nothing does."""
    goal, named = shown.goal, [line for line in text.state if re.match(r"\W*note\b", line)]
    said = {" ".join(re.findall(r"\w.*", line.partition("note")[2])) for line in named}
    ordinary = (_STATUS, _REASON, _REVISION, re.compile(r"^\W*status\b"))
    for line in text.statuses:
        rest = _without(line, goal.note)
        for each in ordinary:
            rest = each.sub(" ", rest)
        said |= {" ".join(rest.split())} if re.search(r"\w", rest) else set[str]()
        said |= {plain(goal.note)} if goal.note and rest != line and plain(goal.note) in line else set[str]()
    yield from _differs("says", said, {plain(goal.note)} if goal.note else set())


def has_revision(text: Text, shown: ShownGoal) -> Faults:
    """Of all revisions, it says the goal's alone."""
    found = {number for line in text.state for number in _REVISION.findall(line)}
    yield from _differs("revisions", found, {str(shown.goal.revision)})


def has_spent(text: Text, shown: ShownGoal) -> Faults:
    """What is used stands behind its name, with the limit where there is one; so it is of every such line."""
    goal, percentages = shown.goal, _percentages(shown)
    used, limits = goal.usage.as_dict(), goal.budget.as_dict()
    said: dict[str, set[tuple[str, str, bool]]] = {}
    for line in _before_holds(text):
        if (found := _USED.match(line)) is not None:
            said.setdefault(found[1], set()).add((found[2], found[3] or "", "some estimated" in found[4]))
            yield from _differs("says", set(_PERCENTAGE.findall(line)) - {percentages.get(found[1])}, set())
    for name in LIMITS:
        if used[name] or limits[name] or name in ("tokens", "turns"):
            is_estimated = bool(goal.estimated_lines) and name in ("tokens", "cost_microunits")
            amount = "unknown" if is_estimated and not used[name] else show_amount(name, used[name])
            limit = "" if limits[name] is None else show_amount(name, limits[name] or 0)
            wanted = {(amount, limit, is_estimated and used[name] > 0)}
            yield from _differs(LIMIT_NAMES[name], said.get(LIMIT_NAMES[name], set()), wanted)


def _percentages(shown: ShownGoal) -> dict[str, str]:
    """Return what is used of each limit that is set, in percents."""
    return {LIMIT_NAMES[use.name]: show_percent(use.fraction or 0) for use in budget_uses(shown.goal) if use.limit}


def _before_holds(text: Text) -> list[str]:
    """Return the lines before those on holds, whose parts have the same names."""
    return text.state[: next((n for n, line in enumerate(text.state) if _RESERVED.search(line)), len(text.state))]


def has_wait(text: Text, shown: ShownGoal) -> Faults:
    """What wakes the goal stands behind that word, whole; where nothing does, the word does not stand there."""
    at = [] if shown.goal.wake_at is None else [f"at {show_time(shown.goal.wake_at)}"]
    signal = [] if shown.goal.wake_signal is None else [f"on the signal {shown.goal.wake_signal}"]
    wanted = [plain(f"wakes {' or '.join(at + signal)}")] if shown.goal.is_waiting else []
    found = [line.strip(" .‖·") for line in text.state if re.search(r"\bwakes\b", line)]
    yield from _differs("says", found, wanted)


def _criterion_lines(text: Text, shown: ShownGoal) -> list[list[str]]:
    """Return for each criterion the lines that name it."""
    named = [(str(each.kind), plain(each.title)) for each in shown.goal.criteria]
    return [
        [line for line in text.state if re.search(rf"\b{kind}\b.*{re.escape(title)}", line)] for kind, title in named
    ]


def has_outcomes(text: Text, shown: ShownGoal) -> Faults:
    """Each criterion's line has its outcome and no other; no other line has one, but to count them."""
    lines = _criterion_lines(text, shown)
    for outcome, found in zip(shown.outcomes, lines, strict=True):
        yield from _differs("criterion", [_OUTCOME.findall(line) for line in found], [[outcome]])
    others = [line for line in text.state if line not in [*text.statuses, *(line for each in lines for line in each)]]
    passed = sum(outcome in ("passed", "approved") for outcome in shown.outcomes)
    for line in others:
        for number, of, outcome in _COUNTED.findall(line):
            wanted = passed if outcome == "passed" else shown.outcomes.count(outcome)
            yield from _differs(outcome, (number, of or str(len(lines))), (str(wanted), str(len(lines))))
        yield from (f"{word} stands in {line}" for word in _OUTCOME.findall(_COUNTED.sub(" ", line)))


def has_why(text: Text, shown: ShownGoal) -> Faults:
    """What speaks for the outcomes stands below the criteria, each on a line; nothing does where nothing is known."""
    first = [each[0] for each in _criterion_lines(text, shown) if each]
    below = text.state[text.state.index(first[0]) :] if first else []
    yield from (f"no line below has {why}" for why in shown.why if not any(plain(why) in line for line in below))
    marked = [line for line in text.state if re.match(r"\W*(because|suggested|by)\b", line)]
    yield from (f"says {line}" for line in marked if not any(plain(why) in line for why in shown.why))


def has_worker(text: Text, shown: ShownGoal) -> Faults:
    """It says who drives the goal, or that nobody does, and not both."""
    found = {
        found[1] for line in text.state if (found := re.match(r"(?:\W*lease )?(driven by .*|nobody drives it)", line))
    }
    found |= {line for line in text.state if re.search(r"driven by|nobody drives", line)} if not found else set[str]()
    said = {each.partition(" for another ")[0].partition(";")[0].rstrip(".") for each in found}
    yield from _differs("says", said, {f"driven by {plain(shown.worker)}" if shown.worker else "nobody drives it"})


def has_due(text: Text, shown: ShownGoal) -> Faults:
    """It says that the next step has a time, where it has one."""
    yield from _differs("due later", any("next step is due in" in line for line in text.state), shown.is_due_later)


def reserves(name: str, noun: str) -> Callable[[Text, ShownGoal], Faults]:
    """Return what finds how many of these there are, and what they come to; nothing of it where there is none."""

    def check(text: Text, shown: ShownGoal) -> Faults:
        amounts: Mapping[str, Any] = asdict(getattr(shown, name))
        count = amounts.get("holds", 0) or amounts.get("lines", 0)
        said = {found[1:] for line in text.state for found in _RESERVED.findall(line) if found[1] == noun}
        counts = {found[0] for line in text.state for found in _RESERVED.findall(line) if found[1] == noun}
        wanted = {(noun, plain(show_amounts(amounts)) or "turns only")} if count else set[tuple[str, str]]()
        yield from _differs("counts", counts, {f"{count:,}"} if count else set())
        yield from _differs("says", said, wanted)

    return check


def has_latest(text: Text, shown: ShownGoal) -> Faults:
    """The events, in one of the two orders, end with the latest one."""
    if (shown.latest, str(shown.actor)) not in {*text.events[:1], *text.events[-1:]}:
        yield f"events {text.events} instead of {shown.latest} by {shown.actor} at an end"


def has_no_others(text: Text, shown: ShownGoal) -> Faults:
    """It says nothing that was written of another goal."""
    yield from (f"says {word}" for word in sorted(set(re.findall(r"\w+", text.row)) & shown.others))


def row_has_status(text: Text, shown: ShownGoal) -> Faults:
    """It says the reason, or where there is none the status, and no other of both."""
    goal = shown.goal
    found, said = set(_STATUS.findall(text.row)), set(_REASON.findall(text.row))
    wanted = {humanize(goal.reason)} if goal.reason else set[str]()
    yield from _differs("says", said, wanted)
    yield from _differs("says", found - {goal.status}, set())
    if not said | found:
        yield f"does not say {goal.status}"


def row_has_text(text: Text, shown: ShownGoal) -> Faults:
    """It has the text's beginning."""
    beginning = plain(first_words(shown.goal.text, 30))[:20]
    if beginning not in text.row:
        yield f"has no {beginning}"


def row_has_worker(text: Text, shown: ShownGoal) -> Faults:
    """It says who drives the goal, as far as there is room; that somebody does where nobody does it does not say."""
    if shown.worker and not re.search(rf"(?<![\w/-]){re.escape(plain(shown.worker)[:8])}", text.row):
        yield f"has no {shown.worker}"
    if not shown.worker and "driven by" in text.row:
        yield "says driven by"


def row_has_spent(text: Text, shown: ShownGoal) -> Faults:
    """What it says is used of a limit is so, in full or in three digits; so is each percentage and large amount."""
    used, limits = shown.goal.usage.as_dict(), shown.goal.budget.as_dict()
    right = {
        tuple("" if amount is None else plain(show(name, amount)) for amount in (used[name], limits[name]))
        for show in (show_amount, show_short)
        for name in LIMITS
    }
    yield from _differs("says", set(_OF.findall(text.row)) - right, set())
    known = {amount for pair in right for amount in pair} | set(_percentages(shown).values())
    yield from _differs("says", {*_LARGE.findall(text.row), *_PERCENTAGE.findall(text.row)} - known, set())

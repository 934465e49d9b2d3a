"""A contract for surfaces: whatever shows goals must tell the same facts of each of them.

`make_shown_goals` makes goals in every state and says how each one stands, by hand. A surface is one row: a name and
two functions that read goals through it. `wrong_facts` compares what they give with how the goals stand.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Final

from telic.domain.budget import LIMITS
from telic.domain.goal import Goal
from telic.prompt.escape import visible
from telic.testing.surfaces.goals import GOAL_NAMES, ShownGoal, make_shown_goals
from telic.wording.amounts import first_words, humanize, show_amount, show_amounts, show_time

__all__ = ["FACTS", "GOAL_NAMES", "ROW_FACTS", "Reading", "ShownGoal", "Surface", "make_shown_goals", "wrong_facts"]

Reading = Mapping[str, Any] | str
"""The facts of one goal from a surface: by name for programs, or a text that people read, line by line."""

Words = Sequence[Sequence[str]]
"""The words that a text must have: each of these sequences stands in one line, in this order."""


@dataclass(frozen=True, slots=True)
class Surface:
    """A way to look at goals. Both functions take a store's location and goals, and give a reading for each goal's id.

    `read` gives all that the surface tells of one goal, `rows` what a list of goals tells of it. `leaves_out` names
    facts that are not for its readers, each with the reason.
    """

    name: str
    read: Callable[[str, Sequence[Goal]], Mapping[str, Reading]]
    rows: Callable[[str, Sequence[Goal]], Mapping[str, Reading]]
    leaves_out: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Fact:
    """One fact: its name, its value for programs, and the words that people read."""

    name: str
    value: Callable[[ShownGoal], Any]
    words: Callable[[ShownGoal], Words]


def _status(shown: ShownGoal) -> Words:
    reason = shown.goal.reason
    return [(shown.goal.status, *((humanize(reason),) if reason else ()))]


def _spent(shown: ShownGoal) -> Words:
    used, limits = shown.goal.usage.as_dict(), shown.goal.budget.as_dict()
    names = {"active_microseconds": "time", "cost_microunits": "cost"}
    return [
        (
            names.get(name, name),
            _amount(shown, name, used[name]) + (f" of {show_amount(name, limit)}" if (limit := limits[name]) else ""),
        )
        for name in LIMITS
        if used[name] or limits[name] or name in ("tokens", "turns")
    ]


# Return the amount, or `unknown` where nothing but estimates says that it is none.
def _amount(shown: ShownGoal, name: str, used: int) -> str:
    is_unknown = shown.goal.estimated_lines and not used and name in ("tokens", "cost_microunits")
    return "unknown" if is_unknown else show_amount(name, used)


def _wait(goal: Goal) -> Words:
    at = () if goal.wake_at is None else (f"at {show_time(goal.wake_at)}",)
    signal = () if goal.wake_signal is None else (f"on the signal {visible(goal.wake_signal)}",)
    return [("wakes", *at, *signal)] if goal.is_waiting else []


def _criteria(shown: ShownGoal) -> Words:
    return [
        (outcome, criterion.kind, visible(criterion.title))
        for outcome, criterion in zip(shown.outcomes, shown.goal.criteria, strict=True)
    ]


def _lease(shown: ShownGoal) -> Words:
    if shown.worker is not None:
        return [(f"driven by {visible(shown.worker)} for another",)]
    return [("nobody drives it", *(("its next step is due in",) if shown.is_due_later else ()))]


def _reserved(amounts: Mapping[str, int], noun: str) -> Words:
    count = amounts.get("holds", 0) or amounts.get("lines", 0)
    return [(f"{count} {noun}{'' if count == 1 else 's'}", show_amounts(amounts))] if count else []


FACTS: Final = (
    Fact("id", lambda shown: shown.goal.id, lambda shown: [(shown.goal.id,)]),
    Fact("scope", lambda shown: shown.goal.scope, lambda shown: [(visible(shown.goal.scope),)]),
    Fact(
        "text", lambda shown: shown.goal.text, lambda shown: [(visible(each),) for each in shown.goal.text.split("\n")]
    ),
    Fact("status", lambda shown: shown.goal.status, _status),
    Fact("reason", lambda shown: shown.goal.reason, _status),
    Fact("note", lambda shown: shown.goal.note, lambda shown: [(visible(shown.goal.note),)] if shown.goal.note else []),
    Fact("revision", lambda shown: shown.goal.revision, lambda shown: [("revision", str(shown.goal.revision))]),
    Fact("budget", lambda shown: shown.goal.budget.as_dict(), _spent),
    Fact("usage", lambda shown: shown.goal.usage.as_dict(), _spent),
    Fact("wake_at", lambda shown: shown.goal.wake_at, lambda shown: _wait(shown.goal)),
    Fact("wake_signal", lambda shown: shown.goal.wake_signal, lambda shown: _wait(shown.goal)),
    Fact("outcomes", lambda shown: list(shown.outcomes), _criteria),
    Fact("why", lambda shown: list(shown.why), lambda shown: [(visible(line),) for line in shown.why]),
    Fact("worker", lambda shown: shown.worker, _lease),
    Fact("is_due_later", lambda shown: shown.is_due_later, _lease),
    Fact("held", lambda shown: asdict(shown.held), lambda shown: _reserved(asdict(shown.held), "open hold")),
    Fact(
        "uncertain",
        lambda shown: asdict(shown.uncertain),
        lambda shown: _reserved(asdict(shown.uncertain), "expired hold"),
    ),
    Fact(
        "estimated",
        lambda shown: asdict(shown.estimated),
        lambda shown: _reserved(asdict(shown.estimated), "estimate"),
    ),
    Fact("latest", lambda shown: [shown.latest, shown.actor], lambda shown: [(shown.latest, "by", shown.actor)]),
)
"""The facts that a surface shows of one goal."""

ROW_FACTS: Final = (
    Fact(
        "status", lambda shown: shown.goal.status, lambda shown: [(humanize(shown.goal.reason or shown.goal.status),)]
    ),
    Fact(
        "reason", lambda shown: shown.goal.reason, lambda shown: [(humanize(shown.goal.reason or shown.goal.status),)]
    ),
    Fact("text", lambda shown: shown.goal.text, lambda shown: [(visible(first_words(shown.goal.text, 30))[:20],)]),
    Fact("worker", lambda shown: shown.worker, lambda shown: [(visible(shown.worker)[:8],)] if shown.worker else []),
)
"""The facts that a list of goals shows of each."""


def wrong_facts(surface: Surface, reading: Reading, shown: ShownGoal, facts: Sequence[Fact] = FACTS) -> list[str]:
    """Return a line for each fact that the surface does not show as it is; none where all are right."""
    told = [fact for fact in facts if fact.name not in surface.leaves_out]
    if isinstance(reading, str):
        lines = [" ".join(line.split()).casefold() for line in reading.splitlines()]
        return [
            f"{fact.name}: no line has {' … '.join(words)}"
            for fact in told
            for words in fact.words(shown)
            if not any(_has_in_order(line, words) for line in lines)
        ]
    return [
        f"{fact.name}: {reading.get(fact.name, 'not told')!r} instead of {fact.value(shown)!r}"
        for fact in told
        if fact.name not in reading or reading[fact.name] != fact.value(shown)
    ]


def _has_in_order(line: str, words: Sequence[str]) -> bool:
    place = 0
    for word in words:
        wanted = " ".join(word.split()).casefold()
        place = line.find(wanted, place)
        if place < 0:
            return False
        place += len(wanted)
    return True

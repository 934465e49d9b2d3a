"""A contract for surfaces: whatever shows goals tells the same of each, and acts and fails alike.

`make_shown_goals` makes goals in every state and says how each one stands, by hand. A surface is one row: its name, two
functions that read goals through it, how people act through it, and how it tells of errors. `wrong_facts` compares what
it gives with how the goals stand, `wrong_effects` what an action left with what it leaves by itself, and
`wrong_meaning` what it says of an error with the error's row in the one table.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Final

from telic.domain.goal import Goal
from telic.testing.surfaces import text
from telic.testing.surfaces.actions import ACTION_CASES, Acting, ActionCase, Answer, wrong_effects
from telic.testing.surfaces.errors import ERROR_CODES, Explaining, error_of, wrong_meaning
from telic.testing.surfaces.goals import GOAL_NAMES, ShownGoal, make_shown_goals
from telic.testing.surfaces.text import Text

__all__ = [
    "ACTION_CASES",
    "ERROR_CODES",
    "FACTS",
    "GOAL_NAMES",
    "ROW_FACTS",
    "Acting",
    "ActionCase",
    "Answer",
    "Explaining",
    "Fact",
    "Reader",
    "Reading",
    "ShownGoal",
    "Surface",
    "error_of",
    "make_shown_goals",
    "wrong_effects",
    "wrong_facts",
    "wrong_meaning",
]

Reading = Mapping[str, Any] | str
"""The facts of one goal from a surface: by name for programs, or a text that people read, line by line."""


Reader = Callable[[str, Sequence[Goal]], Mapping[str, Reading]]
"""Reads goals, at a store's location, through a surface; gives what it says of each, by the goals' ids."""


@dataclass(frozen=True, slots=True)
class Surface:
    """A way to look at goals. Both functions take a store's location and goals, and give a reading for each goal's id.

    `read` gives all that the surface tells of one goal, `rows` what a list of goals tells of it. `leaves_out` names
    facts that are not for its readers, each with the reason.
    """

    name: str
    read: Reader | None = None
    rows: Reader | None = None
    leaves_out: Mapping[str, str] = field(default_factory=dict)
    acting: Acting | None = None
    explaining: Explaining | None = None


@dataclass(frozen=True, slots=True)
class Fact:
    """One fact: its name, its value for programs, and what finds in a text where that says otherwise."""

    name: str
    value: Callable[[ShownGoal], Any]
    faults: Callable[[Text, ShownGoal], Iterator[str]]


FACTS: Final = (
    Fact("id", lambda shown: shown.goal.id, text.has_id),
    Fact("scope", lambda shown: shown.goal.scope, text.has_scope),
    Fact("text", lambda shown: shown.goal.text, text.has_text),
    Fact("status", lambda shown: shown.goal.status, text.has_status),
    Fact("reason", lambda shown: shown.goal.reason, text.has_reason),
    Fact("note", lambda shown: shown.goal.note, text.has_note),
    Fact("revision", lambda shown: shown.goal.revision, text.has_revision),
    Fact("budget", lambda shown: shown.goal.budget.as_dict(), text.has_spent),
    Fact("usage", lambda shown: shown.goal.usage.as_dict(), text.has_spent),
    Fact("wake_at", lambda shown: shown.goal.wake_at, text.has_wait),
    Fact("wake_signal", lambda shown: shown.goal.wake_signal, text.has_wait),
    Fact("outcomes", lambda shown: list(shown.outcomes), text.has_outcomes),
    Fact("why", lambda shown: list(shown.why), text.has_why),
    Fact("worker", lambda shown: shown.worker, text.has_worker),
    Fact("is_due_later", lambda shown: shown.is_due_later, text.has_due),
    Fact("held", lambda shown: asdict(shown.held), text.reserves("held", "open hold")),
    Fact("uncertain", lambda shown: asdict(shown.uncertain), text.reserves("uncertain", "expired hold")),
    Fact("estimated", lambda shown: asdict(shown.estimated), text.reserves("estimated", "estimate")),
    Fact("latest", lambda shown: [shown.latest, shown.actor], text.has_latest),
)
"""The facts that a surface shows of one goal."""

ROW_FACTS: Final = (
    Fact("status", lambda shown: shown.goal.status, text.row_has_status),
    Fact("reason", lambda shown: shown.goal.reason, text.row_has_status),
    Fact("text", lambda shown: shown.goal.text, text.row_has_text),
    Fact("usage", lambda shown: shown.goal.usage.as_dict(), text.row_has_spent),
    Fact("worker", lambda shown: shown.worker, text.row_has_worker),
)
"""The facts that a list of goals shows of each."""


def wrong_facts(surface: Surface, reading: Reading, shown: ShownGoal, facts: Sequence[Fact] = FACTS) -> list[str]:
    """Return a line for each fact that the surface does not show as it is, beginning with its name; else none.

    A text must say each fact where a reader looks for it, and nothing else in its place: no word of another status,
    reason, outcome, driver, wait or hold, and nothing that was written of another goal.
    """
    told = [fact for fact in facts if fact.name not in surface.leaves_out]
    if isinstance(reading, str):
        said = Text(reading)
        others = [f"another goal: {fault}" for fault in text.has_no_others(said, shown)]
        return [f"{fact.name}: {fault}" for fact in told for fault in fact.faults(said, shown)] + others
    return [
        f"{fact.name}: {reading.get(fact.name, 'not told')!r} instead of {fact.value(shown)!r}"
        for fact in told
        if fact.name not in reading or reading[fact.name] != fact.value(shown)
    ]

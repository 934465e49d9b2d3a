"""What the readers of other systems' databases share: strict rows in, goal histories out."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

from telic.domain.budget import Budget, TurnUsage
from telic.domain.clock import Instant
from telic.domain.errors import EmptyText, SchemaMismatch, StoreCorrupt
from telic.domain.events import EventKind
from telic.domain.goal import Actor, Reason
from telic.domain.history import GoalHistory, HistoryBuilder
from telic.domain.ids import new_goal_id
from telic.domain.limits import MAX_COUNTER, MAX_NAME_CHARS, MAX_TEXT_CHARS, check_text

_SHOWN_ID_CHARS: Final = 80


@dataclass(frozen=True, slots=True)
class Imported:
    """What another system's database held, oldest goal first, and in sentences what could not be carried over."""

    histories: tuple[GoalHistory, ...]
    not_carried: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ForeignRow:
    """A row of another system's table; `name` is how errors call it."""

    name: str
    columns: Mapping[str, Any]

    def corrupt(self, problem: str) -> StoreCorrupt:
        """The error that says what is wrong with this row."""
        return StoreCorrupt(f"{self.name}: {problem}")

    def text(self, column: str) -> str:
        """The column's text, which says something.

        Raises:
            InvalidText, TextTooLong, EmptyText: it is none that Telic can keep.
        """
        text = check_text(f"{self.name}: {column}", self.columns[column], MAX_TEXT_CHARS)
        if not text.strip():
            raise EmptyText(f"{self.name}: {column} says nothing")
        return text

    def count(self, column: str, unit: int = 1) -> int:
        """The column's integer, times the unit.

        Raises:
            StoreCorrupt: it is no integer, negative, or too large.
        """
        value = self.columns[column]
        if type(value) is not int or not 0 <= value * unit <= MAX_COUNTER:
            raise self.corrupt(f"{column} must be an integer from 0 to {MAX_COUNTER // unit}, not {value!a:.40}")
        return value * unit

    def optional_count(self, column: str) -> int | None:
        """The column's integer, or None where it holds NULL."""
        return None if self.columns[column] is None else self.count(column)


@dataclass(frozen=True, slots=True)
class Stop:
    """How a goal left the status `active`."""

    kind: EventKind
    reason: Reason
    actor: Actor


BUDGET_STOP: Final = Stop(EventKind.PAUSED, Reason.BUDGET, Actor.SYSTEM)


@dataclass(frozen=True, slots=True, kw_only=True)
class ForeignGoal:
    """A goal of another system in Telic's words.

    `identity` is what tells it from every other goal of every source; `key` begins the keys of its history.
    `stop` is None for an active goal; `stopped_at` counts only with a stop.
    """

    identity: str
    key: str
    scope: str
    text: str
    token_budget: int | None
    turns: Sequence[TurnUsage]
    created_at: Instant
    changed_at: Instant
    stopped_at: Instant
    stop: Stop | None
    not_carried: tuple[str, ...]


def foreign_rows(
    rows: Iterable[Mapping[str, Any]], table: str, *, id_column: str, required: frozenset[str], path: Path
) -> list[ForeignRow]:
    """The rows with the names that errors call them by.

    Raises:
        SchemaMismatch: the table lacks a column without which its goals cannot be understood.
    """
    named: list[ForeignRow] = []
    for number, columns in enumerate(rows, 1):
        missing = required - columns.keys()
        if missing:
            raise SchemaMismatch(f"{path}: the table {table} has no column {', '.join(sorted(missing))}")
        shown = f"{columns[id_column]!a:.{_SHOWN_ID_CHARS}}"
        named.append(ForeignRow(f"row {number} of {table} ({id_column} {shown})", columns))
    return named


def unknown_columns(rows: Sequence[ForeignRow], table: str, known: frozenset[str]) -> tuple[str, ...]:
    """The sentence about columns that the importer does not know and so leaves behind, if there are any."""
    unknown = sorted({column for row in rows for column in row.columns} - known)
    if not unknown:
        return ()
    return (f"The table {table} has columns that are not known here and were left behind: {', '.join(unknown)}.",)


def imported(goals: Iterable[ForeignGoal], sentences: Iterable[str]) -> Imported:
    """The goals' histories, and every sentence once."""
    goals = tuple(goals)
    histories = [write_history(goal) for goal in goals]
    histories.sort(key=lambda history: (history.goal.created_at, history.goal.id))
    said = [*sentences, *(sentence for goal in goals for sentence in goal.not_carried)]
    return Imported(tuple(histories), tuple(dict.fromkeys(said)))


def write_history(goal: ForeignGoal) -> GoalHistory:
    """The history that makes the goal: its creation, its turns, and how it stopped."""
    history = HistoryBuilder(new_goal_id(goal.created_at, sha256(goal.identity.encode()).digest()))
    created = {
        "text": goal.text,
        "scope": goal.scope,
        "criteria": [],
        "budget": Budget(tokens=goal.token_budget).as_dict(),
    }
    history.add_event(EventKind.CREATED, goal.created_at, created, key=_key(goal.key))
    changed_at = Instant(max(goal.created_at, goal.changed_at))
    for number, usage in enumerate(goal.turns, 1):
        history.add_turn(changed_at, usage, _key(f"{goal.key}:{number}"))
    if goal.stop is not None:
        reason = {"reason": goal.stop.reason.value}
        history.add_event(goal.stop.kind, goal.stopped_at, reason, actor=goal.stop.actor)
    return history.finish()


def _key(key: str) -> str:
    """The key, or its digest where it is too long for one."""
    if len(key) <= MAX_NAME_CHARS:
        return key
    return f"{key.partition(':')[0]}:sha256:{sha256(key.encode()).hexdigest()}"


def budget_as_kept(token_budget: int | None, name: str) -> tuple[int | None, tuple[str, ...]]:
    """The budget that Telic can keep, and the sentence where that is not the other system's."""
    if token_budget != 0:
        return token_budget, ()
    return 1, (f"{name}: its budget of 0 tokens became one of 1, the smallest that a goal can have here.",)


def is_spent(token_budget: int | None, turns: Sequence[TurnUsage]) -> bool:
    """Whether the turns have used up the other system's budget; one of 0 takes a turn to be used up."""
    return token_budget is not None and bool(turns) and sum(turn.tokens for turn in turns) >= token_budget


def clock_sentences(created_at: Instant, changed_at: Instant, name: str) -> tuple[str, ...]:
    """The sentence about a clock that ran backwards, if it did."""
    if changed_at >= created_at:
        return ()
    return (f"{name}: its last change is dated before its creation, and counts as made at its creation.",)


def over_budget_sentence(name: str) -> str:
    """The sentence about a goal that was active although its budget was used up."""
    return f"{name}: it was active with its budget used up, which no goal is here, and so became paused (budget)."

"""Whole goal histories: exported, imported, and made from the goals of other systems."""

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

from telic.domain.budget import Budget, TurnUsage
from telic.domain.clock import Instant
from telic.domain.errors import EmptyText, SchemaMismatch, StoreCorrupt
from telic.domain.events import EventKind
from telic.domain.goal import Actor, Reason
from telic.domain.history import GoalHistory, HistoryBuilder, replay
from telic.domain.ids import new_goal_id
from telic.domain.jsonable import history_from_json, history_to_json
from telic.domain.limits import MAX_COUNTER, MAX_NAME_CHARS, MAX_TEXT_CHARS, check_text
from telic.storage.operations import transfer
from telic.storage.operations.transfer import Placement as Placement
from telic.storage.transaction import Mode
from telic.store.doctor import goal_ids
from telic.store.goal_store import GoalStore

_SHOWN_ID_CHARS: Final = 80


@dataclass(slots=True)
class ImportReport:
    """The number of histories for each placement, and the goals that were not added."""

    placements: Counter[Placement] = field(default_factory=Counter)
    refused_ids: list[str] = field(default_factory=list)


def export_lines(store: GoalStore) -> Iterator[str]:
    """Return one JSON line for each goal with its whole history, oldest goal first.

    Each goal is as it stood at one moment; goals that change meanwhile may be from different moments.

    Raises:
        StoreCorrupt: a goal's history cannot have happened; `telic doctor` says more.
    """
    for goal_id in goal_ids(store):
        events, turns = store.run("history", partial(transfer.lines, goal_id=goal_id), Mode.READ)
        yield json.dumps(history_to_json(replay(goal_id, events, turns)), sort_keys=True)


def read_lines(lines: Iterable[str]) -> Iterator[GoalHistory]:
    """Return the histories of an export, each checked.

    Raises:
        StoreCorrupt: a line is none, or was altered; the message names the line.
    """
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            yield history_from_json(json.loads(line))
        except (StoreCorrupt, ValueError, RecursionError) as error:
            raise StoreCorrupt(f"line {number}: {error}") from error


def import_histories(store: GoalStore, histories: Iterable[GoalHistory]) -> ImportReport:
    """Each history is in the store, its own transaction each; those already there are left alone.

    A second import of the same histories therefore adds nothing, and an import that was cut off is finished by
    repeating it.
    """
    report = ImportReport()
    for history in histories:
        put = partial(transfer.put, history=history)
        placement = store.run("import_history", put, Mode.ATOMIC, history.creation_key)
        report.placements[placement] += 1
        if placement is Placement.DIFFERENT:
            report.refused_ids.append(history.goal.id)
    return report


@dataclass(frozen=True, slots=True)
class Imported:
    """The goals of another system's database, oldest first, and in sentences what could not be carried over."""

    histories: tuple[GoalHistory, ...]
    not_carried: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ForeignRow:
    """A row of another system's table, read strictly; errors call it by its `name`."""

    name: str
    columns: Mapping[str, Any]

    def corrupt(self, problem: str) -> StoreCorrupt:
        """Return the error that says what is wrong with this row."""
        return StoreCorrupt(f"{self.name}: {problem}")

    def text(self, column: str) -> str:
        """Return the column's text.

        Raises:
            InvalidText, TextTooLong, EmptyText: it is none that Telic can keep.
        """
        text = check_text(f"{self.name}: {column}", self.columns[column], MAX_TEXT_CHARS)
        if not text.strip():
            raise EmptyText(f"{self.name}: {column} says nothing")
        return text

    def count(self, column: str, unit: int = 1) -> int:
        """Return the column's integer, times the unit.

        Raises:
            StoreCorrupt: it is no integer, negative, or too large.
        """
        value = self.columns[column]
        # Not `isinstance`: True is an int, and no count.
        if type(value) is not int or not 0 <= value * unit <= MAX_COUNTER:
            raise self.corrupt(f"{column} must be an integer from 0 to {MAX_COUNTER // unit}, not {value!a:.40}")
        return value * unit

    def optional_count(self, column: str) -> int | None:
        """Return the column's integer, or None where it holds NULL."""
        return None if self.columns[column] is None else self.count(column)


@dataclass(frozen=True, slots=True)
class ForeignStop:
    """The way in which a goal left the status `active`."""

    kind: EventKind
    reason: Reason
    actor: Actor


BUDGET_STOP: Final = ForeignStop(EventKind.PAUSED, Reason.BUDGET, Actor.SYSTEM)


@dataclass(frozen=True, slots=True, kw_only=True)
class ForeignGoal:
    """A goal of another system in Telic's words.

    `name` is how sentences call it, `identity` tells it from every other goal of every source, and `key` begins the
    keys of its history. `stop` is None for a goal that was active there; `stopped_at` counts only with a stop.
    `sentences` say what the system does not keep.
    """

    name: str
    identity: str
    key: str
    scope: str
    text: str
    token_budget: int | None
    turns: Sequence[TurnUsage]
    created_at: Instant
    changed_at: Instant
    stopped_at: Instant
    stop: ForeignStop | None
    sentences: Sequence[str]

    @property
    def is_over_budget(self) -> bool:
        """Return whether it was active there though its budget was used up."""
        return self.stop is None and is_spent(self.token_budget, self.turns)

    @property
    def not_carried(self) -> list[str]:
        """Return in sentences what of it could not be carried over."""
        cases = {
            f"{self.name}: its budget of 0 tokens became one of 1, the smallest that a goal can have here.": (
                self.token_budget == 0
            ),
            f"{self.name}: its last change is dated before its creation, and counts as made at its creation.": (
                self.changed_at < self.created_at
            ),
            f"{self.name}: it was active with its budget used up, which no goal is here, and so became paused "
            "(budget).": self.is_over_budget,
        }
        return [*self.sentences, *(sentence for sentence, applies in cases.items() if applies)]

    def history(self) -> GoalHistory:
        """Return the history that makes the goal: its creation, its turns, and how it stopped."""
        # The same goal has the same id at each import, so that a second one adds nothing.
        history = HistoryBuilder(new_goal_id(self.created_at, sha256(self.identity.encode()).digest()))
        budget = Budget(tokens=1 if self.token_budget == 0 else self.token_budget).as_dict()
        created = {"text": self.text, "scope": self.scope, "criteria": [], "budget": budget}
        history.add_event(EventKind.CREATED, self.created_at, created, key=_key(self.key))
        changed_at = Instant(max(self.created_at, self.changed_at))
        for number, usage in enumerate(self.turns, 1):
            history.add_turn(changed_at, usage, _key(f"{self.key}:{number}"))
        stop = BUDGET_STOP if self.is_over_budget else self.stop
        if stop is not None:
            history.add_event(stop.kind, self.stopped_at, {"reason": stop.reason.value}, actor=stop.actor)
        return history.finish()


def _key(key: str) -> str:
    """Return the key, or its digest where it is too long for one."""
    if len(key) <= MAX_NAME_CHARS:
        return key
    return f"{key.partition(':')[0]}:sha256:{sha256(key.encode()).hexdigest()}"


def is_spent(token_budget: int | None, turns: Sequence[TurnUsage]) -> bool:
    """Return whether the turns have used up the other system's budget; one of 0 takes a turn to be used up."""
    return token_budget is not None and bool(turns) and sum(turn.tokens for turn in turns) >= token_budget


def foreign_rows(
    rows: Iterable[Mapping[str, Any]], table: str, *, id_column: str, required: frozenset[str], path: Path
) -> list[ForeignRow]:
    """Return the rows with the names that errors call them by.

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
    """Return the sentence about columns that the importer does not know and so leaves behind, if there are any."""
    unknown = sorted({column for row in rows for column in row.columns} - known)
    if not unknown:
        return ()
    return (f"The table {table} has columns that are not known here and were left behind: {', '.join(unknown)}.",)


def imported(goals: Sequence[ForeignGoal], sentences: Iterable[str]) -> Imported:
    """Return the goals' histories, oldest goal first, and every sentence once."""
    histories = sorted((goal.history() for goal in goals), key=lambda each: (each.goal.created_at, each.goal.id))
    said = [*sentences, *(sentence for goal in goals for sentence in goal.not_carried)]
    return Imported(tuple(histories), tuple(dict.fromkeys(said)))

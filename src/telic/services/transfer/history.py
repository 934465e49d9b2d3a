"""Whole databases out of and into a store: export as JSON lines, import of histories."""

import json
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import partial

from telic.domain.errors import StoreCorrupt
from telic.domain.history import GoalHistory, replay
from telic.domain.jsonable import history_from_json, history_to_json
from telic.storage.operations import transfer
from telic.storage.operations.transfer import Placement
from telic.storage.transaction import Mode
from telic.store.doctor import goal_ids
from telic.store.goal_store import GoalStore

__all__ = ["ImportReport", "Placement", "export_lines", "import_histories", "read_lines"]


@dataclass(slots=True)
class ImportReport:
    """How many histories were placed how, and which goals were not added."""

    placements: Counter[Placement] = field(default_factory=Counter)
    refused_ids: list[str] = field(default_factory=list)


def export_lines(store: GoalStore) -> Iterator[str]:
    """One JSON line for each goal with its whole history, oldest goal first.

    Each goal is as it stood at one moment; goals that change meanwhile may be from different moments.

    Raises:
        StoreCorrupt: a goal's history cannot have happened; `telic doctor` says more.
    """
    for goal_id in goal_ids(store):
        yield json.dumps(history_to_json(_history(store, goal_id)), sort_keys=True)


def _history(store: GoalStore, goal_id: str) -> GoalHistory:
    events, turns = store.run("history", partial(transfer.lines, goal_id=goal_id), Mode.READ)
    return replay(goal_id, events, turns)


def read_lines(lines: Iterable[str]) -> Iterator[GoalHistory]:
    """The histories of an export, each checked.

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
        placement = store.run(
            "import_history", partial(transfer.put, history=history), Mode.ATOMIC, history.creation_key
        )
        report.placements[placement] += 1
        if placement is Placement.DIFFERENT:
            report.refused_ids.append(history.goal.id)
    return report

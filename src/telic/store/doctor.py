"""A whole store examined: damage, schema, durability, file safety, and every goal's history."""

from collections.abc import Iterator
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Final

from telic.domain.decision import LoopPolicy
from telic.domain.errors import GoalError, StoreError, StoreFull
from telic.domain.findings import Finding, Level
from telic.storage.connect import open_driver
from telic.storage.operations import loop, transfer
from telic.storage.transaction import Mode, OpenOptions
from telic.store.blocking.base import StoreBase
from telic.store.context import Context

__all__ = ["Finding", "Level", "examine", "examine_store"]

_MOST_SHOWN: Final = 20
_READINGS: Final = 3
_ADVICE: Final = (
    "The database was edited by other means or is damaged: restore a backup, or accept the loss and export."
)


def goal_ids(store: StoreBase) -> Iterator[str]:
    """The id of every goal in the store, oldest first."""
    after = 0
    while page := store.run("goal_ids", partial(transfer.ids, after=after), Mode.READ):
        yield from (goal_id for _, goal_id in page)
        after = page[-1][0]


def examine(location: str | Path) -> list[Finding]:
    """The findings on the store at the location; one that cannot be opened is a finding too."""
    try:
        # Not by `connect`: a backup is examined too, and stores make backups.
        with closing(open_driver(location, OpenOptions(create=False))) as driver:
            return examine_store(StoreBase(driver, Context(None, model_may_create=False)))
    except StoreError as error:
        return [Finding("opening", Level.PROBLEM, str(error), "Mend what the message names, then run this again.")]


def examine_store(store: StoreBase) -> list[Finding]:
    """The findings on an open store."""
    return [*_inspect(store), *_examine_histories(store), *_asleep(store)]


def _advice(error: GoalError) -> str:
    """Return what to do: a store that cannot be read is not damaged for that."""
    if isinstance(error, StoreFull):
        return "Make room, then run this again."
    if error.retryable:
        return "Run this again when the store can be reached."
    return _ADVICE


def _inspect(store: StoreBase) -> list[Finding]:
    try:
        return store._driver.inspect()
    except StoreError as error:
        return [Finding("integrity", Level.PROBLEM, str(error), _advice(error))]


def _examine_histories(store: StoreBase) -> list[Finding]:
    wrong: list[str] = []
    count = 0
    try:
        for goal_id in goal_ids(store):
            count += 1
            wrong += _problems(store, goal_id)
        wrong += [
            f"{line} has no goal" for line in store.run("lines_without_goal", transfer.lines_without_goal, Mode.READ)
        ]
    except StoreError as error:
        return [Finding("history", Level.PROBLEM, str(error), _advice(error))]
    found = [Finding("history", Level.PROBLEM, message, _ADVICE) for message in wrong[:_MOST_SHOWN]]
    if len(wrong) > _MOST_SHOWN:
        found.append(Finding("history", Level.PROBLEM, f"and {len(wrong) - _MOST_SHOWN} more", _ADVICE))
    return found or [Finding("history", Level.OK, f"{count} goals: every chain, sum and state holds")]


def _asleep(store: StoreBase) -> list[Finding]:
    operation = partial(loop.kept_while_asleep, longest_pause=LoopPolicy().longest_pause)
    try:
        kept = store.run("kept_while_asleep", operation, Mode.READ)
    except StoreError as error:
        return [Finding("workers", Level.PROBLEM, str(error), _advice(error))]
    return [
        Finding(
            "workers",
            Level.WARNING,
            f"goal {goal_id} is kept by {worker}, whose next step is due in {left // 1_000_000:,} s only",
            "Its clock was wrong, or it is of an older release: stop that worker, and any other goes on at once.",
        )
        for goal_id, worker, left in kept[:_MOST_SHOWN]
    ]


def _problems(store: StoreBase, goal_id: str) -> list[str]:
    """What is wrong with the goal, more than once: it may have changed between its row and its lines being read."""
    wrong: list[str] = []
    for _ in range(_READINGS):
        try:
            stored = store.run("read", partial(transfer.read, goal_id=goal_id), Mode.READ)
            wrong = transfer.problems(stored)
        except GoalError as error:
            wrong = [str(error) if goal_id in str(error) else f"goal {goal_id}: {error}"]
        if not wrong:
            return []
    return wrong

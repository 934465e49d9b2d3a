"""Reports: the ledger added up in parts, each small enough to hold up nobody."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from telic.domain.clock import EPOCH
from telic.domain.errors import GoalNotFound
from telic.domain.limits import MAX_COUNTER, MAX_PAGE
from telic.domain.report import UsageFilter, UsageGrouping
from telic.storage.transaction import Row, Transaction, Value

_HALF_BITS: Final = 32


@dataclass(frozen=True, slots=True)
class GoalLedger:
    """A goal's place among all goals, and its counters, which are the sum of its whole ledger."""

    sequence: int
    goal_id: str
    scope: str
    updated_at: int
    lines: int
    counters: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class LedgerPart:
    """Some goals' lines numbered above `after` and up to `last`."""

    goals: tuple[GoalLedger, ...]
    after: int = 0
    last: int = MAX_COUNTER


async def goal_ledgers(tx: Transaction, wanted: UsageFilter, after: int) -> list[GoalLedger]:
    """A page of the goals that the filter names, in the order of their creation, from above this sequence number.

    Raises:
        GoalNotFound: the filter's goal is not there.
    """
    if wanted.goal_id is not None:
        row = await tx.one_or_none("reports.goal", {"id": wanted.goal_id})
        if row is None:
            raise GoalNotFound(wanted.goal_id)
        return [_ledger(row)]
    page: dict[str, Value] = {"after": after, "limit": MAX_PAGE}
    if wanted.scope is None:
        return [_ledger(row) for row in await tx.all("reports.goals", page)]
    return [_ledger(row) for row in await tx.all("reports.goals_in_scope", page | {"scope": wanted.scope})]


def _ledger(row: Row) -> GoalLedger:
    sequence, goal_id, scope, updated_at, lines, *counters = row
    return GoalLedger(sequence, goal_id, scope, updated_at, lines, tuple(counters))


async def ledger_sums(tx: Transaction, wanted: UsageFilter, part: LedgerPart) -> list[tuple[str | None, list[int]]]:
    """The part's lines added up by name: how many, how many of them turns, and each counter."""
    rows = await tx.all("reports.ledger", _of_part(wanted, part))
    names = _names(wanted, part)
    return [(names(row[0]), [*row[1:3], *_whole(row[3:])]) for row in rows]


def _name(by: UsageGrouping, name: str | None) -> str | None:
    """The name as a report shows it; of a day the database gives its number since the epoch."""
    return str(EPOCH.date() + timedelta(days=int(name))) if by is UsageGrouping.DAY and name is not None else name


async def estimate_sums(tx: Transaction, wanted: UsageFilter, part: LedgerPart) -> list[tuple[str | None, list[int]]]:
    """The part's estimates added up by name: how many, and what they say."""
    rows = await tx.all("reports.estimates", _of_part(wanted, part))
    names = _names(wanted, part)
    return [(names(row[0]), [row[1], *_whole(row[2:])]) for row in rows]


def _of_part(wanted: UsageFilter, part: LedgerPart) -> dict[str, Value]:
    by_goal = wanted.by in (UsageGrouping.GOAL, UsageGrouping.SCOPE)
    grouping = UsageGrouping.GOAL if by_goal else wanted.by
    between: dict[str, Value] = {"after": part.after, "last": part.last, "grouping": grouping.value}
    return _of_goals(wanted, part.goals) | between


def _names(wanted: UsageFilter, part: LedgerPart) -> Callable[[str | None], str | None]:
    """Return what gives a group of the database the name that a report shows."""
    scopes = {goal.goal_id: goal.scope for goal in part.goals} if wanted.by is UsageGrouping.SCOPE else {}
    return lambda name: _name(wanted.by, scopes.get(name or "", name))


async def unsettled_holds(
    tx: Transaction, wanted: UsageFilter, goals: Sequence[GoalLedger]
) -> list[tuple[str, bool, list[int]]]:
    """The goals' holds that no turn has settled, added up: by goal, and by whether they are open still."""
    rows = await tx.all("reports.holds", _of_goals(wanted, goals))
    return [(row[0], bool(row[1]), [row[2], *_whole(row[3:])]) for row in rows]


def _of_goals(wanted: UsageFilter, goals: Sequence[GoalLedger]) -> dict[str, Value]:
    return {
        "ids": json.dumps([goal.goal_id for goal in goals]),
        "since": 0 if wanted.since is None else wanted.since,
        "until": MAX_COUNTER + 1 if wanted.until is None else wanted.until,
    }


def _whole(halves: Row) -> list[int]:
    """The sums whose upper and lower 32 bits were added up apart: together they may need more than 64."""
    return [(upper << _HALF_BITS) + lower for upper, lower in zip(halves[::2], halves[1::2], strict=True)]

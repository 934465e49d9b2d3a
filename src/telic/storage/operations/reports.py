"""Reports of usage: the ledger added up in parts, each small enough to hold up nobody."""

import json
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from telic.domain.clock import EPOCH
from telic.domain.errors import GoalNotFound
from telic.domain.limits import MAX_COUNTER, MAX_PAGE
from telic.domain.report import UsageFilter, UsageGrouping, UsageReport, UsageTally
from telic.storage.transaction import Row, Transaction, Value

_HALF_BITS: Final = 32
_OF_ONE_GOAL: Final = frozenset({UsageGrouping.GOAL, UsageGrouping.SCOPE})


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
    """Return a page of the goals that the filter names, in the order of their creation, or raise GoalNotFound."""
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
    """Return the part's lines added up by name: how many, how many of them turns, and each counter."""
    rows = await tx.all("reports.ledger", _of_part(wanted, part))
    names = _names(wanted, part)
    return [(names(row[0]), [*row[1:3], *_whole(row[3:])]) for row in rows]


async def estimate_sums(tx: Transaction, wanted: UsageFilter, part: LedgerPart) -> list[tuple[str | None, list[int]]]:
    """Return the part's estimates added up by name: how many, and each counter."""
    rows = await tx.all("reports.estimates", _of_part(wanted, part))
    names = _names(wanted, part)
    return [(names(row[0]), [row[1], *_whole(row[2:])]) for row in rows]


def _of_part(wanted: UsageFilter, part: LedgerPart) -> dict[str, Value]:
    grouping = UsageGrouping.GOAL if wanted.by in _OF_ONE_GOAL else wanted.by
    between: dict[str, Value] = {"after": part.after, "last": part.last, "grouping": grouping.value}
    return _of_goals(wanted, part.goals) | between


def _names(wanted: UsageFilter, part: LedgerPart) -> Callable[[str | None], str | None]:
    """Return the function from a group of the database to the name that a report shows."""
    if wanted.by is UsageGrouping.DAY:
        # Of a day the database gives its number since the epoch.
        return lambda day: None if day is None else str(EPOCH.date() + timedelta(days=int(day)))
    scopes = {goal.goal_id: goal.scope for goal in part.goals} if wanted.by is UsageGrouping.SCOPE else {}
    return lambda name: scopes.get(name or "", name)


async def unsettled_holds(
    tx: Transaction, wanted: UsageFilter, goals: Sequence[GoalLedger]
) -> list[tuple[str, bool, list[int]]]:
    """Return the goals' holds that no turn has settled, added up: by goal, and by whether they are still open."""
    rows = await tx.all("reports.holds", _of_goals(wanted, goals))
    return [(row[0], bool(row[1]), [row[2], *_whole(row[3:])]) for row in rows]


def _of_goals(wanted: UsageFilter, goals: Sequence[GoalLedger]) -> dict[str, Value]:
    return {
        "ids": json.dumps([goal.goal_id for goal in goals]),
        "since": 0 if wanted.since is None else wanted.since,
        "until": MAX_COUNTER + 1 if wanted.until is None else wanted.until,
    }


def _whole(halves: Row) -> list[int]:
    # The upper and lower 32 bits were added up apart: together the sums may need more than 64 bits.
    return [(upper << _HALF_BITS) + lower for upper, lower in zip(halves[::2], halves[1::2], strict=True)]


_LINES_OF_A_PART: Final = 10_000
"""A part takes a database some ten milliseconds, in which an async store's other tasks wait."""


@dataclass(frozen=True, slots=True)
class _ReportStep:
    """One step's findings: a page of goals with their unsettled holds, or the sums of a part of the ledger."""

    goals: Sequence[GoalLedger] = ()
    holds: Sequence[tuple[str, bool, list[int]]] = ()
    sums: Sequence[tuple[str | None, list[int]]] = ()
    estimates: Sequence[tuple[str | None, list[int]]] = ()


class Reporter:
    """Reads what a report needs, step by step, and adds it up.

    Each step sees the database as it is then: a line that is recorded while the report is made may be in it or not.
    """

    def __init__(self, wanted: UsageFilter) -> None:
        self._wanted = wanted
        self._tally = UsageTally()
        self._parts: deque[LedgerPart] = deque()
        self._after: int | None = 0

    @property
    def _reads_counters(self) -> bool:
        """Whether goals' counters, which are the sums of their ledgers, are enough; but for estimates."""
        return self._wanted.is_of_all_time and self._wanted.by in _OF_ONE_GOAL

    @property
    def is_unfinished(self) -> bool:
        """Whether there is another step to be made."""
        return bool(self._parts) or self._after is not None

    async def next_step(self, tx: Transaction) -> _ReportStep:
        """Return what the next step finds; nothing changes until `took`, so it may be repeated."""
        if self._parts:
            part = self._parts[0]
            sums = await ledger_sums(tx, self._wanted, part)
            return _ReportStep(sums=sums, estimates=await estimate_sums(tx, self._wanted, part))
        goals = await goal_ledgers(tx, self._wanted, self._after or 0)
        if not goals:
            return _ReportStep()
        is_by_goal = self._wanted.by is UsageGrouping.GOAL
        holds = await unsettled_holds(tx, self._wanted, goals) if is_by_goal else ()
        if not self._reads_counters:
            return _ReportStep(goals, holds)
        whole = LedgerPart(tuple(goals))
        return _ReportStep(goals, holds, estimates=await estimate_sums(tx, self._wanted, whole))

    def took(self, step: _ReportStep) -> None:
        """The step is in the sums."""
        for name, numbers in step.estimates:
            self._tally.add_estimates(name, numbers)
        if self._parts:
            self._parts.popleft()
            for name, numbers in step.sums:
                self._tally.add_lines(name, numbers)
            return
        for goal_id, is_open, numbers in step.holds:
            self._tally.add_reserved(goal_id, numbers, is_open=is_open)
        self._take_goals(step.goals)

    def _take_goals(self, goals: Sequence[GoalLedger]) -> None:
        is_last = len(goals) < MAX_PAGE or self._wanted.goal_id is not None
        self._after = None if is_last else goals[-1].sequence
        recent = [goal for goal in goals if goal.lines and goal.updated_at >= (self._wanted.since or 0)]
        if self._reads_counters:
            by_goal = self._wanted.by is UsageGrouping.GOAL
            for goal in recent:
                self._tally.add_lines(goal.goal_id if by_goal else goal.scope, [goal.lines, *goal.counters])
        else:
            self._parts.extend(_parts(recent))

    def report(self) -> UsageReport:
        """Return the report, once no step is left."""
        return self._tally.report(self._wanted.by, self._wanted.limit)


def _parts(goals: Sequence[GoalLedger]) -> Iterator[LedgerPart]:
    """Yield the goals' ledgers in parts of bounded length: several small ones together, a long one in pieces."""
    gathered: list[GoalLedger] = []
    lines = 0
    for goal in goals:
        if goal.lines > _LINES_OF_A_PART:
            for after in range(0, goal.lines, _LINES_OF_A_PART):
                yield LedgerPart((goal,), after, after + _LINES_OF_A_PART)
            continue
        if lines + goal.lines > _LINES_OF_A_PART:
            yield LedgerPart(tuple(gathered))
            gathered, lines = [], 0
        gathered.append(goal)
        lines += goal.lines
    if gathered:
        yield LedgerPart(tuple(gathered))

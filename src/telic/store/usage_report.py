"""How a report is put together from parts: what blocking and async stores share of it."""

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from telic.domain.limits import MAX_PAGE
from telic.domain.report import UsageFilter, UsageGrouping, UsageReport, UsageTally
from telic.storage.operations import reports
from telic.storage.operations.reports import GoalLedger, LedgerPart
from telic.storage.transaction import Transaction

_LINES_OF_A_PART: Final = 10_000
"""A part takes a database some ten milliseconds, in which an async store's other tasks wait."""

_OF_ONE_GOAL: Final = frozenset({UsageGrouping.GOAL, UsageGrouping.SCOPE})


@dataclass(frozen=True, slots=True)
class _ReportStep:
    """What one step found: a page of goals with their unsettled holds, or the sums of a part of the ledger."""

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
        """What the next step finds; nothing changes until `took`, so it may be repeated."""
        if self._parts:
            part = self._parts[0]
            sums = await reports.ledger_sums(tx, self._wanted, part)
            return _ReportStep(sums=sums, estimates=await reports.estimate_sums(tx, self._wanted, part))
        goals = await reports.goal_ledgers(tx, self._wanted, self._after or 0)
        if not goals:
            return _ReportStep()
        is_by_goal = self._wanted.by is UsageGrouping.GOAL
        holds = await reports.unsettled_holds(tx, self._wanted, goals) if is_by_goal else ()
        if not self._reads_counters:
            return _ReportStep(goals, holds)
        whole = LedgerPart(tuple(goals))
        return _ReportStep(goals, holds, estimates=await reports.estimate_sums(tx, self._wanted, whole))

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
            for goal in recent:
                self._tally.add_lines(self._name(goal), [goal.lines, *goal.counters])
        else:
            self._parts.extend(_parts(recent))

    def _name(self, goal: GoalLedger) -> str:
        return goal.goal_id if self._wanted.by is UsageGrouping.GOAL else goal.scope

    def report(self) -> UsageReport:
        """The report, once no step is left."""
        return self._tally.report(self._wanted.by, self._wanted.limit)


def _parts(goals: Sequence[GoalLedger]) -> Iterator[LedgerPart]:
    """The goals' ledgers in parts of bounded length: several small ones together, a long one in pieces."""
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

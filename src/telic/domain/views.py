"""Views: a page of many goals, their counts, the snapshot of one goal, and the overview of all that is kept of it."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from telic.domain.budget import LIMITS, Budget, Usage, exhausted_limit
from telic.domain.clock import Instant
from telic.domain.criteria import Criterion, CriterionKind
from telic.domain.events import Event, Page
from telic.domain.goal import Goal, GoalStatus, Reason
from telic.domain.ids import plain_fields, plain_value
from telic.domain.lease import Hold, LeaseState
from telic.domain.limits import MAX_COUNTER
from telic.domain.verdict import Approval, Outcome, Verdict

NOT_CHECKED: Final = "not checked"
_TAIL_LINES: Final = 10
_ALWAYS_SHOWN: Final = frozenset({"tokens", "turns"})
MAX_COUNTED: Final = 10_000
"""Counting stops here: nobody reads a larger number, and the cost of a page shall not grow with the store."""


class GoalOrder(StrEnum):
    """In which order goals are listed; `changed` puts the latest change of definition or status first."""

    NEWEST = "newest"
    OLDEST = "oldest"
    CHANGED = "changed"


@dataclass(frozen=True, slots=True)
class GoalPage(Page[Goal]):
    """One page of goals, a sequence of them; `entries` tells who drives each.

    `next_cursor` is None on the last page. A page that `is_cut_short` has fewer goals than asked for, because enough
    were looked at: there may be more, and the cursor goes on from where the look ended.
    """

    entries: tuple[LeaseState, ...]
    next_cursor: str | None
    is_cut_short: bool

    @property
    def goals(self) -> tuple[Goal, ...]:
        """The goals alone."""
        return tuple(entry.goal for entry in self.entries)

    @property
    def _items(self) -> tuple[Goal, ...]:
        return self.goals


@dataclass(frozen=True, slots=True)
class GoalCounts:
    """The number of goals by status, each at most `MAX_COUNTED`, which then means that many or more.

    Of one scope, its newest `MAX_COUNTED` are counted.
    """

    active: int
    paused: int
    completed: int
    cleared: int


@dataclass(frozen=True, slots=True)
class GoalSnapshot:
    """A goal as it stood at one moment, with the usage that its store will show once everything accepted is stored.

    `usage` is what the store has and what was accepted since; `pending` counts the lines of the latter. Where some
    `estimated_lines` are in it, more may have been used. A stale snapshot is the last that could be had: the store did
    not answer when it was asked for.
    """

    id: str
    scope: str
    text: str
    status: GoalStatus
    reason: Reason | None
    note: str | None
    revision: int
    budget: Budget
    usage: Usage
    pending: int
    is_stale: bool
    estimated_lines: int = 0

    @property
    def is_active(self) -> bool:
        """Whether turns may be spent on the goal."""
        return self.status is GoalStatus.ACTIVE

    @property
    def is_exhausted(self) -> bool:
        """Whether a limit is reached."""
        return exhausted_limit(self.usage, self.budget) is not None

    @property
    def left(self) -> dict[str, int]:
        """The rest of each limit that is set, by its name; never below 0."""
        return {name: max(0, limit - getattr(self.usage, name)) for name, limit in self._limits}

    @property
    def fractions(self) -> dict[str, float]:
        """The used fraction of each limit that is set, by its name; 1.0 and more is all of it."""
        return {name: getattr(self.usage, name) / limit for name, limit in self._limits}

    @property
    def _limits(self) -> list[tuple[str, int]]:
        pairs = ((name, getattr(self.budget, name)) for name in LIMITS)
        return [(name, limit) for name, limit in pairs if limit is not None]

    def as_dict(self) -> dict[str, Any]:
        """Return the snapshot as JSON values, with what is left of the budget."""
        return {name: plain_value(getattr(self, name)) for name in _SNAPSHOT_PARTS}


# The parts of a snapshot that are its goal's.
_OF_GOAL: Final = ("id", "scope", "text", "status", "reason", "note", "revision", "budget", "estimated_lines")
_SNAPSHOT_PARTS: Final = (*_OF_GOAL[:-1], "usage", "estimated_lines", "left", "fractions", "pending", "is_stale")


def snapshot_of(goal: Goal, usage: Usage, pending: int, *, is_stale: bool) -> GoalSnapshot:
    """Return the goal's snapshot with this usage."""
    parts = {name: getattr(goal, name) for name in _OF_GOAL}
    return GoalSnapshot(**parts, usage=usage, pending=pending, is_stale=is_stale)


@dataclass(frozen=True, slots=True)
class CriterionStanding:
    """One criterion, counted from 1, with its last verdict and the answer that still counts.

    Verdicts last as long as the criterion: also beyond other changes of the goal, such as its completion.
    """

    number: int
    criterion: Criterion
    verdict: Verdict | None
    approval: Approval | None

    @property
    def is_pending(self) -> bool:
        """Whether a person is asked, and has not answered."""
        return self.criterion.kind is CriterionKind.APPROVAL and self.approval is None

    @property
    def outcome(self) -> str:
        """The state of the criterion: `passed`, `failed`, `error`, `pending`, `approved`, `rejected`, `not checked`."""
        if self.criterion.kind is CriterionKind.APPROVAL:
            return "pending" if self.approval is None else "approved" if self.approval.is_approved else "rejected"
        return NOT_CHECKED if self.verdict is None else self.verdict.outcome.value

    @property
    def why(self) -> list[str]:
        """The reasons for the outcome, line by line, in others' words."""
        if self.approval is not None:
            return [f"by {self.approval.decided_by}" + (f": {self.approval.note}" if self.approval.note else "")]
        verdict = self.verdict
        if verdict is None:
            return []
        said = f": {verdict.detail}" if verdict.detail else ""
        lines = [f"{verdict.error.replace('_', ' ')}{said}" if verdict.error else verdict.detail]
        lines += [f"because: {reason}" for reason in verdict.reasons]
        lines += [f"suggested: {suggestion}" for suggestion in verdict.suggestions]
        return [line for line in lines if line]

    @property
    def evidence(self) -> list[str]:
        """The reasons for the outcome; of a command that did not pass also the end of its output."""
        verdict = None if self.approval is not None else self.verdict
        is_passed = verdict is None or verdict.outcome is Outcome.PASSED
        tail = "" if is_passed or verdict is None else verdict.output_tail
        return [*self.why, *(f"| {line}" for line in tail.splitlines()[-_TAIL_LINES:] if line)]

    def as_dict(self) -> dict[str, Any]:
        """The criterion's standing as JSON."""
        return plain_fields(self) | {"outcome": self.outcome, "pending": self.is_pending}


def standings(goal: Goal, verdicts: Iterable[Verdict], approvals: Iterable[Approval]) -> tuple[CriterionStanding, ...]:
    """Return how each of the goal's criteria stands by these verdicts and answers; those on others do not count."""
    # By hash, not by place: an edit may move a criterion, and its verdict still holds.
    checked = {each.criterion_hash: each for each in verdicts}
    answered = {each.criterion_hash: each for each in approvals}
    return tuple(
        CriterionStanding(number, each, checked.get(each.content_hash), answered.get(each.content_hash))
        for number, each in enumerate(goal.criteria, 1)
    )


@dataclass(frozen=True, slots=True)
class BudgetUse:
    """The used part of one limit, in its unit; a limit of None is unlimited."""

    name: str
    used: int
    limit: int | None

    @property
    def fraction(self) -> float | None:
        """The used part of the limit, 1.0 and more for all of it; None without a limit."""
        return None if self.limit is None else self.used / self.limit


def budget_uses(goal: Goal) -> tuple[BudgetUse, ...]:
    """Return tokens, turns, and whatever else is limited or was used."""
    used, limits = goal.usage.as_dict(), goal.budget.as_dict()
    uses = (BudgetUse(name, used[name], limits[name]) for name in LIMITS)
    return tuple(use for use in uses if use.used or use.limit is not None or use.name in _ALWAYS_SHOWN)


def tightest(goal: Goal) -> BudgetUse | None:
    """Return the limit of which the largest part is used; None where nothing is limited."""
    limited = [use for use in budget_uses(goal) if use.fraction is not None]
    return max(limited, key=lambda use: use.fraction or 0.0, default=None)


def enough(used: int, limit: int, wanted: int = 0) -> int:
    """Return the limit that likely is enough where this one was not: twice of it, or what was wanted besides."""
    return min(max(2 * max(used, limit), used + wanted), MAX_COUNTER)


def larger_limits(goal: Goal, *, at_least_one: bool = False) -> dict[str, int]:
    """Return the limits that a person likely gives to go on: twice of each that is used up.

    Where none is, and `at_least_one` is asked for, it is the one that is nearest to its end.
    """
    meant = [use for use in budget_uses(goal) if (use.fraction or 0) >= 1]
    if at_least_one and not meant:
        meant = list(filter(None, [tightest(goal)]))
    return {use.name: enough(use.used, use.limit or 0) for use in meant}


@dataclass(frozen=True, slots=True)
class UsagePoint:
    """Some consecutive lines of the ledger added up; `until` is when the last of them was recorded."""

    lines: int
    until: Instant
    tokens: int
    cost_microunits: int
    active_microseconds: int


@dataclass(frozen=True, slots=True)
class GoalPeek:
    """A cheap reading of a goal: the goal, its lease and its open holds. If these are equal, so is its overview."""

    lease: LeaseState
    holds: tuple[Hold, ...]

    @property
    def goal(self) -> Goal:
        """The goal itself."""
        return self.lease.goal

    def is_like(self, other: "GoalPeek | None") -> bool:
        """Whether nothing but the time that the lease lasts is different."""
        return other is not None and self._essence == other._essence

    @property
    def _essence(self) -> tuple[object, ...]:
        lease = self.lease
        return self.goal, lease.worker, lease.token, lease.due_in_microseconds > 0, self.holds


@dataclass(frozen=True, slots=True)
class GoalOverview:
    """One goal with how its criteria stand, its latest events (the newest first), and the course of its usage.

    `usage` covers the newest lines of the ledger only where there are very many; what came before them is the
    difference to the goal's counters.
    """

    peek: GoalPeek
    criteria: tuple[CriterionStanding, ...]
    events: tuple[Event, ...]
    usage: tuple[UsagePoint, ...]

    @property
    def goal(self) -> Goal:
        """The goal itself."""
        return self.peek.goal

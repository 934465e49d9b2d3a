"""What a reader of goals gets: a page of many, their counts, and the snapshot of one."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from telic.domain.budget import LIMITS, Budget, Usage, exhausted_limit
from telic.domain.goal import Goal, GoalStatus, Reason
from telic.domain.lease import LeaseState

MAX_COUNTED: Final = 10_000
"""Counting stops here: nobody reads a larger number, and the cost of a page shall not grow with the store."""


class GoalOrder(StrEnum):
    """In which order goals are listed; `changed` puts the latest change of definition or status first."""

    NEWEST = "newest"
    OLDEST = "oldest"
    CHANGED = "changed"


@dataclass(frozen=True, slots=True)
class GoalPage:
    """One page of goals, with who drives each of them; iterating over it gives the goals.

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

    def __iter__(self) -> Iterator[Goal]:
        return (entry.goal for entry in self.entries)

    def __len__(self) -> int:
        return len(self.entries)


@dataclass(frozen=True, slots=True)
class GoalCounts:
    """How many goals there are by status, each at most `MAX_COUNTED`, which then means that many or more.

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
        """What is left of each limit that is set, by its name; never below 0."""
        return {name: max(0, limit - getattr(self.usage, name)) for name, limit in self._limits}

    @property
    def fractions(self) -> dict[str, float]:
        """How much of each limit that is set is used, by its name; 1.0 and more is all of it."""
        return {name: getattr(self.usage, name) / limit for name, limit in self._limits}

    @property
    def _limits(self) -> list[tuple[str, int]]:
        pairs = ((name, getattr(self.budget, name)) for name in LIMITS)
        return [(name, limit) for name, limit in pairs if limit is not None]

    def as_dict(self) -> dict[str, Any]:
        """The snapshot as JSON takes it, with what is left of the budget."""
        return {
            "id": self.id,
            "scope": self.scope,
            "text": self.text,
            "status": self.status.value,
            "reason": self.reason and self.reason.value,
            "note": self.note,
            "revision": self.revision,
            "budget": self.budget.as_dict(),
            "usage": self.usage.as_dict(),
            "estimated_lines": self.estimated_lines,
            "left": self.left,
            "fractions": self.fractions,
            "pending": self.pending,
            "is_stale": self.is_stale,
        }


def snapshot_of(goal: Goal, usage: Usage, pending: int, *, is_stale: bool) -> GoalSnapshot:
    """The goal's snapshot with this usage."""
    return GoalSnapshot(
        id=goal.id,
        scope=goal.scope,
        text=goal.text,
        status=goal.status,
        reason=goal.reason,
        note=goal.note,
        revision=goal.revision,
        budget=goal.budget,
        usage=usage,
        pending=pending,
        is_stale=is_stale,
        estimated_lines=goal.estimated_lines,
    )

"""The light view of a goal that a host looks at in every turn."""

from dataclasses import dataclass
from typing import Any

from telic.domain.budget import LIMITS, Budget, Usage, exhausted_limit
from telic.domain.goal import Goal, GoalStatus, Reason


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

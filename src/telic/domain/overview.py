"""One goal with everything that a person who looks at it wants to see, as it stood at one moment."""

from dataclasses import dataclass

from telic.domain.clock import Instant
from telic.domain.events import Event
from telic.domain.goal import Goal
from telic.domain.hold import Hold
from telic.domain.lease import LeaseState
from telic.domain.verdict import Approval
from telic.domain.verification import Verification


@dataclass(frozen=True, slots=True)
class UsagePoint:
    """Some consecutive lines of the ledger added up; `until` is when the last of them was recorded."""

    lines: int
    until: Instant
    tokens: int
    cost_microunits: int
    active_microseconds: int


@dataclass(frozen=True, slots=True)
class GoalGlance:
    """What tells whether a goal's overview is still as it was: the goal, who drives it, and its open holds."""

    lease: LeaseState
    holds: tuple[Hold, ...]

    @property
    def goal(self) -> Goal:
        """The goal itself."""
        return self.lease.goal

    def is_like(self, other: "GoalGlance | None") -> bool:
        """Whether nothing but the time that the lease lasts is different."""
        return other is not None and self._essence == other._essence

    @property
    def _essence(self) -> tuple[object, ...]:
        return self.goal, self.lease.holder, self.lease.token, self.holds


@dataclass(frozen=True, slots=True)
class GoalOverview:
    """One goal with its latest events (the newest first), verdicts, answers, and the course of its usage.

    `usage` covers the newest lines of the ledger only where there are very many; what came before them is the
    difference to the goal's counters. A verification is of the goal's present revision, else None.
    """

    glance: GoalGlance
    verification: Verification | None
    approvals: tuple[Approval, ...]
    events: tuple[Event, ...]
    usage: tuple[UsagePoint, ...]

    @property
    def goal(self) -> Goal:
        """The goal itself."""
        return self.glance.goal

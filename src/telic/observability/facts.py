"""What has happened, once it is committed: what observers hear of."""

from dataclasses import dataclass

from telic.domain.events import EventKind, Turn
from telic.domain.goal import Goal, GoalStatus, Reason
from telic.domain.hold import Hold
from telic.storage.operations.status_counts import STATUS_OF


@dataclass(frozen=True, slots=True)
class StatusSet:
    """The goal has the status that an event of this kind gives."""

    goal: Goal
    kind: EventKind

    @property
    def status(self) -> GoalStatus:
        """The status since then."""
        return STATUS_OF[self.kind]

    @property
    def reason(self) -> Reason | None:
        """Why it has that status; an active goal needs no reason."""
        return None if self.status is GoalStatus.ACTIVE else self.goal.reason


@dataclass(frozen=True, slots=True)
class TurnCounted:
    """The line is in the ledger since now, and has settled its hold where it named one."""

    goal: Goal
    turn: Turn
    has_settled: bool


@dataclass(frozen=True, slots=True)
class HoldMoved:
    """The hold was placed, or released: its state says which."""

    hold: Hold


@dataclass(frozen=True, slots=True)
class EventsReceived:
    """A watcher was given events, of which the oldest was recorded so long ago by the store's clock, at least 0."""

    count: int
    lag_microseconds: int


@dataclass(frozen=True, slots=True)
class LeaseRanOut:
    """A worker stopped working on the goal, as it could not renew its lease in time."""

    goal: Goal


Fact = StatusSet | TurnCounted | HoldMoved | EventsReceived | LeaseRanOut

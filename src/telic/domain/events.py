"""A goal's history: what changed, when, and by which actor; and the turns that were accounted."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

from telic.domain.budget import TurnUsage, UsageKind
from telic.domain.clock import Instant

if TYPE_CHECKING:
    from telic.domain.goal import Actor, Goal

ACTED_BY: Final = "acted_by"
"""What of an event's data names who acted, and by which door, beside the kind of actor."""


class EventKind(StrEnum):
    """What an event reports."""

    CREATED = "created"
    EDITED = "edited"
    BUDGET_SET = "budget_set"
    PAUSED = "paused"
    RESUMED = "resumed"
    COMPLETED = "completed"
    CLEARED = "cleared"
    KEPT_ASLEEP = "kept_asleep"
    CHECKED = "checked"
    APPROVED = "approved"
    REJECTED = "rejected"


@dataclass(frozen=True, slots=True)
class Event:
    """One line of a goal's append-only history.

    `number` counts a goal's events from 1; `revision` is the goal's after the event. `data` holds what
    changed, by name. `hash` chains the event to the one before it.
    """

    goal_id: str
    number: int
    revision: int
    kind: EventKind
    actor: "Actor"
    at: Instant
    key: str | None
    data: Mapping[str, Any]
    hash: str

    @property
    def acted_by(self) -> Mapping[str, str]:
        """Return the `name` of who acted and the `door` by which they did, as far as they are known."""
        acted_by: Mapping[str, str] = self.data.get(ACTED_BY, {})
        return acted_by

    @property
    def changed(self) -> Mapping[str, Any]:
        """Return the data without who acted."""
        return {name: value for name, value in self.data.items() if name != ACTED_BY}


@dataclass(frozen=True, slots=True)
class Turn:
    """One line of the ledger. `number` counts a goal's lines from 1; `hash` chains them.

    A line of kind `work` is a turn of the agent; others were consumed on its behalf. `model` may name the model.
    An estimate is what may have been consumed where nobody knows. A line that takes an estimate back, which is that
    line's number, has the same amounts below zero: the sum of all lines is what counts.
    """

    goal_id: str
    number: int
    key: str
    at: Instant
    usage: TurnUsage
    hash: str
    kind: UsageKind = UsageKind.WORK
    model: str | None = None
    is_estimate: bool = False
    takes_back: int | None = None


@dataclass(frozen=True, slots=True)
class TurnResult:
    """The turn as it stands in the ledger, and the goal after it."""

    goal: "Goal"
    turn: Turn

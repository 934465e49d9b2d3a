"""Grants to a worker for a limited time: the lease of a goal, and holds of its budget.

A lease is the right to drive a goal. A hold is budget reserved before a model is called, which the turn that follows
settles.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

from telic.domain.budget import LIMITS
from telic.domain.clock import Instant, to_datetime
from telic.domain.goal import Goal
from telic.domain.limits import check_counter


@dataclass(frozen=True, slots=True)
class Lease:
    """A granted lease, as its worker shows it with each write; `worker` names the worker.

    `token` fences: it grows with each grant, so a worker that lost its lease and wakes up later differs from the
    present one. `goal` is the goal as it stood at the grant or renewal.
    """

    goal: Goal
    worker: str
    token: int


@dataclass(frozen=True, slots=True)
class LeaseState:
    """The lease of a goal as anybody sees it; `worker` names the worker, and is None while there is none.

    A goal that rests between two steps of its loop is due in `due_in_microseconds`; until then no worker takes it.
    """

    goal: Goal
    worker: str | None
    token: int
    expires_in_microseconds: int
    due_in_microseconds: int = 0


class HoldState(StrEnum):
    """The state of a hold.

    `expired` means uncertain: its worker never said what the model call consumed, if anything. `estimated` means that
    an estimate of it is in the ledger, which may still be corrected.
    """

    OPEN = "open"
    EXPIRED = "expired"
    SETTLED = "settled"
    ESTIMATED = "estimated"
    RELEASED = "released"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reservation:
    """The amounts that a hold asks for: of one turn, unless it is for something that is none.

    Raises:
        InvalidNumber: an amount is not an integer from 0 to 2**53 - 1.
    """

    tokens: int = 0
    turns: int = 1
    active_microseconds: int = 0
    cost_microunits: int = 0

    def __post_init__(self) -> None:
        for name in RESERVED:
            check_counter(name, getattr(self, name))

    def as_dict(self) -> dict[str, int]:
        """The amounts by name."""
        return {name: getattr(self, name) for name in RESERVED}


RESERVED: Final = LIMITS
"""Each limit can be held."""


@dataclass(frozen=True, slots=True)
class Hold:
    """A hold as it stood when it was read; `turn_key` names the line of the ledger that stands for it.

    Unless it is settled or released before, it expires at `expires_at`, by the clock of `placed_at`; None where an
    earlier release placed it, which did not write this down.
    """

    goal_id: str
    key: str
    reserved: Reservation
    placed_at: Instant
    expires_at: Instant | None
    state: HoldState
    turn_key: str | None
    frees_on_expiry: bool = False

    @property
    def placed(self) -> datetime:
        """When it was placed, in UTC."""
        return to_datetime(self.placed_at)

    @property
    def expires(self) -> datetime | None:
        """When it expires, in UTC; None if that was not written down."""
        return None if self.expires_at is None else to_datetime(self.expires_at)

    @property
    def reserves(self) -> bool:
        """Whether it reserves budget: while it is open, and expired until what was held is in the ledger."""
        return self.state is HoldState.OPEN or (self.state is HoldState.EXPIRED and not self.frees_on_expiry)

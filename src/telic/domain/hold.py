"""Holds: budget reserved before a model is called, settled by the turn that follows."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from telic.domain.clock import Instant
from telic.domain.limits import check_counter


class HoldState(StrEnum):
    """Where a hold stands. Only an open one reserves budget.

    `expired` means uncertain: its worker never said what the model call consumed, if anything.
    """

    OPEN = "open"
    EXPIRED = "expired"
    SETTLED = "settled"
    RELEASED = "released"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reservation:
    """What a hold asks for, beside the one turn that will settle it.

    Raises:
        InvalidNumber: an amount is not an integer from 0 to 2**53 - 1.
    """

    tokens: int = 0
    active_microseconds: int = 0
    cost_microunits: int = 0

    def __post_init__(self) -> None:
        for name in RESERVED:
            check_counter(name, getattr(self, name))

    def as_dict(self) -> dict[str, int]:
        """The amounts by name."""
        return {name: getattr(self, name) for name in RESERVED}


RESERVED: Final = ("tokens", "active_microseconds", "cost_microunits")


@dataclass(frozen=True, slots=True)
class Hold:
    """A hold as it stood when it was read; `turn_key` names the turn that settled it."""

    goal_id: str
    key: str
    reserved: Reservation
    placed_at: Instant
    state: HoldState
    turn_key: str | None

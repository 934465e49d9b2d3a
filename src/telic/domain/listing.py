"""What somebody who looks over many goals asks for, and gets."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from telic.domain.lease import LeaseState

MAX_COUNTED: Final = 10_000
"""Counting stops here: nobody reads a larger number, and the cost of a page shall not grow with the store."""


class GoalOrder(StrEnum):
    """In which order goals are listed; `changed` puts the latest change of definition or status first."""

    NEWEST = "newest"
    OLDEST = "oldest"
    CHANGED = "changed"


@dataclass(frozen=True, slots=True)
class GoalListing:
    """One page of goals with who drives each of them.

    `next_cursor` is None at the end. A page that `is_cut_short` has fewer goals than asked for because enough were
    looked at: there may be more, and the cursor goes on from where the look ended.
    """

    entries: tuple[LeaseState, ...]
    next_cursor: str | None
    is_cut_short: bool


@dataclass(frozen=True, slots=True)
class GoalCounts:
    """How many goals there are by status, each at most `MAX_COUNTED`, which then means that many or more.

    Of one scope, its newest `MAX_COUNTED` are counted.
    """

    active: int
    paused: int
    completed: int
    cleared: int

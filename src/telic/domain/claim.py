"""What an agent says of its goal, and what it may wait for."""

from dataclasses import dataclass
from enum import StrEnum

from telic.domain.clock import Instant
from telic.domain.errors import InvalidInput
from telic.domain.limits import check_instant, check_name


class Claim(StrEnum):
    """What an agent says of its goal at the end of a turn. It is a claim: the loop verifies and decides."""

    WORKING = "working"
    COMPLETE = "complete"
    BLOCKED = "blocked"
    WAITING = "waiting"


def approval_signal(goal_id: str) -> str:
    """The signal that wakes a goal which waits for a person's answer; answering sends it."""
    return f"approval/{goal_id}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wake:
    """What a paused goal waits for: an instant, a named signal, or whichever of both comes first.

    Raises:
        InvalidInput: neither is given, the instant is none, or the signal has no name of 1 to 200 characters.
    """

    at: Instant | None = None
    signal: str | None = None

    def __post_init__(self) -> None:
        if self.at is None and self.signal is None:
            raise InvalidInput("a wait needs a time or a signal to end it")
        check_instant("wake_at", self.at)
        if self.signal is not None:
            check_name("wake_signal", self.signal)

    @classmethod
    def of(cls, at: Instant | None, signal: str | None) -> "Wake | None":
        """Return what these two say, or None if neither is given."""
        return None if at is None and signal is None else cls(at=at, signal=signal)

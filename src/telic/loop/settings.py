"""Where a loop works, and how it keeps its goal."""

from dataclasses import dataclass
from pathlib import Path

from telic.domain.errors import InvalidNumber
from telic.domain.limits import check_counter


@dataclass(frozen=True, slots=True, kw_only=True)
class LoopSettings:
    """Where a loop works, and how it keeps its goal.

    The lease lasts `lease_seconds` and is renewed every `heartbeat_seconds`; a stop by anybody reaches a running
    turn within one heartbeat. A goal with a budget of tokens has `held_tokens` of it reserved for each turn, and one
    with a budget of money a tenth of that: so much counts where nobody tells what the turn used.

    Raises:
        InvalidNumber: the lease would expire between two heartbeats, or a time is out of its range.
    """

    workspace: Path
    holder: str
    turn_timeout_seconds: float = 1800.0
    heartbeat_seconds: float = 2.0
    lease_seconds: float = 30.0
    held_tokens: int = 50_000

    def __post_init__(self) -> None:
        if not 0 < self.turn_timeout_seconds <= 86_400:
            raise InvalidNumber("turn_timeout_seconds must be above 0 and at most 86,400")
        check_counter("held_tokens", self.held_tokens)
        if not 0 < self.heartbeat_seconds * 2 <= self.lease_seconds <= 86_400:
            raise InvalidNumber("lease_seconds must be at least twice heartbeat_seconds")

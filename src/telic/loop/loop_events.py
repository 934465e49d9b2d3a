"""What a loop tells of itself while it runs."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from telic.domain.goal import Goal


class LoopEventKind(StrEnum):
    """What has just happened, or begins."""

    CLAIMED = "claimed"
    TURN_BEGAN = "turn_began"
    NOTICE = "notice"
    TURN_ENDED = "turn_ended"
    TURN_FAILED = "turn_failed"
    CHECKING = "checking"
    CHECKED = "checked"
    SLEEPING = "sleeping"
    PAUSED = "paused"
    WOKEN = "woken"
    STOPPED = "stopped"
    COMPLETED = "completed"


@dataclass(frozen=True, slots=True)
class LoopEvent:
    """One thing that happened, the goal as it stood then, and in a few words what is particular about it.

    `detail` may hold what an agent or a check said: escape it before it is shown.
    """

    kind: LoopEventKind
    goal: Goal
    turn_number: int
    detail: str = ""


LoopEventListener = Callable[[LoopEvent], None]


def ignore(_: LoopEvent) -> None:
    """Do nothing with the event: the listener where none was given."""

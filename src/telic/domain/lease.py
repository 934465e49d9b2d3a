"""Leases: the right of one worker to drive a goal until it expires."""

from dataclasses import dataclass

from telic.domain.goal import Goal


@dataclass(frozen=True, slots=True)
class Lease:
    """A granted lease, as its holder shows it with each write.

    `token` fences: it grows with each grant, so a worker that lost its lease and wakes up later is told from the
    present one. `goal` is the goal as it stood at the grant or renewal.
    """

    goal: Goal
    holder: str
    token: int


@dataclass(frozen=True, slots=True)
class LeaseState:
    """Who may drive a goal now, as anybody may see it; `holder` is None while nobody does.

    A goal that rests between two steps of its loop is due in `due_in_microseconds`, and until then nobody's.
    """

    goal: Goal
    holder: str | None
    token: int
    expires_in_microseconds: int
    due_in_microseconds: int = 0

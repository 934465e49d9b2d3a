"""The state of an autonomous loop: an agent's claim, and all that must be remembered so that any worker can go on."""

import json
from dataclasses import dataclass, fields, replace
from enum import StrEnum
from typing import Any, Final

from telic.domain.clock import Instant
from telic.domain.errors import InvalidInput
from telic.domain.goal import Wake
from telic.domain.limits import MAX_NOTE_CHARS, check_counter, check_text
from telic.domain.verdict import check_sha256

MAX_SESSION_CHARS: Final = 1_000
MAX_WORK_CHARS: Final = 12_000
MAX_WORKSPACES: Final = 200
"""So many states of the workspace are remembered; going back to one of these is no progress."""


class Claim(StrEnum):
    """An agent's word on its goal at the end of a turn. It is a claim: the loop verifies and decides."""

    WORKING = "working"
    COMPLETE = "complete"
    BLOCKED = "blocked"
    WAITING = "waiting"


@dataclass(frozen=True, slots=True, kw_only=True)
class LoopState:
    """Counts "in a row" restart with each success, and all of them when a user changes or resumes the goal.

    `turns` counts the turns that this goal's loops finished or failed, and names the next turn's key. `outages` came to
    nothing because the network was away. `idle_turns` brought no observable progress. `next_at` is when the next turn
    may start, `quota_until` when the provider's limit ends, both by the database's clock; `asked_pause` is how long a
    judge's provider asked to be left alone, in microseconds. `wound_down_at` is the
    revision at which the agent was asked to come to an end. `seen_events` counts the events that were looked at.
    `tells_usage` is whether some turn's report said what it had used; None as long as there was no report.
    `work` and `tool_output` are the ends of what the agent last said, and of what its tools printed, for a judge.
    """

    turns: int = 0
    claim: Claim = Claim.WORKING
    note: str | None = None
    wake_at: Instant | None = None
    wake_signal: str | None = None
    session: str | None = None
    tells_usage: bool | None = None
    failures: int = 0
    outages: int = 0
    idle_turns: int = 0
    unverified_turns: int = 0
    verifications: int = 0
    failed_verifications: int = 0
    unchecked_verifications: int = 0
    quota_waits: int = 0
    blocked_claims: int = 0
    next_at: int = 0
    asked_pause: int = 0
    quota_until: int = 0
    wound_down_at: int = 0
    seen_events: int = 0
    passed_hashes: tuple[str, ...] = ()
    workspace_hashes: tuple[str, ...] = ()
    tool_effects: int = 0
    work: str = ""
    tool_output: str = ""

    def __post_init__(self) -> None:
        for name in _COUNTS:
            check_counter(name, getattr(self, name))
        if self.wake_at is not None:
            check_counter("wake_at", self.wake_at)
        for name, (most, is_optional) in _TEXTS.items():
            text = getattr(self, name)
            if text is not None or not is_optional:
                check_text(name, text, most)
        for known in (*self.passed_hashes, *self.workspace_hashes):
            check_sha256(known)
        if self.tells_usage not in (None, True, False):
            raise InvalidInput("tells_usage must be true, false or null")
        if not isinstance(self.claim, Claim):
            raise InvalidInput("the claim must be a Claim")
        wake = self.wake
        if self.claim is Claim.WAITING and wake is None:
            raise InvalidInput("a waiting agent says what it waits for")

    @property
    def wake(self) -> Wake | None:
        """The time or signal that the agent waits for."""
        return Wake.of(self.wake_at, self.wake_signal)

    def without_failures(self) -> "LoopState":
        """The state after a user changed or resumed the goal: what went wrong before counts no more."""
        return replace(
            self,
            claim=Claim.WORKING,
            note=None,
            wake_at=None,
            wake_signal=None,
            tells_usage=self.tells_usage or None,
            failures=0,
            outages=0,
            idle_turns=0,
            failed_verifications=0,
            unchecked_verifications=0,
            quota_waits=0,
            blocked_claims=0,
            next_at=0,
            asked_pause=0,
            quota_until=0,
            wound_down_at=0,
        )

    def as_text(self) -> str:
        """The state as the text that the store keeps."""
        return json.dumps({field.name: getattr(self, field.name) for field in fields(self)}, separators=(",", ":"))


# How many characters each may have, and whether there may be none.
_TEXTS: Final = {
    "note": (MAX_NOTE_CHARS, True),
    "session": (MAX_SESSION_CHARS, True),
    "work": (MAX_WORK_CHARS, False),
    "tool_output": (MAX_WORK_CHARS, False),
}
# States of the first release lack these; they start as in a new state.
_ADDED_SINCE: Final = frozenset({"outages", "asked_pause", "tells_usage"})
_COUNTS: Final = tuple(field.name for field in fields(LoopState) if field.type is int)


def loop_state_from_text(text: str) -> LoopState:
    """Return the state that `as_text` wrote; raise InvalidInput for any other text."""
    try:
        data: dict[str, Any] = json.loads(text)
        # What is left out has no default here: it was written by another Telic, or by nobody.
        if missing := {field.name for field in fields(LoopState)} - set(data) - _ADDED_SINCE:
            raise InvalidInput(f"it lacks {', '.join(sorted(missing))}")
        for name in ("passed_hashes", "workspace_hashes"):
            data[name] = tuple(data[name])
        data["claim"] = Claim(data["claim"])
        return LoopState(**data)
    except (KeyError, TypeError, ValueError, AttributeError, RecursionError) as error:
        raise InvalidInput(f"unreadable state of a loop: {error!s:.200}") from error

"""The goal itself, as an immutable value, and what a paused one waits for."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

from telic.domain.base_errors import InvalidInput
from telic.domain.budget import BUDGET_COLUMNS, USAGE_COUNTERS, BillingPolicy, Budget, Usage
from telic.domain.clock import Instant, time_to_json, to_datetime
from telic.domain.criteria import Criterion
from telic.domain.limits import check_instant, check_name

DEFAULT_SCOPE: Final = "default"
# Unicode's categories of control and formatting characters, surrogates, and separators of lines.
_HIDING: Final = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})


class GoalStatus(StrEnum):
    """The status of a goal. `completed` and `cleared` are terminal."""

    ACTIVE = "active"
    PAUSED = "paused"
    COMPLETED = "completed"
    CLEARED = "cleared"


class Reason(StrEnum):
    """Why a goal has its status. An active goal has no reason."""

    USER = "user"
    SUPERSEDED = "superseded"
    BUDGET = "budget"
    USAGE_LIMIT = "usage_limit"
    WAITING = "waiting"
    BLOCKED = "blocked"
    STALLED = "stalled"
    FAILED = "failed"
    VERIFIED = "verified"
    ACCEPTED = "accepted"
    ASSERTED = "asserted"
    DISMISSED = "dismissed"
    GIVEN_UP = "given_up"


class Actor(StrEnum):
    """On whose behalf a call is made."""

    USER = "user"
    OPERATOR = "operator"
    MODEL = "model"
    HOST = "host"
    VERIFIER = "verifier"
    SYSTEM = "system"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wake:
    """The end of a paused goal's wait: an instant, a named signal, or the earlier of both.

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
    def of(cls, at: Instant | datetime | None, signal: str | None) -> "Wake | None":
        """Return what these two say, or None if neither is given."""
        return None if at is None and signal is None else cls(at=check_instant("wake_at", at), signal=signal)


@dataclass(frozen=True, slots=True)
class Goal:
    """A goal as it stood when it was read.

    `revision` rises by one with every change of definition or status, and is what a guarded write names.
    Recording turns does not raise it. Budgets of None are unlimited. `billing` says which of a model's tokens
    count. `estimated_lines` of its ledger are estimates: where there is one, a model may have used more than the
    counters tell, and a counter of 0 is unknown. A paused goal with `wake_at` or `wake_signal` becomes active by
    itself, at that time or on that signal.
    """

    id: str
    scope: str
    text: str
    criteria: tuple[Criterion, ...]
    status: GoalStatus
    reason: Reason | None
    note: str | None
    revision: int
    token_budget: int | None
    turn_budget: int | None
    active_microseconds_budget: int | None
    cost_microunits_budget: int | None
    turns_used: int
    tokens_used: int
    input_tokens_used: int
    cached_input_tokens_used: int
    output_tokens_used: int
    reasoning_tokens_used: int
    active_microseconds_used: int
    cost_microunits_used: int
    created_at: Instant
    updated_at: Instant
    ended_at: Instant | None
    billing: BillingPolicy = BillingPolicy.INPUT_AND_OUTPUT
    wake_at: Instant | None = None
    wake_signal: str | None = None
    estimated_lines: int = 0

    @property
    def created(self) -> datetime:
        """When the goal was created, in UTC."""
        return to_datetime(self.created_at)

    @property
    def updated(self) -> datetime:
        """When the goal was last changed, in UTC; recording a turn is no change."""
        return to_datetime(self.updated_at)

    @property
    def ended(self) -> datetime | None:
        """When the goal was completed or cleared, in UTC; None while it is unfinished."""
        return None if self.ended_at is None else to_datetime(self.ended_at)

    @property
    def wakes(self) -> datetime | None:
        """When the goal becomes active by itself, in UTC; None if it waits for no time."""
        return None if self.wake_at is None else to_datetime(self.wake_at)

    def to_json(self) -> dict[str, Any]:
        """Return the goal as JSON values, in the one shape that the command, the HTTP API and exports share.

        The keys are the names of its attributes. `budget` and `usage` are objects, `criteria` is an array, and times
        are RFC 3339 texts in UTC.
        """
        return {
            "id": self.id,
            "scope": self.scope,
            "text": self.text,
            "status": self.status.value,
            "reason": self.reason and self.reason.value,
            "note": self.note,
            "revision": self.revision,
            "criteria": [criterion.as_dict() for criterion in self.criteria],
            "budget": self.budget.as_dict(),
            "usage": self.usage.as_dict(),
            "estimated_lines": self.estimated_lines,
            "billing": self.billing.value,
            "wake_at": time_to_json(self.wake_at),
            "wake_signal": self.wake_signal,
            "created_at": time_to_json(self.created_at),
            "updated_at": time_to_json(self.updated_at),
            "ended_at": time_to_json(self.ended_at),
        }

    def _repr_html_(self) -> str:
        """Return a small table for notebooks, in which every text is escaped and nothing is hidden."""
        from html import escape

        rows = {
            "goal": self.id,
            "text": self.text,
            "scope": self.scope,
            "status": self.status if self.reason is None else f"{self.status} ({self.reason})",
            "note": self.note,
            "revision": self.revision,
            "turns": _of(self.turns_used, self.turn_budget),
            "tokens": _of(self.tokens_used, self.token_budget),
            "time": _of(self.usage.time, self.budget.time),
            "cost": _of(self.usage.cost, self.budget.cost),
            "created": f"{self.created:%Y-%m-%d %H:%M:%S} UTC",
        }
        cells = [
            f"<tr><th>{name}</th><td>{escape(_seen(str(cell)))}</td></tr>"
            for name, cell in rows.items()
            if cell is not None
        ]
        return f"<table>{''.join(cells)}</table>"

    @property
    def is_active(self) -> bool:
        """Whether work on the goal goes on, or may."""
        return self.status is GoalStatus.ACTIVE

    @property
    def is_waiting(self) -> bool:
        """Whether the goal is paused and will wake by itself."""
        return self.wake_at is not None or self.wake_signal is not None

    @property
    def budget(self) -> Budget:
        """The limits on usage."""
        return Budget(**{name: getattr(self, column) for name, column in BUDGET_COLUMNS.items()})

    @property
    def usage(self) -> Usage:
        """The usage of the goal's turns so far."""
        return Usage(**{name: getattr(self, f"{name}_used") for name in USAGE_COUNTERS})

    @property
    def is_finished(self) -> bool:
        """Whether the goal is completed or cleared, and so never changes again."""
        return self.ended_at is not None


def _seen(text: str) -> str:
    from unicodedata import category

    # Control and formatting characters move, hide or reorder what a page shows; the two joiners only shape letters.
    return "".join(
        ascii(each)[1:-1] if category(each) in _HIDING and each not in "\u200c\u200d" else each for each in text
    )


def _of(used: object, limit: object | None) -> str:
    return f"{used}" if limit is None else f"{used} of {limit}"


def approval_signal(goal_id: str) -> str:
    """The signal that wakes a goal which waits for a person's answer; answering sends it."""
    return f"approval/{goal_id}"

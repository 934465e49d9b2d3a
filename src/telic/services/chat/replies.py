"""What `/goal` answers, as values: hosts show them as they like, `render` as plain text."""

from dataclasses import dataclass
from enum import StrEnum

from telic.domain.budget import LIMITS
from telic.domain.clock import Instant
from telic.domain.errors import GoalError
from telic.domain.events import Event
from telic.domain.goal import Goal
from telic.services.insight import GoalDetails
from telic.wording.amounts import write_limit
from telic.wording.goals import criterion_in_words


class ReplyKind(StrEnum):
    """What became of a command."""

    STATUS = "status"
    LIST = "list"
    HISTORY = "history"
    HELP = "help"
    CREATED = "created"
    EDITED = "edited"
    BUDGET_SET = "budget_set"
    PAUSED = "paused"
    RESUMED = "resumed"
    COMPLETED = "completed"
    CLEARED = "cleared"
    CONFIRM = "confirm"
    """Nothing was done yet: the command would pause the goal in `goals`; the first step confirms it."""
    NO_GOAL = "no_goal"
    """Nothing was done: no goal is meant. `goals` are paused ones that could have been."""
    REFUSED = "refused"
    """Nothing was done: the command cannot be done as it stands; `problem` says why."""
    FAILED = "failed"
    """The store failed; `problem` says what is known."""


@dataclass(frozen=True, slots=True)
class Step:
    """A command that fits now, and what it is for (`to go on`); empty where the command says it all."""

    command: str
    purpose: str


@dataclass(frozen=True, slots=True)
class Change:
    """One thing about one goal that is different after the command; None where there was, or is, nothing."""

    goal_id: str
    name: str
    before: str | None
    after: str | None


@dataclass(frozen=True, slots=True)
class Problem:
    """Why a command was not done. `code` is the error's; `key` is what a repeated call names, where one must."""

    code: str
    message: str
    advice: str
    is_retryable: bool
    key: str | None = None

    @classmethod
    def of(cls, error: GoalError, advice: str) -> "Problem":
        """The error as a value."""
        return cls(error.code, str(error), advice, error.retryable, getattr(error, "key", None))


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """One answer.

    `goals` holds the goal that the answer is about, or the listed ones; each carries its revision. `superseded` is
    the goal that the command has paused because another took its place. `starts_work` is true only where the user
    asked with `--auto` and the goal is active: nothing else starts work. `next_cursor` goes on with a listing,
    whose `drivers` are the workers of its goals. A status comes with the goal's `details`.
    """

    kind: ReplyKind
    at: Instant
    scope: str
    goals: tuple[Goal, ...] = ()
    superseded: Goal | None = None
    changes: tuple[Change, ...] = ()
    steps: tuple[Step, ...] = ()
    events: tuple[Event, ...] = ()
    problem: Problem | None = None
    starts_work: bool = False
    next_cursor: str | None = None
    details: GoalDetails | None = None
    drivers: tuple[str | None, ...] = ()

    @property
    def goal(self) -> Goal | None:
        """The one goal that the answer is about, or None."""
        return self.goals[0] if len(self.goals) == 1 else None

    @property
    def is_done(self) -> bool:
        """Whether what was asked for was answered or done."""
        return self.kind not in _NOT_DONE


_NOT_DONE = frozenset({ReplyKind.CONFIRM, ReplyKind.NO_GOAL, ReplyKind.REFUSED, ReplyKind.FAILED})


def changes_between(before: Goal, after: Goal) -> tuple[Change, ...]:
    """What of a goal's definition and status is different."""
    old, new = _described(before), _described(after)
    return tuple(Change(after.id, name, old[name], new[name]) for name in old if old[name] != new[name])


def _described(goal: Goal) -> dict[str, str | None]:
    return {
        "status": goal.status.value,
        "reason": goal.reason and goal.reason.value,
        "note": goal.note,
        "text": goal.text,
        "criteria": "; ".join(map(criterion_in_words, goal.criteria)) or None,
        "budget": describe_budget(goal),
    }


def describe_budget(goal: Goal) -> str | None:
    """The goal's limits as they are typed; None without any."""
    limits = goal.budget.as_dict()
    return " ".join(write_limit(name, limit) for name in LIMITS if (limit := limits[name]) is not None) or None

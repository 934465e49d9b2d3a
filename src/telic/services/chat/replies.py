"""Answers to `/goal` as values, and the commands that fit next: hosts show them as they like, `render` as text."""

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from telic.domain.budget import LIMITS
from telic.domain.clock import Instant
from telic.domain.errors import BudgetExceeded, GoalError, InvalidCommand
from telic.domain.events import Event
from telic.domain.goal import Goal
from telic.domain.views import enough, larger_limits
from telic.services.actions import PURPOSES, GoalAction, fitting_actions
from telic.services.chat.grammar import GoalCommand, write
from telic.services.insight import GoalDetails
from telic.wording.amounts import parse_limit, write_limit
from telic.wording.goals import criterion_in_words


class ReplyKind(StrEnum):
    """The outcome of a command."""

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


ACTION_OF: Final = {
    ReplyKind.CREATED: GoalAction.CREATE,
    ReplyKind.EDITED: GoalAction.EDIT,
    ReplyKind.BUDGET_SET: GoalAction.SET_BUDGET,
    ReplyKind.PAUSED: GoalAction.PAUSE,
    ReplyKind.RESUMED: GoalAction.RESUME,
    ReplyKind.COMPLETED: GoalAction.COMPLETE,
    ReplyKind.CLEARED: GoalAction.CLEAR,
}
"""The action that an answer of this kind tells of."""


@dataclass(frozen=True, slots=True)
class ChatStep:
    """A command that fits now, and what it is for (`to go on`); empty where the command says it all."""

    command: str
    purpose: str


@dataclass(frozen=True, slots=True)
class GoalChange:
    """One thing about one goal that is different after the command; None where there was, or is, nothing."""

    goal_id: str
    name: str
    before: str | None
    after: str | None


@dataclass(frozen=True, slots=True)
class ChatProblem:
    """Why a command was not done. `code` is the error's; `key` is what a repeated call names, where one must."""

    code: str
    message: str
    advice: str
    is_retryable: bool
    key: str | None = None

    @classmethod
    def of(cls, error: GoalError, advice: str) -> "ChatProblem":
        """Return the error as a value."""
        return cls(error.code, str(error), advice, error.retryable, getattr(error, "key", None))


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatReply:
    """One answer.

    `goals` holds the goal that the answer is about, or the listed ones; each carries its revision. `superseded` is
    the goal that the command has paused because another took its place. `starts_work` is true only where the user
    asked with `--auto` and the goal is active: nothing else starts work. `next_cursor` goes on with a listing,
    whose `workers` are the workers of its goals. A status comes with the goal's `details`.
    """

    kind: ReplyKind
    at: Instant
    scope: str
    goals: tuple[Goal, ...] = ()
    superseded: Goal | None = None
    changes: tuple[GoalChange, ...] = ()
    steps: tuple[ChatStep, ...] = ()
    events: tuple[Event, ...] = ()
    problem: ChatProblem | None = None
    starts_work: bool = False
    next_cursor: str | None = None
    details: GoalDetails | None = None
    workers: tuple[str | None, ...] = ()

    @property
    def goal(self) -> Goal | None:
        """Return the one goal that the answer is about, or None."""
        return self.goals[0] if len(self.goals) == 1 else None

    @property
    def is_done(self) -> bool:
        """Return whether what was asked for was answered or done."""
        return self.kind not in _NOT_DONE


_NOT_DONE = frozenset({ReplyKind.CONFIRM, ReplyKind.NO_GOAL, ReplyKind.REFUSED, ReplyKind.FAILED})


def changes_between(before: Goal, after: Goal) -> tuple[GoalChange, ...]:
    """Return what of a goal's definition and status is different."""
    old, new = _described(before), _described(after)
    return tuple(GoalChange(after.id, name, old[name], new[name]) for name in old if old[name] != new[name])


def _described(goal: Goal) -> dict[str, str | None]:
    limits = goal.budget.as_dict()
    return {
        "status": goal.status.value,
        "reason": goal.reason and goal.reason.value,
        "note": goal.note,
        "text": goal.text,
        "criteria": "; ".join(map(criterion_in_words, goal.criteria)) or None,
        "budget": " ".join(write_limit(name, limit) for name in LIMITS if (limit := limits[name]) is not None) or None,
    }


def steps_after_error(error: GoalError, command: GoalCommand | None, goal: Goal | None) -> tuple[ChatStep, ...]:
    """Return the commands that fit after the error; `goal` is the one that the command was about, if any."""
    if isinstance(error, InvalidCommand):
        return tuple(ChatStep(suggestion, "") for suggestion in error.suggestions)
    if isinstance(error, BudgetExceeded) and command is not None and goal is not None:
        kept = tuple(limit for limit in command.limits if parse_limit(limit)[0] != error.limit)
        more = write_limit(error.limit, enough(error.used, error.budget))
        raised = replace(command, goal_id=goal.id, limits=(*kept, more))
        return (ChatStep(write(raised), "to raise the budget and go on"),)
    return ()


_OFFERED: Final = 2


def steps_for(goal: Goal) -> tuple[ChatStep, ...]:
    """Return the commands that fit where the goal stands."""
    if goal.is_finished:
        next_one = ChatStep("/goal TEXT", PURPOSES[GoalAction.CREATE])
        return (next_one, ChatStep(f"/goal history {goal.id}", "to see what happened"))
    return tuple(ChatStep(_command(action, goal), PURPOSES[action]) for action in fitting_actions(goal)[:_OFFERED])


def _command(action: GoalAction, goal: Goal) -> str:
    limits = [write_limit(*each) for each in (larger_limits(goal) if action is GoalAction.RESUME else {}).items()]
    # Nothing but the scope's active goal is meant where no id is named.
    named = "" if goal.is_active else f" {goal.id}"
    return " ".join([f"/goal {action}{named}", *(f"--budget {limit}" for limit in limits)])

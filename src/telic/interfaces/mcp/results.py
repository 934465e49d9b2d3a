"""Answers to calls: text for the model, data for programs. Everything that others wrote is quoted in both."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final

import mcp_types as types

from telic.domain.budget import LIMITS
from telic.domain.clock import time_to_json
from telic.domain.errors import GoalError
from telic.domain.goal import Goal
from telic.domain.lease import LeaseState
from telic.domain.views import CriterionStanding
from telic.prompt import quote
from telic.prompt.texts import show_criterion
from telic.services.chat.replies import GoalChange
from telic.services.insight import GoalDetails
from telic.services.outcomes import FailureKind, failure_kind

_TEXT_OR_NULL: Final = {"type": ["string", "null"]}
_AMOUNTS: Final = {"type": "object"}
_GOAL_SCHEMA: Final[dict[str, Any]] = {
    "type": ["object", "null"],
    "description": "The goal as it stands. Texts that somebody wrote are JSON strings in quotes, escaped.",
    "properties": {
        "id": {"type": "string"},
        "status": {"type": "string", "enum": ["active", "paused", "completed", "cleared"]},
        "reason": _TEXT_OR_NULL,
        "revision": {"type": "integer", "description": "What a report must name."},
        "text": {"type": "string"},
        "note": _TEXT_OR_NULL,
        "criteria": {"type": "array", "items": {"type": "string"}},
        "budget": _AMOUNTS,
        "usage": _AMOUNTS,
        "estimated_lines": {
            "type": "integer",
            "description": "How many lines of usage are estimates: where some are, more may be used than is told.",
        },
        "left": _AMOUNTS,
        "wake_at": _TEXT_OR_NULL,
        "wake_signal": _TEXT_OR_NULL,
        "created_at": {"type": "string"},
        "updated_at": {"type": "string"},
        "ended_at": _TEXT_OR_NULL,
    },
    "required": ["id", "status", "revision", "text", "criteria", "budget", "usage", "left"],
}
OUTCOMES: Final = (
    "shown",
    "listed",
    "none",
    "created",
    "recorded",
    "changed",
    "unchanged",
    "refused",
    "failed",
    "unknown",
)
OUTPUT_SCHEMA: Final[dict[str, Any]] = {
    "type": "object",
    "properties": {
        "outcome": {
            "type": "string",
            "enum": list(OUTCOMES),
            "description": "What became of the call; refused and failed ones changed nothing.",
        },
        "goal": _GOAL_SCHEMA,
        "goals": {"type": "array", "items": {"type": "object"}, "description": "The goals that were listed."},
        "next_cursor": _TEXT_OR_NULL,
        "superseded": {"type": ["object", "null"], "description": "The goal that was paused for it."},
        "changes": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {
                    "goal_id": {"type": "string"},
                    "name": {"type": "string"},
                    "before": _TEXT_OR_NULL,
                    "after": _TEXT_OR_NULL,
                },
                "required": ["goal_id", "name", "before", "after"],
            },
            "description": "What is different now.",
        },
        "message": {
            "type": "string",
            "description": "What the call came to, in full.",
        },
        "checks": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {
                    "criterion": {"type": "integer", "description": "Counted from 1."},
                    "text": {"type": "string"},
                    "outcome": {"type": "string"},
                    "why": _TEXT_OR_NULL,
                    "output_tail": _TEXT_OR_NULL,
                },
                "required": ["criterion", "text", "outcome", "why", "output_tail"],
            },
            "description": "passed, failed, error, pending, approved, rejected or not checked, for each criterion.",
        },
        "driver": {**_TEXT_OR_NULL, "description": "The worker that drives the goal, if any does."},
        "due_in_microseconds": {"type": "integer", "description": "When its next step is due; 0 for now."},
        "held": {**_AMOUNTS, "description": "What open holds reserve."},
        "uncertain": {**_AMOUNTS, "description": "What expired holds had reserved, and nobody has counted yet."},
        "estimated": {**_AMOUNTS, "description": "The part of the usage that is not known, but estimated."},
        "source": {
            "type": ["object", "null"],
            "properties": {"store": {"type": "string"}, "scope": {"type": "string"}},
            "description": "Where get_goal has looked.",
        },
        "next": {"type": "array", "items": {"type": "string"}, "description": "What to do next."},
        "error": {
            "type": ["object", "null"],
            "properties": {
                "code": {"type": "string"},
                "message": {"type": "string"},
                "is_retryable": {"type": "boolean"},
                "key": _TEXT_OR_NULL,
            },
        },
    },
    "required": ["outcome", "message", "goal", "checks", "changes", "next"],
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolAnswer:
    """The outcome of a call. `text` says it to a model; what others wrote is quoted in it already."""

    outcome: str
    text: str
    goal: Goal | None = None
    goals: tuple[LeaseState, ...] = ()
    next_cursor: str | None = None
    superseded: Goal | None = None
    changes: tuple[GoalChange, ...] = ()
    details: GoalDetails | None = None
    source: Mapping[str, str] | None = None
    next: tuple[str, ...] = ()
    error: GoalError | None = None

    def as_result(self) -> types.CallToolResult:
        """Return the answer as the protocol carries it."""
        return types.CallToolResult(
            content=[types.TextContent(type="text", text=self._whole_text())],
            structured_content=self._as_dict(),
            is_error=self.error is not None,
        )

    def _whole_text(self) -> str:
        lines = [self.text, *map(_show_change, self.changes)]
        if self.superseded is not None:
            lines.append(f"Goal {plainly(self.superseded.id)} was paused for it: {quote(self.superseded.text)}")
        return "\n".join([*lines, *(f"- {step}" for step in self.next)])

    def _as_dict(self) -> dict[str, Any]:
        return {
            "outcome": self.outcome,
            "message": self.text,
            "goal": self.goal and goal_data(self.goal),
            "goals": [goal_data(each.goal) | {"driver": _plain_or_none(each.holder)} for each in self.goals],
            "next_cursor": self.next_cursor,
            "superseded": self.superseded and goal_data(self.superseded),
            "changes": [_change_data(change) for change in self.changes],
            **_details_data(self.details),
            "source": self.source and {name: plainly(value) for name, value in self.source.items()},
            "next": list(self.next),
            "error": self.error and _error_data(self.error),
        }


def plainly(name: str) -> str:
    """Return the name as it is, to be given back; one that could be mistaken for more comes quoted."""
    quoted = quote(name)
    return name if quoted == f'"{name}"' and " " not in name else quoted


def goal_data(goal: Goal) -> dict[str, Any]:
    """Return the goal as data for a model's host, without its scope; what others wrote is quoted."""
    usage, budget = goal.usage.as_dict(), goal.budget.as_dict()
    return {
        "id": plainly(goal.id),
        "status": goal.status.value,
        "reason": goal.reason and goal.reason.value,
        "revision": goal.revision,
        "text": quote(goal.text),
        "note": _quoted(goal.note),
        "criteria": [show_criterion(criterion) for criterion in goal.criteria],
        "budget": budget,
        "usage": usage,
        "estimated_lines": goal.estimated_lines,
        "left": {name: max(0, limit - usage[name]) for name in LIMITS if (limit := budget[name]) is not None},
        "wake_at": time_to_json(goal.wake_at),
        "wake_signal": _quoted(goal.wake_signal),
        "created_at": time_to_json(goal.created_at),
        "updated_at": time_to_json(goal.updated_at),
        "ended_at": time_to_json(goal.ended_at),
    }


def _details_data(details: GoalDetails | None) -> dict[str, Any]:
    """What is known of a goal beside its row; where a call did not look, nothing."""
    if details is None:
        return {"checks": []}
    lease, total = details.lease, details.total
    return {
        "checks": [_check_data(each) for each in details.criteria],
        "driver": _plain_or_none(lease.holder),
        "due_in_microseconds": lease.due_in_microseconds,
        **{name: asdict(getattr(total, name)) for name in ("held", "uncertain", "estimated")},
    }


def _plain_or_none(name: str | None) -> str | None:
    return None if name is None else plainly(name)


def _check_data(check: CriterionStanding) -> dict[str, Any]:
    verdict = check.verdict
    return {
        "criterion": check.number,
        "text": show_criterion(check.criterion),
        "outcome": check.outcome,
        "why": _quoted("; ".join(check.why) or None),
        "output_tail": _quoted(verdict.output_tail or None) if verdict else None,
    }


def _quoted(text: str | None) -> str | None:
    return None if text is None else quote(text)


def _change_data(change: GoalChange) -> dict[str, Any]:
    return {
        "goal_id": plainly(change.goal_id),
        "name": change.name,
        "before": _quoted(change.before),
        "after": _quoted(change.after),
    }


def _show_change(change: GoalChange) -> str:
    return f"{change.name}: {_quoted(change.before) or 'none'} → {_quoted(change.after) or 'none'}"


def _error_data(error: GoalError) -> dict[str, Any]:
    key = getattr(error, "key", None)
    return {
        "code": error.code,
        "message": quote(str(error)),
        "is_retryable": error.retryable,
        "key": plainly(key) if isinstance(key, str) else None,
    }


def refusal(error: GoalError, goal: Goal | None = None) -> ToolAnswer:
    """Return the answer to a call that could not be done."""
    kind, said = failure_kind(error), quote(str(error))
    match kind:
        case FailureKind.REFUSED:
            return ToolAnswer(outcome=kind, text=f"Nothing changed: {said}", goal=goal, error=error)
        case FailureKind.UNKNOWN:
            key = quote(getattr(error, "key", None) or "")
            advice = f"It may or may not have been done. Repeat the call with the key {key}: it happens once."
        case FailureKind.FAILED if error.retryable:
            advice = "Nothing was written. Repeat the call later."
        case FailureKind.FAILED:
            advice = "Nothing was written. Tell the user: the goals' store needs attention."
    return ToolAnswer(outcome=kind, text=f"The store failed: {said}", next=(advice,), error=error)

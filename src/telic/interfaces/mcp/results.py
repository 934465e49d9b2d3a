"""Answers to calls: text for the model, data for programs. Everything that others wrote is quoted in both."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

import mcp_types as types

from telic.domain.budget import LIMITS
from telic.domain.errors import GoalError
from telic.domain.goal import Goal, GoalStatus
from telic.domain.lease import LeaseState
from telic.domain.views import CriterionStanding
from telic.prompt import quote
from telic.prompt.texts import show_criterion
from telic.services.chat.replies import GoalChange
from telic.services.insight import GoalDetails
from telic.services.next_steps import Effect, effect_of, next_for_model

Schema = Mapping[str, Any]


def _fields(description: str, *, types: Sequence[str] = ("object",), **fields: Schema) -> Schema:
    """Return an object, or null where `types` says so, that has all of these fields."""
    kind = {"type": list(types) if len(types) > 1 else types[0], "description": description}
    return {**kind, "properties": fields, "required": list(fields)}


def _list_of(items: Schema, description: str) -> Schema:
    return {"type": "array", "items": items, "description": description}


_OR_NULL: Final = ("object", "null")
_TEXT: Final = {"type": "string"}
_INTEGER: Final = {"type": "integer"}
_TEXT_OR_NULL: Final = {"type": ["string", "null"]}
_AMOUNTS: Final = {"type": "object"}
_GOAL: Final = _fields(
    "The goal as it stands. Texts that somebody wrote are JSON strings in quotes, escaped.",
    types=_OR_NULL,
    id=_TEXT,
    status={**_TEXT, "enum": list(map(str, GoalStatus))},
    reason=_TEXT_OR_NULL,
    revision={**_INTEGER, "description": "What a report must name."},
    text=_TEXT,
    note=_TEXT_OR_NULL,
    criteria={"type": "array", "items": _TEXT},
    budget=_AMOUNTS,
    usage=_AMOUNTS,
    estimated_lines={
        **_INTEGER,
        "description": "How many lines of usage are estimates: where some are, more may be used than is told.",
    },
    left=_AMOUNTS,
    wake_at=_TEXT_OR_NULL,
    wake_signal=_TEXT_OR_NULL,
    created_at=_TEXT,
    updated_at=_TEXT,
    ended_at=_TEXT_OR_NULL,
)
_CHANGE: Final = _fields("One field.", goal_id=_TEXT, name=_TEXT, before=_TEXT_OR_NULL, after=_TEXT_OR_NULL)
_CHECK: Final = _fields(
    "One criterion.",
    criterion={**_INTEGER, "description": "Counted from 1."},
    text=_TEXT,
    outcome=_TEXT,
    why=_TEXT_OR_NULL,
    output_tail=_TEXT_OR_NULL,
)
_SOURCE: Final = _fields("Where get_goal has looked.", types=_OR_NULL, store=_TEXT, scope=_TEXT)
_ERROR: Final = _fields(
    "Why the call was not done.",
    types=_OR_NULL,
    code=_TEXT,
    message=_TEXT,
    is_retryable={"type": "boolean"},
    key=_TEXT_OR_NULL,
)
_OUTCOMES: Final = [
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
]
_WHAT_BECAME: Final = "What became of the call; refused and failed ones changed nothing."
_OUTCOMES_OF_CHECKS: Final = "passed, failed, error, pending, approved, rejected or not checked, for each criterion."
OUTPUT_SCHEMA: Final[dict[str, Any]] = {
    "type": "object",
    "properties": {
        "outcome": {**_TEXT, "enum": _OUTCOMES, "description": _WHAT_BECAME},
        "goal": _GOAL,
        "goals": _list_of({"type": "object"}, "The goals that were listed."),
        "next_cursor": _TEXT_OR_NULL,
        "superseded": {"type": list(_OR_NULL), "description": "The goal that was paused for it."},
        "changes": _list_of(_CHANGE, "What is different now."),
        "message": {**_TEXT, "description": "What the call came to, in full."},
        "checks": _list_of(_CHECK, _OUTCOMES_OF_CHECKS),
        "worker": {**_TEXT_OR_NULL, "description": "The worker that drives the goal, if any does."},
        "due_in_microseconds": {**_INTEGER, "description": "When its next step is due; 0 for now."},
        "held": {**_AMOUNTS, "description": "What open holds reserve."},
        "uncertain": {**_AMOUNTS, "description": "What expired holds had reserved, and nobody has counted yet."},
        "estimated": {**_AMOUNTS, "description": "The part of the usage that is not known, but estimated."},
        "source": _SOURCE,
        "next": _list_of(_TEXT, "What to do next."),
        "error": _ERROR,
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
            lines.append(
                f"Goal {quote_if_ambiguous(self.superseded.id)} was paused for it: {quote(self.superseded.text)}"
            )
        return "\n".join([*lines, *(f"- {step}" for step in self.next)])

    def _as_dict(self) -> dict[str, Any]:
        return {
            "outcome": self.outcome,
            "message": self.text,
            "goal": self.goal and goal_data(self.goal),
            "goals": [goal_data(each.goal) | {"worker": _plain_or_none(each.worker)} for each in self.goals],
            "next_cursor": self.next_cursor,
            "superseded": self.superseded and goal_data(self.superseded),
            "changes": [
                {
                    "goal_id": quote_if_ambiguous(each.goal_id),
                    "name": each.name,
                    "before": _quoted(each.before),
                    "after": _quoted(each.after),
                }
                for each in self.changes
            ],
            **_details_data(self.details),
            "source": self.source and {name: quote_if_ambiguous(value) for name, value in self.source.items()},
            "next": list(self.next),
            "error": self.error and _error_data(self.error),
        }


def quote_if_ambiguous(name: str) -> str:
    """Return the name as the model must give it back; quoted if it could be read as anything but one name."""
    quoted = quote(name)
    return name if quoted == f'"{name}"' and " " not in name else quoted


def goal_data(goal: Goal) -> dict[str, Any]:
    """Return the goal as data for a model's host, without its scope; what others wrote is quoted."""
    data = goal.to_json()
    usage, budget = data["usage"], data["budget"]
    written = {"text": quote(goal.text), "note": _quoted(goal.note), "wake_signal": _quoted(goal.wake_signal)}
    return {
        **{name: value for name, value in data.items() if name not in ("scope", "billing")},
        **written,
        "id": quote_if_ambiguous(goal.id),
        "criteria": [show_criterion(criterion) for criterion in goal.criteria],
        "left": {name: max(0, limit - usage[name]) for name in LIMITS if (limit := budget[name]) is not None},
    }


def _details_data(details: GoalDetails | None) -> dict[str, Any]:
    # Where a call did not look, nothing is said: an empty list of holds would say that there are none.
    if details is None:
        return {"checks": []}
    lease, total = details.lease, details.total
    return {
        "checks": [_check_data(each) for each in details.criteria],
        "worker": _plain_or_none(lease.worker),
        "due_in_microseconds": lease.due_in_microseconds,
        **{name: asdict(getattr(total, name)) for name in ("held", "uncertain", "estimated")},
    }


def _plain_or_none(name: str | None) -> str | None:
    return None if name is None else quote_if_ambiguous(name)


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


def _show_change(change: GoalChange) -> str:
    return f"{change.name}: {_quoted(change.before) or 'none'} → {_quoted(change.after) or 'none'}"


def _error_data(error: GoalError) -> dict[str, Any]:
    key = getattr(error, "key", None)
    return {
        "code": error.code,
        "message": quote(str(error)),
        "is_retryable": error.retryable,
        "key": quote_if_ambiguous(key) if isinstance(key, str) else None,
    }


def refusal(error: GoalError, goal: Goal | None = None) -> ToolAnswer:
    """Return the answer to a call that could not be done, with what to do about it."""
    effect = effect_of(error)
    began = "Nothing changed" if effect is Effect.REFUSED else "The store failed"
    text = f"{began}: {quote(str(error))}"
    return ToolAnswer(outcome=effect, text=text, next=(next_for_model(error),), goal=goal, error=error)

"""JSON Schemas of requests and of answers: the same ones are documented and checked.

A request that does not match is answered with 400. What matches and is unusable all the same is the store's to refuse.
The shapes of answers are those of `docs/reference/shapes.md`; fields may be added to them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass
from enum import StrEnum
from types import NoneType
from typing import Any, Final, cast, get_args, get_type_hints

from telic.domain.budget import LIMITS, MODEL_COUNTERS, TURN_COUNTERS, BillingPolicy, TurnUsage, Usage
from telic.domain.clock import Instant
from telic.domain.criteria import MAX_CRITERIA, MAX_TIMEOUT_SECONDS, CriterionKind
from telic.domain.events import Event, Turn
from telic.domain.goal import GoalStatus, Reason
from telic.domain.lease import Hold
from telic.domain.limits import MAX_COUNTER, MAX_NAME_CHARS, MAX_NOTE_CHARS, MAX_PAGE, MAX_TTL_SECONDS
from telic.domain.report import Estimated, Reserved, UsageGrouping, UsageSum
from telic.domain.verdict import Outcome
from telic.domain.views import NOT_CHECKED
from telic.services.json_schema import Schema


def integer(minimum: int = 0, maximum: int = MAX_COUNTER, **more: Any) -> Schema:
    """Return a whole number from `minimum` to `maximum`."""
    return {"type": "integer", "minimum": minimum, "maximum": maximum, **more}


def text(max_chars: int, min_chars: int = 0, **more: Any) -> Schema:
    """Return a text of so many characters."""
    return {"type": "string", "minLength": min_chars, "maxLength": max_chars, **more}


def name(description: str) -> Schema:
    """Return a scope, a key, or somebody's name."""
    return text(MAX_NAME_CHARS, 1, description=description)


def one_of(values: Sequence[str], **more: Any) -> Schema:
    """Return one of these words."""
    return {"type": "string", "enum": [str(value) for value in values], **more}


def array(items: Schema, max_items: int, min_items: int = 0) -> Schema:
    """Return a list of so many of these."""
    return {"type": "array", "items": items, "minItems": min_items, "maxItems": max_items}


def strict_object(properties: Mapping[str, Schema], required: Sequence[str] = (), **more: Any) -> Schema:
    """Return an object with these fields and no others."""
    fields = {"properties": dict(properties), "required": list(required), "additionalProperties": False}
    return {"type": "object", **fields, **more}


def or_null(schema: Schema) -> Schema:
    """Return the same, or null."""
    return {**schema, "type": [schema["type"], "null"]}


GOAL_ID: Final = {
    "type": "string",
    "pattern": "^[0-9a-fA-F-]{8,36}$",
    "description": "A goal's id, or its first or last 8 or more characters where they are no other's.",
}
IDEMPOTENCY_KEY: Final = {
    "type": "string",
    "pattern": f"^[!-~]{{1,{MAX_NAME_CHARS}}}$",
    "description": "Makes the call happen once, however often it is repeated.",
}
IF_MATCH: Final = {
    "type": "string",
    "pattern": '^([*]|"[0-9]{1,15}([.][0-9a-f]{1,64})?")$',
    "description": "The goal's ETag, of which the revision counts, or `*` for any revision.",
    "examples": ["*", '"7"'],
}
TIME: Final = {
    "type": "string",
    "pattern": (
        "^(19[7-9][0-9]|2[01][0-9]{2})-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]"
        r"(\.[0-9]{1,6})?(Z|[+-]([01][0-9]|2[0-3]):[0-5][0-9])$"
    ),
    "description": "A time as RFC 3339: 2026-12-31T18:00:00Z.",
}
SCOPE: Final = name("The owner of goals: a thread, a project, a user.")
WORKER: Final = name("The worker: a name of its own, as host/process.")
NOTE: Final = text(MAX_NOTE_CHARS, description="A free remark, kept in the history.")
REPLACE: Final = {
    "type": "boolean",
    "description": "Pause the scope's active goal for this one, also where a worker drives it; else `would_replace`.",
}
LIMIT: Final = integer(1, MAX_PAGE, description="The longest page.")
CURSOR: Final = text(16_000, 1, description="Go on after the page that gave this cursor, unchanged.")
AFTER_NUMBER: Final = integer(description="Only those with a higher number.")
TTL: Final = {
    "type": "number",
    "minimum": 0.001,
    "maximum": MAX_TTL_SECONDS,
    "description": "It lasts so many seconds unless it is renewed or used.",
}
COUNTS: Final[Mapping[str, Schema]] = {each: integer() for each in LIMITS}
BUDGET: Final = strict_object(
    {each: or_null(integer(1)) for each in LIMITS},
    description="Limits on usage; what is null or left out has none. Microseconds, and millionths of the currency.",
)
TURN_USAGE: Final = strict_object(
    {each: integer() for each in TURN_COUNTERS}, description="What a turn consumed; the budget counts `tokens`."
)
MODEL_USAGE: Final = strict_object(
    {each: integer() for each in MODEL_COUNTERS},
    description="What a model's responses consumed; the goal's billing says how much of it counts.",
)
SHOWN_LEASE: Final[Mapping[str, Schema]] = {
    "worker": WORKER,
    "token": integer(description="The token that the claim gave."),
}
LEASE: Final = strict_object(SHOWN_LEASE, list(SHOWN_LEASE), description="Refuse unless this lease is kept.")
CRITERION: Final = strict_object(
    {
        "kind": one_of(list(CriterionKind)),
        "argv": array(text(MAX_NOTE_CHARS), 1_000),
        "question": text(MAX_NOTE_CHARS),
        "folder": or_null(text(MAX_NOTE_CHARS)),
        "timeout_seconds": or_null(integer(1, MAX_TIMEOUT_SECONDS)),
        "shell": {"type": "boolean"},
    },
    ["kind"],
    description="A command that must exit with 0, a question that a judge must affirm, or what a person must approve.",
)
CRITERIA: Final = array(CRITERION, MAX_CRITERIA)


_TEXT: Final[Schema] = {"type": "string"}
_INTEGER: Final[Schema] = {"type": "integer"}
_FLAG: Final[Schema] = {"type": "boolean"}
_COUNT: Final[Schema] = {"type": "integer", "minimum": 0}
_TIME: Final[Schema] = {"type": "string", "format": "date-time"}
_OBJECT: Final[Schema] = {"type": "object"}


def open_object(properties: Mapping[str, Schema]) -> Schema:
    """Return an object that has all of these fields, and perhaps others in a later release."""
    return {"type": "object", "properties": dict(properties), "required": list(properties)}


def list_of(item: Schema) -> Schema:
    """Return a list of these."""
    return {"type": "array", "items": item}


def shape(name: str) -> Schema:
    """Return the shape of this name, by reference."""
    return {"$ref": f"#/components/schemas/{name}"}


GOAL: Final = shape("goal")


def _counts(names: Sequence[str]) -> Schema:
    return open_object(dict.fromkeys(names, _COUNT))


_LEASE_COUNTS: Final = ("token", "expires_in_microseconds", "due_in_microseconds")


def _fields_of(kind: type[Any]) -> Schema:
    """Return an object that has the fields of the dataclass."""
    types = get_type_hints(kind)
    return open_object({field.name: _of_type(types[field.name]) for field in fields(kind)})


def _of_type(kind: Any) -> Schema:
    if NoneType in get_args(kind):
        return or_null(_of_type(next(each for each in get_args(kind) if each is not NoneType)))
    if kind in _TYPES:
        return _TYPES[kind]
    if isinstance(kind, type) and is_dataclass(kind):
        return _fields_of(kind)
    return one_of(list(cast("type[StrEnum]", kind)))


_TYPES: Final[Mapping[Any, Schema]] = {
    str: _TEXT,
    int: _COUNT,
    bool: _FLAG,
    Instant: _TIME,
    Mapping[str, Any]: _OBJECT,
    # What a line takes back is below zero.
    TurnUsage: open_object(dict.fromkeys(TURN_COUNTERS, _INTEGER)),
}

SHAPES: Final[Mapping[str, Schema]] = {
    "goal": open_object(
        {
            "id": _TEXT,
            "scope": _TEXT,
            "text": _TEXT,
            "status": one_of(list(GoalStatus)),
            "reason": {"type": ["string", "null"], "enum": [*map(str, Reason), None]},
            "note": or_null(_TEXT),
            "revision": _COUNT,
            "criteria": list_of({**CRITERION, "additionalProperties": True}),
            "budget": {**BUDGET, "required": list(LIMITS), "additionalProperties": True},
            "usage": _counts(tuple(Usage().as_dict())),
            "estimated_lines": _COUNT,
            "billing": one_of(list(BillingPolicy)),
            "wake_at": or_null(_TIME),
            "wake_signal": or_null(_TEXT),
            "created_at": _TIME,
            "updated_at": _TIME,
            "ended_at": or_null(_TIME),
        }
    ),
    "event": _fields_of(Event),
    "feed_event": open_object({"cursor": _TEXT, "scope": _TEXT, "event": shape("event")}),
    "turn": _fields_of(Turn),
    "hold": _fields_of(Hold),
    "details": {
        "allOf": [
            GOAL,
            open_object(
                {
                    "lease": shape("lease_state"),
                    "held": _fields_of(Reserved),
                    "uncertain": _fields_of(Reserved),
                    "estimated": _fields_of(Estimated),
                    "checks": list_of(
                        open_object(
                            {
                                "number": _COUNT,
                                "criterion": {**CRITERION, "additionalProperties": True},
                                "outcome": one_of((*Outcome, "approved", "rejected", NOT_CHECKED)),
                                "verdict": or_null(_OBJECT),
                                "approval": or_null(_OBJECT),
                                "pending": _FLAG,
                            }
                        )
                    ),
                }
            ),
        ]
    },
    "lease": open_object({"goal": GOAL, "worker": _TEXT, "token": _COUNT}),
    "lease_state": open_object({"worker": or_null(_TEXT), **dict.fromkeys(_LEASE_COUNTS, _COUNT)}),
    "sum": _fields_of(UsageSum),
    "report": open_object(
        {
            "by": one_of(list(UsageGrouping)),
            "groups": list_of({"allOf": [shape("sum"), open_object({"name": or_null(_TEXT)})]}),
            "left_out": _COUNT,
            "total": shape("sum"),
        }
    ),
    "problem": open_object(
        {
            **dict.fromkeys(("type", "title", "detail", "code"), _TEXT),
            "status": _COUNT,
            "retryable": _FLAG,
            "hint": or_null(_TEXT),
        }
    ),
}

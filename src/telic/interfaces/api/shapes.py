"""The shapes of answers: those of `docs/reference/shapes.md`, as JSON Schemas. Fields may be added to them."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from telic.domain.budget import LIMITS, TURN_COUNTERS, BillingPolicy, Usage, UsageKind
from telic.domain.events import EventKind
from telic.domain.goal import Actor, GoalStatus, Reason
from telic.domain.lease import HoldState
from telic.domain.report import UsageGrouping
from telic.domain.verdict import Outcome
from telic.domain.views import NOT_CHECKED
from telic.interfaces.api.schema import BUDGET, CRITERION, Schema

_TEXT: Final[Schema] = {"type": "string"}
_INTEGER: Final[Schema] = {"type": "integer"}
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


def _or_null(schema: Schema) -> Schema:
    return {**schema, "type": [schema["type"], "null"]}


def _words(values: Sequence[str]) -> Schema:
    return {"type": "string", "enum": [str(value) for value in values]}


def _counts(names: Sequence[str]) -> Schema:
    return open_object(dict.fromkeys(names, _COUNT))


_RESERVED: Final = ("tokens", "active_microseconds", "cost_microunits")

SHAPES: Final[Mapping[str, Schema]] = {
    "goal": open_object(
        {
            "id": _TEXT,
            "scope": _TEXT,
            "text": _TEXT,
            "status": _words(list(GoalStatus)),
            "reason": {"type": ["string", "null"], "enum": [*map(str, Reason), None]},
            "note": _or_null(_TEXT),
            "revision": _COUNT,
            "criteria": list_of({**CRITERION, "additionalProperties": True}),
            "budget": {**BUDGET, "required": list(LIMITS), "additionalProperties": True},
            "usage": _counts(tuple(Usage().as_dict())),
            "estimated_lines": _COUNT,
            "billing": _words(list(BillingPolicy)),
            "wake_at": _or_null(_TIME),
            "wake_signal": _or_null(_TEXT),
            "created_at": _TIME,
            "updated_at": _TIME,
            "ended_at": _or_null(_TIME),
        }
    ),
    "event": open_object(
        {
            "goal_id": _TEXT,
            "number": _COUNT,
            "revision": _COUNT,
            "kind": _words(list(EventKind)),
            "actor": _words(list(Actor)),
            "at": _TIME,
            "key": _or_null(_TEXT),
            "data": _OBJECT,
            "hash": _TEXT,
        }
    ),
    "feed_event": open_object({"cursor": _TEXT, "scope": _TEXT, "event": shape("event")}),
    "turn": open_object(
        {
            "goal_id": _TEXT,
            "number": _COUNT,
            "key": _TEXT,
            "at": _TIME,
            "usage": open_object(dict.fromkeys(TURN_COUNTERS, _INTEGER)),
            "kind": _words(list(UsageKind)),
            "model": _or_null(_TEXT),
            "is_estimate": {"type": "boolean"},
            "takes_back": _or_null(_COUNT),
            "hash": _TEXT,
        }
    ),
    "hold": open_object(
        {
            "goal_id": _TEXT,
            "key": _TEXT,
            "reserved": _counts(LIMITS),
            "placed_at": _TIME,
            "expires_at": _or_null(_TIME),
            "state": _words(list(HoldState)),
            "turn_key": _or_null(_TEXT),
            "frees_on_expiry": {"type": "boolean"},
        }
    ),
    "details": {
        "allOf": [
            shape("goal"),
            open_object(
                {
                    "lease": shape("lease_state"),
                    "held": _counts(("holds", *_RESERVED)),
                    "uncertain": _counts(("holds", *_RESERVED)),
                    "estimated": _counts(("lines", *_RESERVED)),
                    "checks": list_of(
                        open_object(
                            {
                                "number": _COUNT,
                                "criterion": {**CRITERION, "additionalProperties": True},
                                "outcome": _words((*Outcome, "approved", "rejected", NOT_CHECKED)),
                                "verdict": _or_null(_OBJECT),
                                "approval": _or_null(_OBJECT),
                                "pending": {"type": "boolean"},
                            }
                        )
                    ),
                }
            ),
        ]
    },
    "lease": open_object({"goal": shape("goal"), "holder": _TEXT, "token": _COUNT}),
    "lease_state": open_object(
        {
            "holder": _or_null(_TEXT),
            "token": _COUNT,
            "expires_in_microseconds": _COUNT,
            "due_in_microseconds": _COUNT,
        }
    ),
    "sum": open_object(
        {
            "lines": _COUNT,
            "usage": _counts(tuple(Usage().as_dict())),
            "estimated": _counts(("lines", *_RESERVED)),
            "held": _counts(("holds", *_RESERVED)),
            "uncertain": _counts(("holds", *_RESERVED)),
        }
    ),
    "report": open_object(
        {
            "by": _words(list(UsageGrouping)),
            "groups": list_of({"allOf": [shape("sum"), open_object({"name": _or_null(_TEXT)})]}),
            "left_out": _COUNT,
            "total": shape("sum"),
        }
    ),
    "problem": open_object(
        {
            "type": _TEXT,
            "title": _TEXT,
            "status": _COUNT,
            "detail": _TEXT,
            "code": _TEXT,
            "retryable": {"type": "boolean"},
        }
    ),
}


def components() -> dict[str, Any]:
    """Return the shapes, as the document has them."""
    return {"schemas": dict(SHAPES)}

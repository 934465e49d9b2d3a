"""The parameters and parts of bodies that several operations have."""

from collections.abc import Mapping
from typing import Final

from telic.domain.budget import LIMITS, MODEL_COUNTERS, TURN_COUNTERS
from telic.domain.criteria import MAX_CRITERIA, MAX_TIMEOUT_SECONDS, CriterionKind
from telic.domain.limits import MAX_NAME_CHARS, MAX_NOTE_CHARS, MAX_PAGE, MAX_TTL_SECONDS
from telic.interfaces.api.schema import Schema, array, integer, name, one_of, or_null, strict_object, text

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
HOLDER: Final = name("The worker: a name of its own, as host/process.")
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
LEASE: Final = strict_object(
    {"holder": HOLDER, "token": integer(description="The token that the claim gave.")},
    ["holder", "token"],
    description="Refuse unless this lease is kept.",
)
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

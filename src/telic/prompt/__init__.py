"""The texts in which a model reads of a goal, and the escaping that every author's word passes."""

from telic.prompt.escape import quote, visible
from telic.prompt.texts import (
    SHORT_START,
    FailedCriterion,
    blocked_audit,
    continuation,
    feedback,
    former_turn,
    place_after_prefix,
    render,
    review,
    short_continuation,
    short_feedback,
    short_wind_down,
    wind_down,
)

__all__ = [
    "SHORT_START", "FailedCriterion", "blocked_audit", "continuation", "feedback", "former_turn",
    "place_after_prefix", "quote", "render", "review", "short_continuation", "short_feedback", "short_wind_down",
    "visible", "wind_down",
]  # fmt: skip

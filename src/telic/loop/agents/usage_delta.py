"""Conversations whose command reports what all of their turns have used, from which one turn's share is told.

Codex and Claude Code restore a resumed conversation's counters and report its sum. Billed as it is, each turn would
pay for all turns before it. So the sum at the end of a turn travels in the session text, beside the command's own id.
"""

import re
from dataclasses import dataclass
from typing import Final

from telic.domain.budget import MODEL_COUNTERS, ModelUsage
from telic.domain.errors import InvalidNumber

_SESSION: Final = re.compile(r"([A-Za-z0-9][A-Za-z0-9._:-]{0,199})(?: used ([0-9]{1,16}(?:,[0-9]{1,16}){5}))?")


@dataclass(frozen=True, slots=True)
class CumulativeSession:
    """A conversation's id, and what it had used; None where that is unknown, as for one that others began."""

    id: str
    used: ModelUsage | None = None

    def __str__(self) -> str:
        if self.used is None:
            return self.id
        return f"{self.id} used {','.join(str(getattr(self.used, name)) for name in MODEL_COUNTERS)}"


def read_session(text: str | None) -> CumulativeSession | None:
    """The session that the text names, or None: an id never begins like an option."""
    match = None if text is None else _SESSION.fullmatch(text)
    if match is None:
        return None
    if match[2] is None:
        return CumulativeSession(match[1])
    try:
        return CumulativeSession(
            match[1], ModelUsage(**dict(zip(MODEL_COUNTERS, map(int, match[2].split(",")), strict=True)))
        )
    except InvalidNumber:
        return CumulativeSession(match[1])


def used_since(before: ModelUsage, total: ModelUsage) -> ModelUsage:
    """What was used after `before`. A count that fell began anew from 0: then the total is all of it."""
    counts = {name: getattr(total, name) - getattr(before, name) for name in MODEL_COUNTERS}
    try:
        return ModelUsage(**counts)
    except InvalidNumber:
        return total

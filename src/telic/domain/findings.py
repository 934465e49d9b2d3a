"""What a check of a store found."""

from dataclasses import dataclass
from enum import StrEnum


class Level(StrEnum):
    """How bad a finding is."""

    OK = "ok"
    WARNING = "warning"
    PROBLEM = "problem"


@dataclass(frozen=True, slots=True)
class Finding:
    """One result of one check; `advice` says what to do about it."""

    check: str
    level: Level
    message: str
    advice: str | None = None


def make_finding(check: str, is_good: bool, message: str, advice: str, *, level: Level = Level.PROBLEM) -> Finding:
    """Return an `ok` finding if all is good, else one of the given level with its advice."""
    return Finding(check, Level.OK, message) if is_good else Finding(check, level, message, advice)

"""Reports: the ledger added up by goal, scope, kind, model or day; and the findings of a check of a store."""

from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from enum import StrEnum
from typing import Final

from telic.domain.budget import USAGE_COUNTERS, Usage
from telic.domain.clock import Instant
from telic.domain.errors import InvalidInput, InvalidNumber
from telic.domain.ids import check_id
from telic.domain.limits import check_counter, check_instant, check_name

MAX_GROUPS: Final = 100_000


class UsageGrouping(StrEnum):
    """By what a report adds up: a day is one in UTC, in which the turn was recorded."""

    GOAL = "goal"
    SCOPE = "scope"
    KIND = "kind"
    MODEL = "model"
    DAY = "day"


@dataclass(frozen=True, slots=True)
class Reserved:
    """The sum of what some holds reserve, or had reserved."""

    holds: int = 0
    tokens: int = 0
    active_microseconds: int = 0
    cost_microunits: int = 0


@dataclass(frozen=True, slots=True)
class Estimated:
    """The sum of some estimates in the ledger, without those that were taken back."""

    lines: int = 0
    tokens: int = 0
    active_microseconds: int = 0
    cost_microunits: int = 0


@dataclass(frozen=True, slots=True)
class UsageSum:
    """Lines of the ledger added up: `lines` of them, of which `usage.turns` are turns of the agent.

    The sums are exact, however large. `estimated` is the part of them that is not known. In a report by goal, `held`
    is what open holds reserve now, and `uncertain` what expired ones had reserved that are not in the ledger: nobody
    said what their model calls consumed, if anything.
    """

    lines: int = 0
    usage: Usage = field(default_factory=Usage)
    estimated: Estimated = field(default_factory=Estimated)
    held: Reserved = field(default_factory=Reserved)
    uncertain: Reserved = field(default_factory=Reserved)


@dataclass(frozen=True, slots=True)
class UsageGroup:
    """The sum of one goal (its id), scope, kind, model (None where none was named) or day (as `2026-12-31`)."""

    name: str | None
    sum: UsageSum


@dataclass(frozen=True, slots=True)
class UsageReport:
    """The largest groups and the sum of all of them, those that were left out included.

    The group with the most tokens comes first; days come in their order, and the latest are kept.
    """

    by: UsageGrouping
    groups: tuple[UsageGroup, ...]
    left_out: int
    total: UsageSum


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageFilter:
    """The lines that a report adds up: of one goal, one scope or all, recorded from `since` on and before `until`.

    Raises:
        InvalidInput: a part of it is unusable.
    """

    by: UsageGrouping
    scope: str | None = None
    goal_id: str | None = None
    since: Instant | None = None
    until: Instant | None = None
    limit: int = MAX_GROUPS

    def __post_init__(self) -> None:
        if self.scope is not None and self.goal_id is not None:
            raise InvalidInput("give a goal or a scope, not both")
        if self.scope is not None:
            check_name("scope", self.scope)
        if self.goal_id is not None:
            check_id(self.goal_id)
        check_instant("since", self.since)
        check_instant("until", self.until)
        if not 1 <= check_counter("limit", self.limit) <= MAX_GROUPS:
            raise InvalidNumber(f"limit must be from 1 to {MAX_GROUPS}")

    @property
    def is_of_all_time(self) -> bool:
        """Whether no line is left out for its time."""
        return self.since is None and self.until is None


class UsageTally:
    """Adds up by name, in plain numbers: there may be as many names as there are goals."""

    def __init__(self) -> None:
        self._sums: dict[str | None, list[int]] = {}

    def add_lines(self, name: str | None, numbers: Sequence[int]) -> None:
        """Add counts of lines, of turns, and of each counter of a turn, under the name."""
        self._add(name, 0, numbers)

    def add_estimates(self, name: str | None, numbers: Sequence[int]) -> None:
        """Add the number of estimates and their amounts under the name."""
        self._add(name, _ESTIMATED_AT, numbers)

    def add_reserved(self, name: str | None, numbers: Sequence[int], *, is_open: bool) -> None:
        """Add the number of holds and what they reserve under the name."""
        self._add(name, _HELD_AT if is_open else _UNCERTAIN_AT, numbers)

    def _add(self, name: str | None, start: int, numbers: Sequence[int]) -> None:
        sums = self._sums.setdefault(name, [0] * _WIDTH)
        for place, number in enumerate(numbers, start):
            sums[place] += number

    def report(self, by: UsageGrouping, limit: int) -> UsageReport:
        """The report of what was added, with `limit` groups at most."""
        names = sorted(self._sums, key=lambda name: name or "")
        if by is UsageGrouping.DAY:
            kept = names[-limit:]
        else:
            names.sort(key=lambda name: self._sums[name][_TOKENS_AT], reverse=True)
            kept = names[:limit]
        total = [sum(column) for column in zip([0] * _WIDTH, *self._sums.values(), strict=True)]
        groups = tuple(UsageGroup(name, _to_sum(self._sums[name])) for name in kept)
        return UsageReport(by, groups, len(names) - len(kept), _to_sum(total))


def _to_sum(numbers: Sequence[int]) -> UsageSum:
    return UsageSum(
        numbers[0],
        Usage(**dict(zip(USAGE_COUNTERS, numbers[1:_ESTIMATED_AT], strict=True))),
        Estimated(*numbers[_ESTIMATED_AT:_HELD_AT]),
        Reserved(*numbers[_HELD_AT:_UNCERTAIN_AT]),
        Reserved(*numbers[_UNCERTAIN_AT:]),
    )


_TOKENS_AT: Final = 1 + USAGE_COUNTERS.index("tokens")
_ESTIMATED_AT: Final = 1 + len(USAGE_COUNTERS)
_HELD_AT: Final = _ESTIMATED_AT + len(fields(Estimated))
_UNCERTAIN_AT: Final = _HELD_AT + len(fields(Reserved))
_WIDTH: Final = _UNCERTAIN_AT + len(fields(Reserved))


class Level(StrEnum):
    """The gravity of a finding."""

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

"""How a goal stands, in words that every surface uses; words of others come as they are, for each surface to escape."""

import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from typing import Final

from telic.domain.criteria import Criterion
from telic.domain.goal import Goal
from telic.domain.lease import LeaseState
from telic.domain.overview import CriterionStanding, budget_uses
from telic.domain.report import Reserved, UsageSum
from telic.wording.amounts import LIMIT_NAMES, show_amounts, show_used
from telic.wording.words import counted, show_duration, show_time, spoken

_LINE_NOUNS: Final = LIMIT_NAMES | {"active_microseconds": "of work", "cost_microunits": "spent"}
_NOBODY_SAID: Final = "nobody said what their calls consumed"


def status_of(goal: Goal) -> str:
    """Return the goal's status and its reason: `paused (usage limit)`."""
    return f"{goal.status} ({spoken(goal.reason)})" if goal.reason else goal.status.value


def standing_of(goal: Goal) -> str:
    """Return the goal's status, its reason and its note: `paused (blocked): needs a key`."""
    return status_of(goal) + (f": {goal.note}" if goal.note else "")


def wait_of(goal: Goal) -> str:
    """Return what wakes the goal: `at 2026-12-31 18:00:00Z or on the signal ci`; empty where nothing does."""
    at = "" if goal.wake_at is None else f"at {show_time(goal.wake_at)}"
    signal = "" if goal.wake_signal is None else f"on the signal {goal.wake_signal}"
    return " or ".join(filter(None, [at, signal]))


def driver_of(lease: LeaseState) -> str:
    """Return who drives the goal and for how long, or when its next step is due."""
    if lease.holder is not None:
        left = show_duration(lease.expires_in_microseconds)
        return f"driven by {lease.holder} for another {left} (token {lease.token})"
    rest = lease.due_in_microseconds
    return "nobody drives it" + (f"; its next step is due in {show_duration(rest)}" if rest > 0 else "")


def spending_of(goal: Goal) -> list[tuple[str, str]]:
    """Return what of each limit is used, by its name: `("tokens", "1,500 of 10,000")`."""
    return [(LIMIT_NAMES[use.name], used_of(goal, use.name)) for use in budget_uses(goal)]


def used_of(goal: Goal, name: str, *, noun: str = "", show: Callable[[str, int], str] | None = None) -> str:
    """Return what the goal used of a limit, if it has one, and whether some of it is estimated."""
    used, limit = getattr(goal.usage, name), getattr(goal.budget, name)
    return show_used(name, used, limit, estimated_lines=goal.estimated_lines, noun=noun, show=show)


def spending_line(goal: Goal) -> str:
    """Return what was used of what on one line: `3 of 10 turns, 12,300 of 100,000 tokens, 1m30s of work`."""
    uses = {use.name: use for use in budget_uses(goal)}
    parts: list[str] = []
    for name, noun in sorted(_LINE_NOUNS.items(), key=lambda pair: pair[0] != "turns"):
        if name in uses:
            use = uses[name]
            is_one = name == "turns" and (use.used if use.limit is None else use.limit) == 1
            parts.append(used_of(goal, name, noun="turn" if is_one else noun))
    return ", ".join(parts)


def reserved_lines(goal: Goal, total: UsageSum) -> list[tuple[str, str]]:
    """Return what holds reserve and what of the usage is not known, in up to three lines, each with its name."""
    # Nothing is reserved for a goal that is over; what the turn used nobody has said.
    is_open = not goal.is_finished
    lines = [
        ("held", _reserved(total.held, "open hold", "" if is_open else ", an estimate once expired")),
        ("uncertain", _reserved(total.uncertain, "expired hold", f"; {_NOBODY_SAID}")),
    ]
    if total.estimated.lines:
        count = counted(total.estimated.lines, "estimate")
        lines.append(("estimated", f"{count} in its usage: {_amounts(asdict(total.estimated))}"))
    return [(name, line) for name, line in lines if line]


def _reserved(reserved: Reserved, noun: str, more: str) -> str:
    return f"{counted(reserved.holds, noun)}: {_amounts(asdict(reserved))}{more}" if reserved.holds else ""


def _amounts(amounts: Mapping[str, int]) -> str:
    return show_amounts(amounts) or "turns only"


def criterion_in_words(criterion: Criterion) -> str:
    """Return the criterion on one line; a command as it is typed."""
    return f"{criterion.kind}: {shlex.join(criterion.argv) or criterion.question}"


def criterion_lines(standing: CriterionStanding) -> list[str]:
    """Return the criterion and how it stands on one line, and what speaks for that on more."""
    criterion = standing.criterion
    first = f"{standing.number}. {standing.outcome:<11} {criterion.kind}: {criterion.title}"
    return [first, *(f"     {line}" for line in standing.evidence)]


def criteria_in_sum(standings: Sequence[CriterionStanding]) -> str:
    """Return how the criteria stand together: `2 of 3 passed, 1 pending`; empty without any."""
    if not standings:
        return ""
    outcomes = [each.outcome for each in standings]
    passed = sum(outcome in ("passed", "approved") for outcome in outcomes)
    others = [
        f"{outcomes.count(each)} {each}" for each in ("failed", "error", "rejected", "pending") if each in outcomes
    ]
    return ", ".join([f"{passed} of {len(outcomes)} passed", *others])

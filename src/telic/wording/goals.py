"""A goal's status, events, turns and holds, in the words and tables that every surface uses.

Words of others come as they are, for each surface to escape.
"""

import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from typing import Any, Final, Generic, TypeVar

from telic.domain.budget import LIMIT_NAMES
from telic.domain.clock import Instant
from telic.domain.criteria import Criterion
from telic.domain.events import Event, EventKind, Turn
from telic.domain.goal import Goal, Reason, approval_signal
from telic.domain.lease import Hold, LeaseState, Reservation
from telic.domain.report import Reserved, UsageSum
from telic.domain.views import CriterionStanding, budget_uses
from telic.wording.amounts import (
    counted,
    first_words,
    humanize,
    show_amount,
    show_amounts,
    show_duration,
    show_time,
    show_used,
)

T = TypeVar("T")

_LINE_NOUNS: Final = LIMIT_NAMES | {"active_microseconds": "of work", "cost_microunits": "spent"}
_NOBODY_SAID: Final = "nobody said what their calls consumed"


def status_of(goal: Goal) -> str:
    """Return the goal's status and its reason: `paused (usage limit)`."""
    return f"{goal.status} ({humanize(goal.reason)})" if goal.reason else goal.status.value


def standing_of(goal: Goal) -> str:
    """Return the goal's status, its reason and its note: `paused (blocked): needs a key`."""
    return status_of(goal) + (f": {goal.note}" if goal.note else "")


def wait_of(goal: Goal) -> str:
    """Return what wakes the goal: `at 2026-12-31 18:00:00Z or on the signal ci`; empty where nothing does."""
    at = "" if goal.wake_at is None else f"at {show_time(goal.wake_at)}"
    signal = "" if goal.wake_signal is None else f"on the signal {goal.wake_signal}"
    return " or ".join(filter(None, [at, signal]))


# `{again}` is the command that makes it go on, `{waits}` what a goal that waits does.
_NEXT_STEPS: Final = {
    None: "nothing drives it now; {again} goes on",
    Reason.USER: "{again} goes on",
    Reason.SUPERSEDED: "another goal has the scope's slot; {again} --replace takes it back",
    Reason.BUDGET: "{again} --budget AMOUNT raises the budget and goes on",
    Reason.USAGE_LIMIT: "the provider gives no more for now; {again} goes on",
    Reason.WAITING: "telic show {id} tells what it waits for; {waits}",
    Reason.BLOCKED: "do what it needs, then {again} goes on",
    Reason.STALLED: "telic events {id} tells what was tried; {again} tries again",
    Reason.FAILED: "mend what the note says, then {again} goes on",
}


def next_step(goal: Goal, again: str, waits: str) -> str | None:
    """Return what a person does in a shell with a goal that nobody drives now, to be given its id; None at its end.

    `again` is the command that makes a paused goal go on; `waits` says what becomes of one that waits.
    """
    step = _NEXT_STEPS.get(goal.reason)
    if goal.wake_signal == approval_signal(goal.id):
        step = "telic approve {id} answers it, or telic reject {id}; {again} goes on then"
    return step and step.replace("{again}", again).replace("{waits}", waits)


def describe_lease(lease: LeaseState) -> str:
    """Return who drives the goal and for how long, or when its next step is due."""
    if lease.worker is not None:
        left = show_duration(lease.expires_in_microseconds)
        return f"driven by {lease.worker} for another {left} (token {lease.token})"
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


_FOR_PROGRAMS: Final = frozenset({"criterion_hash"})
_TIMES: Final = frozenset({"wake_at"})
_REASON: Final = "reason"


def who_acted(event: Event) -> str:
    """Return the kind of actor, with the name and the door where they are known."""
    return " · ".join([str(event.actor), *_name_and_door(event)])


def _name_and_door(event: Event) -> list[str]:
    # By name: what is read from a store comes in the order of its keys.
    return [event.acted_by[part] for part in ("name", "door") if part in event.acted_by]


def change_parts(event: Event) -> list[tuple[str, str]]:
    """Return each thing that the event changed: its name and what it is now. A verification names each criterion."""
    if event.kind is EventKind.CHECKED:
        return [(f"criterion {each['index'] + 1}", str(each["outcome"])) for each in event.data.get("verdicts", ())]
    said = {name: value for name, value in event.changed.items() if value not in (None, [], {}, "")}
    return [(humanize(name), _value(name, value)) for name, value in said.items() if name not in _FOR_PROGRAMS]


def _value(name: str, value: Any) -> str:
    if name == "budget" and isinstance(value, Mapping):
        return show_amounts({limit: amount for limit, amount in value.items() if amount is not None}) or "none"
    if isinstance(value, Mapping):
        return ", ".join(f"{humanize(part)}: {amount}" for part, amount in value.items())
    if name in _TIMES and type(value) is int:
        return show_time(Instant(value))
    return str(len(value)) if name == "criteria" else humanize(value) if name == _REASON else str(value)


def describe_event(event: Event, max_chars: int | None = None) -> str:
    """Return what the event changed and who acted, as `name: value` with commas; in few words for a length."""
    named = [("acted by", " · ".join(_name_and_door(event)))] if event.acted_by else []
    said = ", ".join(f"{name}: {value}" for name, value in [*change_parts(event), *named])
    return said if max_chars is None else first_words(said, max_chars)


class Table(Generic[T]):
    """The columns of a table: for each its title, and the text that stands in it. Amounts are set flush right."""

    def __init__(self, columns: Mapping[str, Callable[[T], str]], numbers: tuple[str, ...]) -> None:
        self.titles = tuple(columns)
        self.numbers = numbers
        self._values = tuple(columns.values())

    def row(self, shown: T) -> list[str]:
        """Return the texts of one row."""
        return [value(shown) for value in self._values]


def _reserves(name: str) -> Callable[[Hold], str]:
    return lambda hold: show_amount(name, hold.reserved.as_dict()[name])


def _used(name: str) -> Callable[[Turn], str]:
    return lambda turn: show_amount(name, getattr(turn.usage, name))


# Return the line's kind, with what tells a line that is no known usage from the others.
def _kind(turn: Turn) -> str:
    taken_back = "" if turn.takes_back is None else f" (takes back {turn.takes_back})"
    return humanize(turn.kind) + (taken_back or (" (estimate)" if turn.is_estimate else ""))


_RESERVABLE: Final = {LIMIT_NAMES[name]: _reserves(name) for name in Reservation().as_dict()}

HOLDS: Final = Table[Hold](
    {
        "state": lambda hold: humanize(hold.state),
        **_RESERVABLE,
        "placed": lambda hold: show_time(hold.placed_at),
        "until": lambda hold: "" if hold.expires_at is None else show_time(hold.expires_at),
        "turn key": lambda hold: hold.turn_key or "",
        "key": lambda hold: hold.key,
    },
    tuple(_RESERVABLE),
)

EVENTS: Final = Table[Event](
    {
        "number": lambda event: str(event.number),
        "at": lambda event: show_time(event.at),
        "event": lambda event: event.kind,
        "actor": lambda event: event.actor,
        "data": describe_event,
    },
    ("number",),
)

TURNS: Final = Table[Turn](
    {
        "number": lambda turn: str(turn.number),
        "at": lambda turn: show_time(turn.at),
        "kind": _kind,
        "model": lambda turn: turn.model or "",
        "tokens": _used("tokens"),
        "time": _used("active_microseconds"),
        "cost": _used("cost_microunits"),
        "key": lambda turn: turn.key,
    },
    ("number", "tokens", "time", "cost"),
)

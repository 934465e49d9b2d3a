"""A goal as the sum of its history: replaying events and turns from empty gives the stored goal."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from telic.domain.budget import (
    BillingPolicy,
    Budget,
    TurnUsage,
    Usage,
    UsageTakenBack,
    budget_columns,
    estimates_of,
)
from telic.domain.clock import Instant
from telic.domain.criteria import criteria_from_data
from telic.domain.errors import GoalError, StoreCorrupt
from telic.domain.events import (
    Event,
    EventKind,
    Turn,
)
from telic.domain.goal import Actor, Goal, GoalStatus, Reason
from telic.domain.lifecycle import REMARKS, STATUS_OF, TERMINAL, check_reason, check_transition


@dataclass(frozen=True, slots=True)
class GoalHistory:
    """A goal with all its events and turns, each in order."""

    goal: Goal
    events: tuple[Event, ...]
    turns: tuple[Turn, ...]

    @property
    def creation_key(self) -> str:
        """The key of the call that created the goal."""
        return self.events[0].key or ""

    @property
    def event_hash(self) -> str:
        """The head of the events' chain."""
        return self.events[-1].hash

    @property
    def turn_hash(self) -> str:
        """The head of the turns' chain; empty without turns."""
        return self.turns[-1].hash if self.turns else ""


def replay(goal_id: str, events: Iterable[Event], turns: Iterable[Turn]) -> GoalHistory:
    """Return the goal that the history makes; raise StoreCorrupt, with the line, if it cannot have happened."""
    lines = tuple(events)
    ledger = tuple(turns)
    goal = _replay_events(goal_id, lines)
    usage = _replay_turns(goal_id, ledger)
    last = max([lines[-1].at, *(turn.at for turn in ledger[-1:])])
    estimates = sum(estimates_of(is_estimate=turn.is_estimate, takes_back=turn.takes_back) for turn in ledger)
    counted = replace(goal, updated_at=last, estimated_lines=estimates, **_counters(usage))
    return GoalHistory(counted, lines, ledger)


def _counters(usage: Usage) -> dict[str, Any]:
    return {f"{name}_used": count for name, count in usage.as_dict().items()}


def _replay_events(goal_id: str, events: tuple[Event, ...]) -> Goal:
    goal: Goal | None = None
    previous = ""
    for number, event in enumerate(events, 1):
        try:
            previous = _require_link(event, previous, goal_id, number)
            goal = _created(event) if goal is None else _changed(goal, event)
        except (GoalError, KeyError, TypeError, ValueError, AttributeError) as error:
            raise StoreCorrupt(f"goal {goal_id}: event {number} cannot have happened: {error}") from error
    if goal is None:
        raise StoreCorrupt(f"goal {goal_id} has no history")
    return goal


def _require_link(line: Event | Turn, previous: str, goal_id: str, number: int) -> str:
    """Return the line's hash; raise ValueError where it does not continue the chain."""
    if (line.number, line.goal_id, line.hash) != (number, goal_id, line.hash_after(previous)):
        raise ValueError("it does not continue the chain")
    return line.hash


def _created(event: Event) -> Goal:
    if event.kind is not EventKind.CREATED or event.revision != 1:
        raise ValueError("a history begins with the goal's creation at revision 1")
    budget = Budget(**event.data["budget"])
    return Goal(
        id=event.goal_id,
        scope=event.data["scope"],
        text=event.data["text"],
        criteria=criteria_from_data(event.data["criteria"]),
        status=GoalStatus.ACTIVE,
        reason=None,
        note=None,
        revision=1,
        **budget_columns(budget),
        **_counters(Usage()),
        created_at=event.at,
        updated_at=event.at,
        ended_at=None,
        billing=BillingPolicy(event.data.get("billing", BillingPolicy.INPUT_AND_OUTPUT)),
    )


def _changed(goal: Goal, event: Event) -> Goal:
    is_remark = event.kind in REMARKS
    if event.revision != goal.revision + (not is_remark) or event.at < goal.updated_at:
        raise ValueError("its revision or time does not follow the event before it")
    if is_remark:
        return replace(goal, updated_at=event.at)
    changed = replace(goal, revision=event.revision, updated_at=event.at, wake_at=None, wake_signal=None)
    match event.kind:
        case EventKind.EDITED:
            text = event.data.get("text", goal.text)
            criteria = event.data.get("criteria")
            kept = goal.criteria if criteria is None else criteria_from_data(criteria)
            return replace(changed, text=text, criteria=kept)
        case EventKind.BUDGET_SET:
            return replace(changed, **budget_columns(Budget(**event.data["budget"])))
        case EventKind.CREATED:
            raise ValueError("a goal is created once")
        case EventKind.KEPT_ASLEEP:
            return _kept_asleep(goal, changed, event)
        case _:
            check_transition(goal, STATUS_OF[event.kind])
            return _moved(changed, event)


def _kept_asleep(before: Goal, goal: Goal, event: Event) -> Goal:
    if not before.is_waiting:
        raise ValueError("only a goal that waits can be kept asleep")
    return replace(goal, reason=check_reason(GoalStatus.PAUSED, Reason(event.data["reason"])))


def _moved(goal: Goal, event: Event) -> Goal:
    to = STATUS_OF[event.kind]
    data = event.data
    reason = data.get("reason")
    known = check_reason(to, None if reason is None else Reason(reason))
    moved = replace(goal, status=to, reason=known, note=data.get("note"), ended_at=None)
    if to is GoalStatus.PAUSED:
        return replace(moved, wake_at=data.get("wake_at"), wake_signal=data.get("wake_signal"))
    return replace(moved, ended_at=event.at) if to in TERMINAL else moved


def _replay_turns(goal_id: str, turns: tuple[Turn, ...]) -> Usage:
    usage = Usage()
    previous = ""
    for number, turn in enumerate(turns, 1):
        try:
            previous = _require_link(turn, previous, goal_id, number)
        except ValueError as error:
            raise StoreCorrupt(f"goal {goal_id}: turn {number} does not continue the chain") from error
        _check_taken_back(goal_id, turn, turns)
        usage = usage.plus(turn.usage, turn.kind)
    return usage


# A line below zero must take back exactly one earlier line: else sums could be lowered at will.
def _check_taken_back(goal_id: str, turn: Turn, turns: tuple[Turn, ...]) -> None:
    number = turn.takes_back
    is_below_zero = isinstance(turn.usage, UsageTakenBack)
    if number is None and not is_below_zero:
        return
    if number is None or not 0 < number < turn.number or not is_below_zero:
        raise StoreCorrupt(f"goal {goal_id}: turn {turn.number} does not say what it takes back")
    former = turns[number - 1]
    same = (former.kind, UsageTakenBack.of(former.usage), former.is_estimate, former.takes_back)
    if same != (turn.kind, turn.usage, turn.is_estimate, None):
        raise StoreCorrupt(f"goal {goal_id}: turn {turn.number} takes back what turn {number} did not add")


class HistoryBuilder:
    """Builds and chains the history of a goal that lived in another system; for imports."""

    def __init__(self, goal_id: str) -> None:
        self._goal_id = goal_id
        self._events: list[Event] = []
        self._turns: list[Turn] = []

    @classmethod
    def continuing(cls, history: GoalHistory) -> "HistoryBuilder":
        """Return a builder that already holds this history."""
        builder = cls(history.goal.id)
        builder._events = list(history.events)
        builder._turns = list(history.turns)
        return builder

    def add_event(
        self,
        kind: EventKind,
        at: Instant,
        data: Mapping[str, Any],
        *,
        actor: Actor = Actor.USER,
        key: str | None = None,
    ) -> None:
        """The history has one more event; times that run backwards are lifted to the one before."""
        last = self._events[-1] if self._events else None
        number = len(self._events) + 1
        at = Instant(max(at, last.at)) if last else at
        event = Event(self._goal_id, number, number, kind, actor, at, key, dict(data), "")
        self._events.append(replace(event, hash=event.hash_after(last.hash if last else "")))

    def add_turn(self, at: Instant, usage: TurnUsage, key: str) -> None:
        """The ledger has one more turn."""
        last = self._turns[-1] if self._turns else None
        at = Instant(max(at, last.at)) if last else at
        turn = Turn(self._goal_id, len(self._turns) + 1, key, at, usage, "")
        self._turns.append(replace(turn, hash=turn.hash_after(last.hash if last else "")))

    def finish(self) -> GoalHistory:
        """Return the goal that the history makes; raise StoreCorrupt if it makes none."""
        return replay(self._goal_id, self._events, self._turns)

"""A goal as the sum of its history: replaying events and turns from empty gives the stored goal."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from telic.domain.budget import (
    BillingPolicy,
    Budget,
    TurnUsage,
    Usage,
    UsageKind,
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
    event_hash,
    turn_hash,
)
from telic.domain.goal import Actor, Goal, GoalStatus, Reason
from telic.domain.ids import (
    to_data,
)
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
    """The goal that the history makes, every hash, number and move of it checked.

    Raises:
        StoreCorrupt: the history cannot have happened; the message names the first line that cannot.
    """
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


def _fields(values: Mapping[str, Any]) -> dict[str, Any]:
    return dict(values)


def _replay_events(goal_id: str, events: tuple[Event, ...]) -> Goal:
    goal: Goal | None = None
    previous = ""
    for number, event in enumerate(events, 1):
        try:
            previous = _checked_event_hash(previous, goal_id, number, event)
            goal = _created(event) if goal is None else _changed(goal, event)
        except (GoalError, KeyError, TypeError, ValueError, AttributeError) as error:
            raise StoreCorrupt(f"goal {goal_id}: event {number} cannot have happened: {error}") from error
    if goal is None:
        raise StoreCorrupt(f"goal {goal_id} has no history")
    return goal


def _checked_event_hash(previous: str, goal_id: str, number: int, event: Event) -> str:
    expected = event_hash(
        previous,
        goal_id=goal_id,
        number=number,
        revision=event.revision,
        kind=event.kind.value,
        actor=event.actor.value,
        at=event.at,
        data=to_data(event.data),
        key=event.key,
    )
    if event.number != number or event.goal_id != goal_id or event.hash != expected:
        raise ValueError("it does not continue the chain")
    return expected


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
        **_fields(budget_columns(budget)),
        **_counters(Usage()),
        created_at=event.at,
        updated_at=event.at,
        ended_at=None,
        billing=BillingPolicy(event.data.get("billing", BillingPolicy.INPUT_AND_OUTPUT)),
        wake_at=None,
        wake_signal=None,
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
            return replace(changed, **_fields(budget_columns(Budget(**event.data["budget"]))))
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
        previous = turn_hash(
            previous,
            goal_id=goal_id,
            number=number,
            at=turn.at,
            usage=turn.usage,
            key=turn.key,
            kind=turn.kind,
            model=turn.model,
            is_estimate=turn.is_estimate,
            takes_back=turn.takes_back,
        )
        if turn.number != number or turn.goal_id != goal_id or turn.hash != previous:
            raise StoreCorrupt(f"goal {goal_id}: turn {number} does not continue the chain")
        _check_taken_back(goal_id, turn, turns)
        usage = usage.plus(turn.usage, turn.kind)
    return usage


def _check_taken_back(goal_id: str, turn: Turn, turns: tuple[Turn, ...]) -> None:
    """Raise StoreCorrupt where the line is below zero for no reason, or takes back what was not there."""
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
    """Writes a goal's history that did not happen here, chained as if it had; for imports."""

    def __init__(self, goal_id: str) -> None:
        self._goal_id = goal_id
        self._events: list[Event] = []
        self._turns: list[Turn] = []

    @classmethod
    def continuing(cls, history: GoalHistory) -> "HistoryBuilder":
        """A builder that already holds this history."""
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
        number = len(self._events) + 1
        at = Instant(max(at, self._events[-1].at)) if self._events else at
        previous = self._events[-1].hash if self._events else ""
        chained = event_hash(
            previous,
            goal_id=self._goal_id,
            number=number,
            revision=number,
            kind=kind.value,
            actor=actor.value,
            at=at,
            data=to_data(data),
            key=key,
        )
        self._events.append(Event(self._goal_id, number, number, kind, actor, at, key, dict(data), chained))

    def add_turn(self, at: Instant, usage: TurnUsage, key: str) -> None:
        """The ledger has one more turn."""
        number = len(self._turns) + 1
        at = Instant(max(at, self._turns[-1].at)) if self._turns else at
        previous = self._turns[-1].hash if self._turns else ""
        kind, model = UsageKind.WORK, None
        chained = turn_hash(
            previous,
            goal_id=self._goal_id,
            number=number,
            at=at,
            usage=usage,
            key=key,
            kind=kind,
            model=model,
            is_estimate=False,
            takes_back=None,
        )
        self._turns.append(Turn(self._goal_id, number, key, at, usage, chained, kind, model))

    def finish(self) -> GoalHistory:
        """The goal that the history makes.

        Raises:
            StoreCorrupt: it makes none.
        """
        return replay(self._goal_id, self._events, self._turns)

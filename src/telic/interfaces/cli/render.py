"""Goals, events and turns as a person reads them."""

from collections.abc import Sequence

from telic.domain.amounts import show_amount
from telic.domain.clock import Instant, to_datetime
from telic.domain.criteria import Criterion
from telic.domain.events import Event, Turn
from telic.domain.goal import Goal
from telic.domain.ids import short_ids
from telic.domain.jsonable import event_to_json, goal_to_json, turn_to_json
from telic.domain.wording import first_words
from telic.interfaces.cli.terminal import Terminal


def show_goal(terminal: Terminal, goal: Goal) -> None:
    """The goal in full."""
    if terminal.as_json:
        terminal.json(goal_to_json(goal))
        return
    terminal.line(goal.text if "\n" not in goal.text else goal.text.replace("\n", " ⏎ "))
    for name, value in _facts(goal):
        terminal.line(f"  {name:<10} {value}")


def _facts(goal: Goal) -> list[tuple[str, str]]:
    facts = [("id", goal.id), ("scope", goal.scope), ("status", _standing(goal)), ("revision", str(goal.revision))]
    facts += [("criterion", _criterion(criterion)) for criterion in goal.criteria]
    facts += _spending(goal)
    facts += [("created", show_time(goal.created_at)), ("updated", show_time(goal.updated_at))]
    return facts


def _standing(goal: Goal) -> str:
    reason = f" ({goal.reason})" if goal.reason else ""
    return f"{goal.status}{reason}" + (f": {goal.note}" if goal.note else "")


def _criterion(criterion: Criterion) -> str:
    return f"{criterion.kind}: {criterion.title}"


def _spending(goal: Goal) -> list[tuple[str, str]]:
    limits, usage = goal.budget.as_dict(), goal.usage.as_dict()
    names = {"turns": "turns", "tokens": "tokens", "active_microseconds": "time", "cost_microunits": "cost"}
    return [
        (shown, show_amount(name, usage[name]) + _of(name, limits[name]))
        for name, shown in names.items()
        if usage[name] or limits[name] or name in ("turns", "tokens")
    ]


def _of(name: str, limit: int | None) -> str:
    return "" if limit is None else f" of {show_amount(name, limit)}"


def show_time(instant: Instant) -> str:
    """The instant to the second, in UTC."""
    return to_datetime(instant).strftime("%Y-%m-%d %H:%M:%SZ")


def show_goals(terminal: Terminal, goals: Sequence[Goal]) -> None:
    """The goals as a table."""
    rows = [
        [
            short,
            goal.scope,
            str(goal.status),
            str(goal.reason or ""),
            _shortly(goal),
            str(goal.turns_used),
            first_words(goal.text),
        ]
        for short, goal in zip(short_ids([goal.id for goal in goals]), goals, strict=True)
    ]
    terminal.table(["id", "scope", "status", "reason", "tokens", "turns", "text"], rows)


def _shortly(goal: Goal) -> str:
    return show_amount("tokens", goal.tokens_used) + _of("tokens", goal.token_budget)


def show_events(terminal: Terminal, events: Sequence[Event]) -> None:
    """The events as a table, or as JSON."""
    if terminal.as_json:
        terminal.json([event_to_json(event) for event in events])
        return
    rows = [[str(event.number), show_time(event.at), event.kind, event.actor, _data(event)] for event in events]
    terminal.table(["number", "at", "event", "actor", "data"], rows)


def _data(event: Event) -> str:
    return " ".join(f"{name}={value}" for name, value in event.data.items() if value not in (None, [], {}))


def show_turns(terminal: Terminal, turns: Sequence[Turn]) -> None:
    """The turns as a table, or as JSON."""
    if terminal.as_json:
        terminal.json([turn_to_json(turn) for turn in turns])
        return
    rows = [
        [
            str(turn.number),
            show_time(turn.at),
            show_amount("tokens", turn.usage.tokens),
            show_amount("active_microseconds", turn.usage.active_microseconds),
            show_amount("cost_microunits", turn.usage.cost_microunits),
            turn.key,
        ]
        for turn in turns
    ]
    terminal.table(["number", "at", "tokens", "time", "cost", "key"], rows)

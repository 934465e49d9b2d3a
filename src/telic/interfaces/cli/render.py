"""Goals, events and turns as a person reads them."""

from collections.abc import Sequence

from telic.domain.criteria import Criterion
from telic.domain.events import Event, Turn
from telic.domain.goal import Goal
from telic.domain.ids import short_ids
from telic.domain.jsonable import event_to_json, goal_to_json, turn_to_json
from telic.interfaces.cli.terminal import Terminal
from telic.wording.amounts import show_amount
from telic.wording.events import describe_event
from telic.wording.words import first_words, show_time


def show_goal(terminal: Terminal, goal: Goal, paused_for_it: Goal | None = None) -> None:
    """The goal in full, and the goal that was paused because this one took its place."""
    if terminal.as_json:
        more = {} if paused_for_it is None else {"superseded": goal_to_json(paused_for_it)}
        terminal.json(goal_to_json(goal) | more)
        return
    paused = [] if paused_for_it is None else [("paused", f"{paused_for_it.id} “{first_words(paused_for_it.text)}”")]
    show_facts(terminal, goal, paused)


def show_facts(terminal: Terminal, goal: Goal, more: Sequence[tuple[str, str]]) -> None:
    """The goal in full as text, with more facts about it."""
    terminal.line(goal.text if "\n" not in goal.text else goal.text.replace("\n", " ⏎ "))
    for name, value in [*_facts(goal), *more]:
        terminal.line(f"  {name:<10} {value}")


def _facts(goal: Goal) -> list[tuple[str, str]]:
    facts = [("id", goal.id), ("scope", goal.scope), ("status", _standing(goal)), ("revision", str(goal.revision))]
    if goal.is_waiting:
        facts.append(("wakes", _waking(goal)))
    facts += [("criterion", _criterion(criterion)) for criterion in goal.criteria]
    facts += _spending(goal)
    facts += [("created", show_time(goal.created_at)), ("updated", show_time(goal.updated_at))]
    return facts


def _standing(goal: Goal) -> str:
    reason = f" ({goal.reason})" if goal.reason else ""
    return f"{goal.status}{reason}" + (f": {goal.note}" if goal.note else "")


def _waking(goal: Goal) -> str:
    at = "" if goal.wake_at is None else f"at {show_time(goal.wake_at)}"
    signal = "" if goal.wake_signal is None else f"on the signal {goal.wake_signal}"
    return " or ".join(filter(None, [at, signal]))


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
    columns = ["id", "scope", "status", "reason", "tokens", "turns", "text"]
    terminal.table(columns, rows, numbers=("tokens", "turns"))


def _shortly(goal: Goal) -> str:
    return show_amount("tokens", goal.tokens_used) + _of("tokens", goal.token_budget)


def show_events(terminal: Terminal, events: Sequence[Event]) -> None:
    """The events as a table, or as JSON."""
    if terminal.as_json:
        terminal.json([event_to_json(event) for event in events])
        return
    rows = [
        [str(event.number), show_time(event.at), event.kind, event.actor, describe_event(event)] for event in events
    ]
    terminal.table(["number", "at", "event", "actor", "data"], rows, numbers=("number",))


def _mark(turn: Turn) -> str:
    """Return what tells a line that is no known usage from the others."""
    if turn.takes_back is not None:
        return f" (takes back {turn.takes_back})"
    return " (estimate)" if turn.is_estimate else ""


def show_turns(terminal: Terminal, turns: Sequence[Turn]) -> None:
    """The turns as a table, or as JSON."""
    if terminal.as_json:
        terminal.json([turn_to_json(turn) for turn in turns])
        return
    rows = [
        [
            str(turn.number),
            show_time(turn.at),
            f"{turn.kind}{_mark(turn)}",
            turn.model or "",
            show_amount("tokens", turn.usage.tokens),
            show_amount("active_microseconds", turn.usage.active_microseconds),
            show_amount("cost_microunits", turn.usage.cost_microunits),
            turn.key,
        ]
        for turn in turns
    ]
    columns = ["number", "at", "kind", "model", "tokens", "time", "cost", "key"]
    terminal.table(columns, rows, numbers=("number", "tokens", "time", "cost"))

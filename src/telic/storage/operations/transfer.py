"""Whole histories: reading every goal's for checks and export, writing one that happened elsewhere."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from telic.domain.budget import budget_columns
from telic.domain.criteria import criteria_to_json
from telic.domain.errors import GoalNotFound
from telic.domain.events import Event, EventKind, Turn
from telic.domain.goal import Actor, GoalStatus, Reason
from telic.domain.history import GoalHistory, HistoryBuilder, replay
from telic.domain.ids import (
    to_data,
)
from telic.domain.limits import MAX_PAGE
from telic.storage.operations.ledger import events, turns
from telic.storage.records import GoalRecord, event_from_row, goal_from_row, record_from_row
from telic.storage.transaction import Transaction, Value

_MOST_LINES_SHOWN: Final = 20


class Placement(StrEnum):
    """What became of a history that was to be written."""

    ADDED = "added"
    PAUSED = "added, paused because its scope has another active goal"
    ALREADY_THERE = "already there"
    DIFFERENT = "not added: another goal has its id or its creation key"


@dataclass(frozen=True, slots=True)
class StoredHistory:
    """A goal's row with its chain heads, and the lines that should add up to it."""

    record: GoalRecord
    events: tuple[Event, ...]
    turns: tuple[Turn, ...]


async def ids(tx: Transaction, after: int) -> list[tuple[int, str]]:
    """Up to 1,000 sequence numbers above `after`, each with its goal's id, in the order of their making."""
    return [
        (sequence, goal_id) for sequence, goal_id in await tx.all("records.ids", {"after": after, "limit": MAX_PAGE})
    ]


async def read(tx: Transaction, goal_id: str) -> StoredHistory:
    """Everything that is stored of the goal.

    Raises:
        GoalNotFound: there is none with this id.
        StoreCorrupt: a row cannot be understood.
    """
    row = await tx.one_or_none("records.get", {"id": goal_id})
    if row is None:
        raise GoalNotFound(goal_id)
    found_events, found_turns = await lines(tx, goal_id)
    return StoredHistory(record_from_row(row), found_events, found_turns)


async def lines_without_goal(tx: Transaction) -> list[str]:
    """Descriptions of some events and turns whose goal is gone."""
    rows = await tx.all("records.lines_without_goal", {"limit": _MOST_LINES_SHOWN})
    return [f"{kind} {number} of goal {goal_id!a}" for kind, goal_id, number in rows]


async def lines(tx: Transaction, goal_id: str) -> tuple[tuple[Event, ...], tuple[Turn, ...]]:
    """All events and turns of the goal, in order."""
    found_events: list[Event] = []
    while len(found_events) % MAX_PAGE == 0:
        page = await events(tx, goal_id, after=len(found_events), limit=MAX_PAGE)
        found_events += page
        if not page:
            break
    found_turns: list[Turn] = []
    while len(found_turns) % MAX_PAGE == 0:
        turn_page = await turns(tx, goal_id, after=len(found_turns), limit=MAX_PAGE)
        found_turns += turn_page
        if not turn_page:
            break
    return tuple(found_events), tuple(found_turns)


async def put(tx: Transaction, history: GoalHistory) -> Placement:
    """The goal is there with its whole history, unless it, or one that continues it, already was.

    An active goal whose scope's slot is taken is added paused, and its history says so.
    """
    goal = history.goal
    if await tx.one_or_none("goals.get", {"id": goal.id}) is not None:
        last = await tx.all("events.page", {"id": goal.id, "after": len(history.events) - 1, "limit": 1})
        same = bool(last) and event_from_row(last[0]).hash == history.event_hash
        return Placement.ALREADY_THERE if same else Placement.DIFFERENT
    if await tx.one_or_none("goals.created_with", {"scope": goal.scope, "key": history.creation_key}) is not None:
        return Placement.DIFFERENT
    holder = await tx.one_or_none("goals.active", {"scope": goal.scope})
    if goal.status is not GoalStatus.ACTIVE or holder is None:
        await _insert(tx, history)
        return Placement.ADDED
    await _insert(tx, _superseded(history, goal_from_row(holder).id))
    return Placement.PAUSED


def _superseded(history: GoalHistory, holder_id: str) -> GoalHistory:
    builder = HistoryBuilder.continuing(history)
    data = {"reason": Reason.SUPERSEDED.value, "by": holder_id}
    builder.add_event(EventKind.PAUSED, history.goal.updated_at, data, actor=Actor.SYSTEM)
    return builder.finish()


async def _insert(tx: Transaction, history: GoalHistory) -> None:
    goal = history.goal
    row: dict[str, Value] = {
        "id": goal.id,
        "scope": goal.scope,
        "text": goal.text,
        "criteria": criteria_to_json(goal.criteria),
        "status": goal.status.value,
        "reason": goal.reason and goal.reason.value,
        "note": goal.note,
        "revision": goal.revision,
        **budget_columns(goal.budget),
        **{f"{name}_used": count for name, count in goal.usage.as_dict().items()},
        "created_at": goal.created_at,
        "updated_at": goal.updated_at,
        "ended_at": goal.ended_at,
        "creation_key": history.creation_key,
        "event_count": len(history.events),
        "event_hash": history.event_hash,
        "turn_hash": history.turn_hash,
        "billing": goal.billing.value,
        "wake_at": goal.wake_at,
        "wake_signal": goal.wake_signal,
        "ledger_count": len(history.turns),
        "estimated_lines": goal.estimated_lines,
    }
    await tx.one_or_none("records.insert_goal", row)
    for event in history.events:
        await tx.one_or_none("records.insert_event", _event_row(event))
    for turn in history.turns:
        await tx.one_or_none("records.insert_turn", _turn_row(turn))


def _event_row(event: Event) -> dict[str, Value]:
    return {
        "goal_id": event.goal_id,
        "number": event.number,
        "revision": event.revision,
        "kind": event.kind.value,
        "actor": event.actor.value,
        "at": event.at,
        "key": event.key,
        "data": to_data(event.data),
        "hash": event.hash,
    }


def _turn_row(turn: Turn) -> dict[str, Value]:
    row: dict[str, Value] = {"goal_id": turn.goal_id, "number": turn.number, "key": turn.key, "at": turn.at}
    row |= {"is_estimate": int(turn.is_estimate), "takes_back": turn.takes_back}
    return row | turn.usage.as_dict() | {"hash": turn.hash, "kind": turn.kind.value, "model": turn.model}


def problems(stored: StoredHistory) -> list[str]:
    """What is wrong with the goal: a broken chain, a sum that does not add up, a field that no event explains.

    Raises:
        StoreCorrupt: the history itself cannot have happened.
    """
    record = stored.record
    history = replay(record.goal.id, stored.events, stored.turns)
    expected = GoalRecord(
        history.goal,
        history.creation_key,
        len(history.events),
        history.event_hash,
        len(history.turns),
        history.turn_hash,
    )
    return [
        f"goal {record.goal.id}: {name} is {actual!a}, its history says {wanted!a}"
        for name, actual, wanted in _differences(record, expected)
    ]


def _differences(record: GoalRecord, expected: GoalRecord) -> list[tuple[str, object, object]]:
    fields = [(name, getattr(record.goal, name), getattr(expected.goal, name)) for name in record.goal.__slots__]
    fields += [(name, getattr(record, name), getattr(expected, name)) for name in record.__slots__ if name != "goal"]
    return [field for field in fields if field[1] != field[2]]

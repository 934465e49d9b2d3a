"""Whole histories: reading every goal's for checks and export, writing one that happened elsewhere."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, TypeVar

from telic.domain.budget import budget_columns
from telic.domain.criteria import criteria_to_json
from telic.domain.errors import GoalNotFound
from telic.domain.events import Event, EventKind, Turn
from telic.domain.goal import Actor, GoalStatus, Reason
from telic.domain.history import GoalHistory, HistoryBuilder, replay
from telic.domain.ids import to_data
from telic.domain.limits import MAX_PAGE
from telic.storage.operations.call import active_in
from telic.storage.operations.ledger import events, turns
from telic.storage.records import GoalRecord, event_from_row, record_from_row
from telic.storage.transaction import Transaction, Value

T = TypeVar("T")

_MOST_LINES_SHOWN: Final = 20
_KEPT_OF_GOAL: Final = (
    *("id", "scope", "text", "note", "revision", "created_at", "updated_at", "ended_at", "wake_at", "wake_signal"),
    "estimated_lines",
)
_KEPT_OF_EVENT: Final = ("goal_id", "number", "revision", "at", "key", "hash")
_KEPT_OF_TURN: Final = ("goal_id", "number", "key", "at", "takes_back", "hash", "model")


class Placement(StrEnum):
    """The outcome for a history that was to be written."""

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
    """Return up to 1,000 sequence numbers above `after`, each with its goal's id, in the order of creation."""
    rows = await tx.all("records.ids", {"after": after, "limit": MAX_PAGE})
    return [(sequence, goal_id) for sequence, goal_id in rows]


async def read(tx: Transaction, goal_id: str) -> StoredHistory:
    """Return all that is stored of the goal; raise GoalNotFound, or StoreCorrupt for a row that makes no sense."""
    row = await tx.one_or_none("records.get", {"id": goal_id})
    if row is None:
        raise GoalNotFound(goal_id)
    found_events, found_turns = await lines(tx, goal_id)
    return StoredHistory(record_from_row(row), found_events, found_turns)


async def lines_without_goal(tx: Transaction) -> list[str]:
    """Return descriptions of some events and turns whose goal is gone."""
    rows = await tx.all("records.lines_without_goal", {"limit": _MOST_LINES_SHOWN})
    return [f"{kind} {number} of goal {goal_id!a}" for kind, goal_id, number in rows]


async def lines(tx: Transaction, goal_id: str) -> tuple[tuple[Event, ...], tuple[Turn, ...]]:
    """Return all events and turns of the goal, in order."""
    return tuple(await _all(events, tx, goal_id)), tuple(await _all(turns, tx, goal_id))


async def _all(page_of: Callable[..., Awaitable[list[T]]], tx: Transaction, goal_id: str) -> list[T]:
    found: list[T] = []
    while page := await page_of(tx, goal_id, after=len(found), limit=MAX_PAGE):
        found += page
        if len(page) < MAX_PAGE:
            break
    return found


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
    active = await active_in(tx, goal.scope)
    if goal.status is not GoalStatus.ACTIVE or active is None:
        await _insert(tx, history)
        return Placement.ADDED
    await _insert(tx, _superseded(history, active.id))
    return Placement.PAUSED


def _superseded(history: GoalHistory, active_id: str) -> GoalHistory:
    builder = HistoryBuilder.continuing(history)
    data = {"reason": Reason.SUPERSEDED.value, "by": active_id}
    builder.add_event(EventKind.PAUSED, history.goal.updated_at, data, actor=Actor.SYSTEM)
    return builder.finish()


async def _insert(tx: Transaction, history: GoalHistory) -> None:
    goal = history.goal
    row: dict[str, Value] = {
        **{name: getattr(goal, name) for name in _KEPT_OF_GOAL},
        **budget_columns(goal.budget),
        **{f"{name}_used": count for name, count in goal.usage.as_dict().items()},
        "criteria": criteria_to_json(goal.criteria),
        "status": goal.status.value,
        "reason": goal.reason and goal.reason.value,
        "billing": goal.billing.value,
        "creation_key": history.creation_key,
        "event_count": len(history.events),
        "event_hash": history.event_hash,
        "ledger_count": len(history.turns),
        "turn_hash": history.turn_hash,
    }
    await tx.one_or_none("records.insert_goal", row)
    for event in history.events:
        await tx.one_or_none("records.insert_event", _event_row(event))
    for turn in history.turns:
        await tx.one_or_none("records.insert_turn", _turn_row(turn))


def _event_row(event: Event) -> dict[str, Value]:
    kept: dict[str, Value] = {name: getattr(event, name) for name in _KEPT_OF_EVENT}
    return kept | {"kind": event.kind.value, "actor": event.actor.value, "data": to_data(event.data)}


def _turn_row(turn: Turn) -> dict[str, Value]:
    kept: dict[str, Value] = {name: getattr(turn, name) for name in _KEPT_OF_TURN}
    return kept | turn.usage.as_dict() | {"kind": turn.kind.value, "is_estimate": int(turn.is_estimate)}


def problems(stored: StoredHistory) -> list[str]:
    """Return the faults of the goal: a broken chain, a sum that does not add up, a field that no event explains.

    Raise StoreCorrupt if the history itself cannot have happened.
    """
    record = stored.record
    history = replay(record.goal.id, stored.events, stored.turns)
    heads = (len(history.events), history.event_hash, len(history.turns), history.turn_hash)
    expected = GoalRecord(history.goal, history.creation_key, *heads)
    return [
        f"goal {record.goal.id}: {name} is {actual!a}, its history says {wanted!a}"
        for name, actual, wanted in _differences(record, expected)
    ]


def _differences(record: GoalRecord, expected: GoalRecord) -> list[tuple[str, object, object]]:
    fields = [(name, getattr(record.goal, name), getattr(expected.goal, name)) for name in record.goal.__slots__]
    fields += [(name, getattr(record, name), getattr(expected, name)) for name in record.__slots__ if name != "goal"]
    return [field for field in fields if field[1] != field[2]]

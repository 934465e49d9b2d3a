"""Replaying refuses what cannot have happened."""

from dataclasses import replace

import pytest

from telic import Actor, Budget, EventKind, GoalStatus, TurnUsage
from telic.domain.history import GoalHistory, HistoryBuilder, replay
from telic.errors import StoreCorrupt
from telic.types import Instant

CREATED = {"text": "x", "scope": "s", "criteria": [], "budget": Budget().as_dict()}


def history(*events: tuple[EventKind, dict[str, object]]) -> GoalHistory:
    builder = HistoryBuilder("id")
    builder.add_event(EventKind.CREATED, Instant(100), CREATED, key="k")
    for kind, data in events:
        builder.add_event(kind, Instant(50), data, actor=Actor.SYSTEM)
    builder.add_turn(Instant(200), TurnUsage(tokens=5), "t")
    return builder.finish()


def test_a_built_history_replays() -> None:
    """Times never run backwards, counters are the ledger's sums."""
    made = history((EventKind.PAUSED, {"reason": "waiting", "note": "CI"}), (EventKind.CLEARED, {"reason": "given_up"}))
    assert (made.goal.status, made.goal.revision, made.goal.tokens_used) == (GoalStatus.CLEARED, 3, 5)
    assert [event.at for event in made.events] == [100, 100, 100]
    assert (made.goal.ended_at, made.goal.updated_at) == (100, 200)


@pytest.mark.parametrize(
    "events",
    [
        [(EventKind.RESUMED, {})],
        [(EventKind.PAUSED, {"reason": "verified"})],
        [(EventKind.PAUSED, {})],
        [(EventKind.COMPLETED, {"reason": "asserted"}), (EventKind.RESUMED, {})],
        [(EventKind.CREATED, CREATED)],
        [(EventKind.BUDGET_SET, {"budget": {"tokens": 0}})],
        [(EventKind.BUDGET_SET, {"budget": {"gold": 1}})],
        [(EventKind.EDITED, {"criteria": [{"kind": "oracle"}]})],
    ],
)
def test_an_impossible_history_is_refused(events: list[tuple[EventKind, dict[str, object]]]) -> None:
    """Chained or not, moves that do not exist are named by their event's number."""
    with pytest.raises(StoreCorrupt, match=f"event {len(events) + 1}"):
        history(*events)


def test_every_field_of_a_line_is_in_its_hash() -> None:
    """Changing any of them breaks the chain."""
    made = history((EventKind.PAUSED, {"reason": "user"}))
    changes = {
        "goal_id": "other",
        "number": 7,
        "revision": 9,
        "kind": EventKind.CLEARED,
        "actor": Actor.USER,
        "at": 101,
    }
    changes |= {"key": "other", "data": {"reason": "blocked"}, "hash": "0" * 64}
    for name, value in changes.items():
        altered = (made.events[0], replace(made.events[1], **{name: value}))
        with pytest.raises(StoreCorrupt):
            replay("id", altered, made.turns)
    for name, value in {
        "goal_id": "o",
        "number": 2,
        "key": "o",
        "at": Instant(1),
        "usage": TurnUsage(),
        "hash": "",
    }.items():
        with pytest.raises(StoreCorrupt):
            replay("id", made.events, (replace(made.turns[0], **{name: value}),))


def test_a_history_without_its_beginning_is_refused() -> None:
    """Nothing, and a truncated start, make no goal."""
    made = history((EventKind.PAUSED, {"reason": "user"}))
    for lines in ((), made.events[1:]):
        with pytest.raises(StoreCorrupt):
            replay("id", lines, made.turns)

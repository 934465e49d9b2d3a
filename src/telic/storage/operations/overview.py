"""Looking at one goal: all that is kept of it, in one transaction."""

from typing import Final

from telic.domain.events import Event
from telic.domain.ids import check_id
from telic.domain.limits import MAX_COUNTER
from telic.domain.overview import GoalGlance, GoalOverview, UsagePoint
from telic.storage.operations.leases import lease
from telic.storage.operations.verdicts import standing
from telic.storage.records import event_from_row, hold_from_row, record_from_row
from telic.storage.transaction import Transaction

EVENTS_SHOWN: Final = 100
HOLDS_SHOWN: Final = 50
POINTS_SHOWN: Final = 120
LINES_READ: Final = 20_000
"""Of a longer ledger the newest lines are added up, so that looking at a goal stays cheap."""


async def glance(tx: Transaction, goal_id: str) -> GoalGlance:
    """The goal, who drives it, and its open holds.

    Raises:
        GoalNotFound: there is none with this id.
    """
    state = await lease(tx, goal_id)
    rows = await tx.all("holds.unsettled", {"id": state.goal.id, "limit": HOLDS_SHOWN})
    return GoalGlance(state, tuple(hold_from_row(row) for row in rows))


async def overview(tx: Transaction, goal_id: str) -> GoalOverview:
    """The goal with its history's end, how its criteria stand, and the course of its usage.

    Raises:
        GoalNotFound: there is none with this id.
        StoreCorrupt: a verdict or an answer cannot be understood.
    """
    seen = await glance(tx, check_id(goal_id))
    return GoalOverview(
        glance=seen,
        criteria=await standing(tx, seen.goal),
        events=await _latest_events(tx, goal_id),
        usage=await _usage(tx, goal_id),
    )


async def _latest_events(tx: Transaction, goal_id: str) -> tuple[Event, ...]:
    rows = await tx.all("events.before", {"id": goal_id, "before": MAX_COUNTER, "limit": EVENTS_SHOWN})
    return tuple(event_from_row(row) for row in rows)


async def _usage(tx: Transaction, goal_id: str) -> tuple[UsagePoint, ...]:
    row = await tx.maybe("records.get", {"id": goal_id})
    assert row is not None
    lines = record_from_row(row).ledger_count
    after = max(0, lines - LINES_READ)
    together = max(1, -(-(lines - after) // POINTS_SHOWN))
    rows = await tx.all("turns.course", {"id": goal_id, "after": after, "lines": together})
    return tuple(UsagePoint(*point[1:]) for point in rows)

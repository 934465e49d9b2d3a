"""What people are told where no turn may start, since others hold the rest of the goal's budget."""

import shlex
from collections.abc import Sequence

from telic.domain.clock import to_datetime
from telic.domain.goal import Goal
from telic.domain.hold import Hold
from telic.domain.limits import MAX_PAGE
from telic.store.async_store import AsyncGoalStore


async def reserving_holds(store: AsyncGoalStore, goal_id: str) -> list[Hold]:
    """Return the goal's holds that reserve budget now, in the order of their keys. Raises as the store."""
    found, after = list[Hold](), ""
    while True:
        page = await store.holds(goal_id, after=after, limit=MAX_PAGE)
        found += [hold for hold in page if hold.reserves]
        if len(page) < MAX_PAGE:
            return found
        after = page[-1].key


def held_by_others(goal: Goal, holds: Sequence[Hold]) -> str:
    """Return who holds the rest of the budget, until when, and how it is freed."""
    told = "the rest of the budget is held by others"
    times = [hold.expires_at for hold in holds if hold.expires_at is not None]
    if times:
        counts = "" if all(hold.frees_on_expiry for hold in holds) else "; what is still held then counts as used"
        told += f", until {to_datetime(max(times)):%Y-%m-%d %H:%M:%SZ}{counts}"
    key = shlex.quote(holds[0].key) if len(holds) == 1 else "KEY"
    return f"{told}. telic holds {goal.id} lists it, and telic release {goal.id} --hold {key} frees it"

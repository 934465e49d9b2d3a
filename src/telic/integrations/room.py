"""Room in a goal's budget for one call: held before it, shared with the calls that go on."""

import asyncio
import time
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Final

from telic.domain.clock import Instant
from telic.domain.errors import BudgetExceeded
from telic.domain.goal import Goal
from telic.domain.hold import HoldState, Reservation
from telic.domain.limits import MAX_PAGE

if TYPE_CHECKING:
    from telic.integrations.session import GoalSession

_LOOK_SECONDS: Final = 0.2
_DIVISIBLE: Final = frozenset({"tokens", "cost_microunits"})
"""What a call may also hold less of than it asked for."""


async def hold_room(session: "GoalSession", goal: Goal, key: str, wanted: Reservation) -> Reservation:
    """As much of `wanted` is held as nobody else holds, for as long as a call may take; here is how much.

    Where others hold all that is left, they are waited for.

    Raises:
        BudgetExceeded: the budget is used up, or others held all that is left for longer than the settings wait.
        GoalNotActive: the goal was stopped meanwhile.
    """
    if not any(wanted.as_dict().values()):
        return wanted
    until = time.monotonic() + session.settings.room_wait_seconds
    while True:
        try:
            return await _hold_what_is_left(session, goal, key, wanted)
        except BudgetExceeded as refusal:
            if not refusal.held:
                raise
            if time.monotonic() >= until:
                raise await _tell_until_when(session, goal, refusal) from refusal
        await asyncio.sleep(_LOOK_SECONDS)


async def _hold_what_is_left(session: "GoalSession", goal: Goal, key: str, wanted: Reservation) -> Reservation:
    asked, ttl = wanted, session.settings.call_timeout_seconds
    while True:
        place = partial(
            session.store.hold,
            goal.id,
            tokens=asked.tokens,
            turns=asked.turns,
            cost_microunits=asked.cost_microunits,
            ttl_seconds=ttl,
            key=key,
        )
        try:
            await session.patiently(place)
        except BudgetExceeded as refusal:
            left = refusal.budget - refusal.used - refusal.held
            if refusal.limit not in _DIVISIBLE or not 0 < left < refusal.asked:
                raise
            asked = replace(asked, **{refusal.limit: left})
        else:
            return asked


async def _tell_until_when(session: "GoalSession", goal: Goal, refusal: BudgetExceeded) -> BudgetExceeded:
    open_until: list[Instant] = []
    after: str | None = ""
    while after is not None:
        page = await session.patiently(partial(session.store.holds, goal.id, after=after, limit=MAX_PAGE))
        open_until += [hold.expires_at for hold in page if hold.state is HoldState.OPEN and hold.expires_at is not None]
        after = page[-1].key if len(page) == MAX_PAGE else None
    return BudgetExceeded(
        refusal.limit,
        refusal.used,
        refusal.budget,
        refusal.held,
        refusal.asked,
        held_until=min(open_until, default=None),
        goal_id=goal.id,
    )

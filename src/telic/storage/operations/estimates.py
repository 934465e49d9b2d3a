"""Estimates in the ledger: the usage of lost holds, until somebody says what it was (ADR 21)."""

from dataclasses import replace
from typing import Final

from telic.domain.budget import TurnUsage, UsageKind, UsageTakenBack
from telic.domain.clock import Instant
from telic.domain.errors import HoldLost
from telic.domain.events import Turn
from telic.domain.goal import Actor, Goal
from telic.domain.ids import check_id
from telic.domain.lease import Hold, HoldState
from telic.domain.limits import MAX_PAGE
from telic.storage.operations import clipping, holds
from telic.storage.operations.call import Call, get, lock, require_lease
from telic.storage.operations.ledger import HoldEstimated, NewTurn, Recorded, own_key
from telic.storage.records import goal_from_row, hold_from_row, turn_from_row
from telic.storage.transaction import Transaction, Value

_GOALS_AT_ONCE: Final = 100


async def count_expired(tx: Transaction, *, at: Instant, goal_id: str) -> Goal:
    """Each expired hold of the goal is a line of the ledger, marked as an estimate, unless expiry frees the hold.

    If these lines reach a budget, the goal is paused.
    """
    return await count_expired_of(tx, at, await lock(tx, goal_id))


async def count_expired_of(tx: Transaction, at: Instant, goal: Goal) -> Goal:
    """As `count_expired`, of a goal that this transaction has locked."""
    while rows := await tx.all("holds.overdue", {"id": goal.id, "limit": MAX_PAGE}):
        for row in rows:
            hold = hold_from_row(row)
            kind = UsageKind.WORK if hold.reserved.turns else UsageKind.SUB_AGENT
            goal = await _count(tx, at, goal, hold, kind)
    return goal


async def count_expired_anywhere(tx: Transaction, at: Instant) -> None:
    """As `count_expired`, of the goals whose holds expired longest ago; some, so that nobody waits for long."""
    for row in await tx.all("holds.goals_with_overdue", {"limit": _GOALS_AT_ONCE}):
        await count_expired_of(tx, at, goal_from_row(row))


async def has_ended_overdue(tx: Transaction, *, goal_id: str | None) -> bool:
    """Return whether a goal that has ended, or this one if it has, has expired holds that should be counted."""
    named = None if goal_id is None else check_id(goal_id)
    return await tx.one_or_none("holds.has_ended_overdue", {"id": named}) is not None


async def count_expired_of_ended(tx: Transaction, *, at: Instant, goal_id: str | None) -> None:
    """As `count_expired`, for goals that have ended: no later turn or hold would count their holds."""
    for row in await tx.all("holds.ended_goals_with_overdue", {"id": goal_id, "limit": _GOALS_AT_ONCE}):
        await count_expired_of(tx, at, goal_from_row(row))


async def count_lost(tx: Transaction, call: Call, goal_id: str, *, prefix: str, but: str) -> Goal:
    """Expired holds are counted, and at once each open one whose key begins so: its turn is taken once more.

    `but` is the key of the hold under which it is taken. The lost ones count as no turns.
    """
    goal = await lock(tx, goal_id)
    await require_lease(tx, call, goal)
    goal = await count_expired_of(tx, call.at, goal)
    for hold in await holds.open_of(tx, goal_id):
        if hold.key.startswith(prefix) and hold.key != but:
            goal = await _count(tx, call.at, goal, hold, UsageKind.SUB_AGENT)
    return goal


async def _count(tx: Transaction, at: Instant, goal: Goal, hold: Hold, kind: UsageKind) -> Goal:
    call = Call(at, Actor.SYSTEM, own_key("expired", hold.goal_id, hold.key))
    held = {name: amount for name, amount in hold.reserved.as_dict().items() if name != "turns"}
    line = NewTurn(TurnUsage(**held), kind, hold=hold.key, is_estimate=True)
    try:
        return (await clipping.record_turn(tx, call, goal.id, line)).goal
    except HoldLost:
        # On PostgreSQL its own turn may have been first, before this transaction had the goal's row.
        return await get(tx, goal.id)


async def record_turn(tx: Transaction, call: Call, goal_id: str, new: NewTurn) -> Recorded:
    """As `clipping.record_turn`; where an estimate stands for the hold, it was taken back, and the turn stands for it.

    What expired meanwhile is counted.
    """
    try:
        recorded = await clipping.record_turn(tx, call, goal_id, new)
    except HoldEstimated:
        recorded = await _record_instead(tx, call, goal_id, new)
    if not recorded.has_overdue_holds:
        return recorded
    goal = await count_expired(tx, at=call.at, goal_id=goal_id)
    return Recorded(replace(recorded.result, goal=goal), has_overdue_holds=False)


async def _record_instead(tx: Transaction, call: Call, goal_id: str, new: NewTurn) -> Recorded:
    estimate = await _estimate_of(tx, call, goal_id, str(new.hold))
    known = await tx.one_or_none("turns.with_key", {"id": goal_id, "key": call.key})
    if estimate is None or known is not None:
        return await clipping.record_turn(tx, call, goal_id, new)
    await _take_back(tx, call, estimate)
    state = HoldState.ESTIMATED if new.is_estimate else HoldState.SETTLED
    await _settle_again(tx, goal_id, str(new.hold), state, call.key)
    return await clipping.record_turn(tx, call, goal_id, replace(new, hold=None))


async def release(tx: Transaction, call: Call, goal_id: str, *, hold: str) -> Hold:
    """As `holds.release`; where an estimate stands for the hold, it was taken back."""
    estimate = await _estimate_of(tx, call, goal_id, hold)
    if estimate is None:
        return await holds.release(tx, call, goal_id, hold=hold)
    await _take_back(tx, call, estimate)
    return await _settle_again(tx, goal_id, hold, HoldState.RELEASED, None)


async def _estimate_of(tx: Transaction, call: Call, goal_id: str, hold: str) -> Turn | None:
    """Return the line that stands for the hold of the goal, which is locked then; None where it is no estimate."""
    await require_lease(tx, call, await lock(tx, goal_id))
    row = await tx.one_or_none("holds.get", {"id": goal_id, "key": hold})
    if row is None or (found := hold_from_row(row)).state is not HoldState.ESTIMATED:
        return None
    line = await tx.one_or_none("turns.with_key", {"id": goal_id, "key": found.turn_key})
    return None if line is None else turn_from_row(line)


async def _take_back(tx: Transaction, call: Call, estimate: Turn) -> None:
    # A line of its own, as the ledger is only ever added to (ADR 21).
    usage = UsageTakenBack.of(estimate.usage)
    line = NewTurn(usage, estimate.kind, estimate.model, is_estimate=True, takes_back=estimate.number)
    key = own_key("taken-back", estimate.goal_id, str(estimate.number))
    await clipping.record_turn(tx, replace(call, key=key), estimate.goal_id, line)


async def _settle_again(tx: Transaction, goal_id: str, hold: str, state: HoldState, turn_key: str | None) -> Hold:
    parameters: dict[str, Value] = {"id": goal_id, "hold": hold, "state": state.value, "turn_key": turn_key}
    row = await tx.one_or_none("holds.settle_again", parameters)
    if row is None:
        raise HoldLost("another call has settled the hold meanwhile")
    return hold_from_row(row)

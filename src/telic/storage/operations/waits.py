"""Waits: paused goals that become active by themselves, at a time or on a named signal."""

from telic.domain.budget import exhausted_limit
from telic.domain.clock import Instant
from telic.domain.errors import GoalNotActive, KeyConflict
from telic.domain.events import EventKind
from telic.domain.goal import Actor, Goal, GoalStatus, Reason
from telic.domain.lease import Lease
from telic.domain.lifecycle import Action
from telic.domain.limits import MAX_PAGE, check_name, check_page_size
from telic.storage.operations.call import Call, require_free_scope
from telic.storage.operations.estimates import count_expired_anywhere, count_expired_of
from telic.storage.operations.leases import claim_due, claim_due_in_scope
from telic.storage.operations.transitions import lock, rewrite
from telic.storage.records import event_from_row, goal_from_row
from telic.storage.transaction import Raced, Transaction, Value

_AWAKE: dict[str, Value] = {"status": GoalStatus.ACTIVE.value, "reason": None, "note": None}


async def wake(tx: Transaction, call: Call, goal_id: str) -> Goal:
    """The waiting goal is active, or kept asleep where its budget is used up.

    Raises:
        GoalNotActive: it waits for nothing.
        WouldReplace: another goal is active, which the call may not pause.
        GoalNotFound, StaleUpdate, NotAllowed, KeyConflict: nothing changed.
    """
    call.authorize(Action.WAKE)
    goal = await lock(tx, goal_id)
    if await _was_woken(tx, call, goal):
        return goal
    call.require_fresh(goal)
    if not goal.is_waiting:
        raise GoalNotActive(f"goal {goal.id} is {goal.status} and waits for nothing", goal)
    goal = await count_expired_of(tx, call.at, goal)
    if exhausted_limit(goal.usage, goal.budget) is None:
        await _free_slot(tx, call, goal)
    return await _wake(tx, call, goal, {"woken_by": "call"}, with_key=True)


async def _free_slot(tx: Transaction, call: Call, goal: Goal) -> None:
    """The goal that is active in the scope, if any, is paused for this one. Raise WouldReplace if it may not be."""
    await require_free_scope(tx, call, goal.scope)
    row = await tx.one_or_none("goals.active", {"scope": goal.scope})
    if row is None:
        return
    active = await lock(tx, goal_from_row(row).id)
    if active.status is not GoalStatus.ACTIVE:
        raise Raced("the active goal stopped while another was being woken")
    data: dict[str, object] = {"reason": Reason.SUPERSEDED.value, "by": goal.id}
    paused: dict[str, Value] = {"status": GoalStatus.PAUSED.value, "reason": Reason.SUPERSEDED.value, "note": None}
    await rewrite(tx, call, active, EventKind.PAUSED, data, paused, with_key=False)


async def _was_woken(tx: Transaction, call: Call, goal: Goal) -> bool:
    row = await tx.one_or_none("events.with_key", {"id": goal.id, "key": call.key})
    if row is None:
        return False
    event = event_from_row(row)
    if event.actor is not call.actor or event.data.get("woken_by") != "call":
        raise KeyConflict(call.key)
    return True


async def signal(tx: Transaction, call: Call, name: str) -> list[Goal]:
    """Every goal that waits for the signal was woken as by `wake`; at most 1,000 at a time."""
    call.authorize(Action.WAKE)
    waiting = await tx.all("waits.signalled", {"signal": check_name("signal", name), "limit": MAX_PAGE})
    return [await wake_by_signal(tx, call, goal_from_row(row), name) for row in waiting]


async def wake_by_signal(tx: Transaction, call: Call, goal: Goal, name: str) -> Goal:
    """The locked goal, which waits for this signal, was woken by it."""
    return await _wake(tx, call, goal, {"woken_by": "signal", "signal": name})


async def now(tx: Transaction) -> Instant:
    """The present instant by the database's clock."""
    row = await tx.one_or_none("waits.now", {})
    assert row is not None
    return Instant(int(row[0]))


async def claim_what_is_due(
    tx: Transaction, call: Call, *, scope: str | None, holder: str, ttl_seconds: float, limit: int
) -> list[Lease]:
    """Goals whose time has come were woken, and up to `limit` active goals that nobody drives are the holder's.

    Each goal is woken once and granted once, however many workers ask at the same time, and whatever their clocks say.
    """
    parameters: dict[str, Value] = {
        "limit": check_page_size(limit),
        "scope": None if scope is None else check_name("scope", scope),
    }
    await count_expired_anywhere(tx, call.at)
    for row in await tx.all("waits.due", parameters):
        await _wake(tx, call, goal_from_row(row), {"woken_by": "time"})
    if scope is None:
        return await claim_due(tx, holder=holder, ttl_seconds=ttl_seconds, limit=limit)
    return await claim_due_in_scope(tx, scope=scope, holder=holder, ttl_seconds=ttl_seconds)


async def _wake(tx: Transaction, call: Call, goal: Goal, data: dict[str, object], *, with_key: bool = False) -> Goal:
    by_system = call if with_key else Call(call.at, Actor.SYSTEM, call.key)
    goal = await count_expired_of(tx, call.at, goal)
    kept = await _why_asleep(tx, goal)
    if kept is None:
        return await rewrite(tx, by_system, goal, EventKind.RESUMED, data, _AWAKE, with_key=with_key)
    asleep: dict[str, Value] = {"reason": str(kept["reason"])}
    return await rewrite(tx, by_system, goal, EventKind.KEPT_ASLEEP, data | kept, asleep, with_key=with_key)


async def _why_asleep(tx: Transaction, goal: Goal) -> dict[str, object] | None:
    row = await tx.one_or_none("goals.active", {"scope": goal.scope})
    if row is not None:
        return {"reason": Reason.SUPERSEDED.value, "by": goal_from_row(row).id}
    limit = exhausted_limit(goal.usage, goal.budget)
    return None if limit is None else {"reason": Reason.BUDGET.value, "limit": limit}

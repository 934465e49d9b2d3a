"""Leases and waits: which worker may drive a goal, until when, and which paused goals become active by themselves."""

from telic.domain.budget import exhausted_limit
from telic.domain.clock import Instant
from telic.domain.errors import GoalNotActive, GoalNotFound, InvalidInput, KeyConflict, LeaseHeld
from telic.domain.events import EventKind
from telic.domain.goal import Actor, Goal, GoalStatus, Reason
from telic.domain.ids import check_id
from telic.domain.lease import Lease, LeaseState
from telic.domain.lifecycle import Action
from telic.domain.limits import MAX_PAGE, check_name, check_page_size, check_pause, check_ttl
from telic.storage.operations.call import Call, active_in, get, lease_lost, lock, require_free_scope, rewrite
from telic.storage.operations.estimates import count_expired_anywhere, count_expired_of
from telic.storage.operations.transitions import pause_for
from telic.storage.records import event_from_row, goal_from_row, lease_from_row, lease_state_from_row
from telic.storage.transaction import Raced, Transaction, Value

_AWAKE: dict[str, Value] = {"status": GoalStatus.ACTIVE.value, "reason": None, "note": None}


async def claim(tx: Transaction, *, goal_id: str | None, scope: str | None, worker: str, ttl_seconds: float) -> Lease:
    """The worker has the active goal's lease, with a token above all that were granted before.

    A worker that has the lease already is granted it once more, under a new token.
    """
    grant: dict[str, Value] = {"worker": check_name("worker", worker), "ttl_microseconds": check_ttl(ttl_seconds)}
    if (goal_id is None) is (scope is None):
        raise InvalidInput("give goal_id or scope, one of them")
    if goal_id is not None:
        row = await tx.one_or_none("leases.claim", grant | {"id": check_id(goal_id)})
        return lease_from_row(row) if row is not None else await _refuse(tx, await get(tx, goal_id))
    row = await tx.one_or_none("leases.claim_scope", grant | {"scope": check_name("scope", scope)})
    return lease_from_row(row) if row is not None else await _refuse(tx, await active_in(tx, str(scope)), scope)


async def _refuse(tx: Transaction, goal: Goal | None, scope: str | None = None) -> Lease:
    if goal is None:
        raise GoalNotActive(f"the scope {scope!a} has no active goal")
    if goal.status is not GoalStatus.ACTIVE:
        raise GoalNotActive(f"goal {goal.id} is {goal.status}: only an active goal can be claimed", goal)
    state = await lease(tx, goal.id)
    if state.worker is None:
        raise Raced("the lease ended while the claim was being refused")
    raise LeaseHeld(goal.id, state.worker, state.expires_in_microseconds)


async def renew(tx: Transaction, held: Lease, *, ttl_seconds: float) -> Lease:
    """The lease lasts for another `ttl_seconds` from now; it carries the goal as it stands."""
    row = await tx.one_or_none("leases.renew", _shown(held) | {"ttl_microseconds": check_ttl(ttl_seconds)})
    if row is None:
        raise lease_lost(held.goal.id)
    return lease_from_row(row)


async def release(tx: Transaction, held: Lease, *, pause_seconds: float = 0) -> Goal:
    """The lease has ended, and for `pause_seconds` the goal is not due. Releasing it again changes nothing."""
    pause: dict[str, Value] = {"pause_microseconds": check_pause(pause_seconds)}
    row = await tx.one_or_none("leases.release", _shown(held) | pause)
    if row is None:
        raise lease_lost(held.goal.id)
    return goal_from_row(row)


def _shown(held: Lease) -> dict[str, Value]:
    if not isinstance(held, Lease):
        raise InvalidInput("the lease must be a Lease")
    return {"id": held.goal.id, "lease_worker": held.worker, "lease_token": held.token}


async def lease(tx: Transaction, goal_id: str) -> LeaseState:
    """Return who may drive the goal now, or raise GoalNotFound."""
    row = await tx.one_or_none("leases.get", {"id": check_id(goal_id)})
    if row is None:
        raise GoalNotFound(goal_id)
    return lease_state_from_row(row)


async def wake(tx: Transaction, call: Call, goal_id: str) -> Goal:
    """The waiting goal is active, or kept asleep where its budget is used up."""
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
    seen = await active_in(tx, goal.scope)
    if seen is None:
        return
    active = await lock(tx, seen.id)
    if active.status is not GoalStatus.ACTIVE:
        raise Raced("the active goal stopped while another was being woken")
    await pause_for(tx, call, active, {"reason": Reason.SUPERSEDED.value, "by": goal.id})


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
    """Return the present instant by the database's clock."""
    row = await tx.one_or_none("waits.now", {})
    assert row is not None
    return Instant(int(row[0]))


async def claim_due(
    tx: Transaction, call: Call, *, scope: str | None, worker: str, ttl_seconds: float, limit: int
) -> list[Lease]:
    """Goals whose time has come were woken, and up to `limit` active goals that nobody drives are the worker's.

    Those that a dead worker left come first, then those served longest ago. Each goal is woken once and granted once,
    however many workers ask at the same time, and whatever their clocks say.
    """
    named = None if scope is None else check_name("scope", scope)
    due: dict[str, Value] = {"limit": check_page_size(limit), "scope": named}
    grant: dict[str, Value] = {"worker": check_name("worker", worker), "ttl_microseconds": check_ttl(ttl_seconds)}
    await count_expired_anywhere(tx, call.at)
    for row in await tx.all("waits.due", due):
        await _wake(tx, call, goal_from_row(row), {"woken_by": "time"})
    statement = "leases.claim_due" if scope is None else "leases.claim_due_in_scope"
    return [lease_from_row(row) for row in await tx.all(statement, due | grant)]


async def _wake(tx: Transaction, call: Call, goal: Goal, data: dict[str, object], *, with_key: bool = False) -> Goal:
    by_system = call if with_key else Call(call.at, Actor.SYSTEM, call.key)
    goal = await count_expired_of(tx, call.at, goal)
    kept = await _why_asleep(tx, goal)
    if kept is None:
        return await rewrite(tx, by_system, goal, EventKind.RESUMED, data, _AWAKE, with_key=with_key)
    asleep: dict[str, Value] = {"reason": str(kept["reason"])}
    return await rewrite(tx, by_system, goal, EventKind.KEPT_ASLEEP, data | kept, asleep, with_key=with_key)


async def _why_asleep(tx: Transaction, goal: Goal) -> dict[str, object] | None:
    active = await active_in(tx, goal.scope)
    if active is not None:
        return {"reason": Reason.SUPERSEDED.value, "by": active.id}
    limit = exhausted_limit(goal.usage, goal.budget)
    return None if limit is None else {"reason": Reason.BUDGET.value, "limit": limit}

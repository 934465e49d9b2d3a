"""Leases: who may drive a goal, until when."""

from telic.domain.errors import GoalNotActive, GoalNotFound, InvalidInput, LeaseHeld
from telic.domain.goal import Goal, GoalStatus
from telic.domain.ids import check_id
from telic.domain.lease import Lease, LeaseState
from telic.domain.limits import check_name, check_page_size, check_pause, check_ttl
from telic.storage.operations.call import lease_lost
from telic.storage.operations.goals import get
from telic.storage.records import goal_from_row, lease_from_row, lease_state_from_row
from telic.storage.transaction import Raced, Transaction, Value


async def claim(tx: Transaction, *, goal_id: str | None, scope: str | None, holder: str, ttl_seconds: float) -> Lease:
    """The holder has the active goal's lease, with a token above all that were granted before.

    A holder that has the lease already is granted it anew, under a new token.

    Raises:
        LeaseHeld: another has it.
        GoalNotActive, GoalNotFound, InvalidInput: nothing changed.
    """
    grant: dict[str, Value] = {"holder": check_name("holder", holder), "ttl_microseconds": check_ttl(ttl_seconds)}
    if (goal_id is None) is (scope is None):
        raise InvalidInput("give goal_id or scope, one of them")
    if goal_id is not None:
        row = await tx.one_or_none("leases.claim", grant | {"id": check_id(goal_id)})
        return lease_from_row(row) if row is not None else await _refuse(tx, await get(tx, goal_id))
    row = await tx.one_or_none("leases.claim_scope", grant | {"scope": check_name("scope", scope)})
    return lease_from_row(row) if row is not None else await _refuse(tx, await _active(tx, str(scope)))


async def _active(tx: Transaction, scope: str) -> Goal:
    row = await tx.one_or_none("goals.active", {"scope": scope})
    if row is None:
        raise GoalNotActive(f"the scope {scope!a} has no active goal")
    return goal_from_row(row)


async def _refuse(tx: Transaction, goal: Goal) -> Lease:
    if goal.status is not GoalStatus.ACTIVE:
        raise GoalNotActive(f"goal {goal.id} is {goal.status}: only an active goal can be claimed", goal)
    state = await lease(tx, goal.id)
    if state.holder is None:
        raise Raced("the lease ended while the claim was being refused")
    raise LeaseHeld(goal.id, state.holder, state.expires_in_microseconds)


async def claim_due(tx: Transaction, *, holder: str, ttl_seconds: float, limit: int) -> list[Lease]:
    """Up to `limit` active goals that nobody drives have the holder's lease; first what dead workers left.

    Then come those served longest ago.
    """
    rows = await tx.all(
        "leases.claim_due",
        {
            "holder": check_name("holder", holder),
            "ttl_microseconds": check_ttl(ttl_seconds),
            "limit": check_page_size(limit),
        },
    )
    return [lease_from_row(row) for row in rows]


async def claim_due_in_scope(tx: Transaction, *, scope: str, holder: str, ttl_seconds: float) -> list[Lease]:
    """The scope's active goal has the holder's lease, if there is one that nobody drives."""
    rows = await tx.all(
        "leases.claim_due_in_scope",
        {
            "scope": check_name("scope", scope),
            "holder": check_name("holder", holder),
            "ttl_microseconds": check_ttl(ttl_seconds),
        },
    )
    return [lease_from_row(row) for row in rows]


async def renew(tx: Transaction, held: Lease, *, ttl_seconds: float) -> Lease:
    """The lease lasts for another `ttl_seconds` from now; it carries the goal as it stands.

    Raises:
        LeaseLost: it expired, was released, or another worker has the goal.
        InvalidInput, InvalidNumber: nothing changed.
    """
    row = await tx.one_or_none("leases.renew", _shown(held) | {"ttl_microseconds": check_ttl(ttl_seconds)})
    if row is None:
        raise lease_lost(held.goal.id)
    return lease_from_row(row)


async def release(tx: Transaction, held: Lease, *, pause_seconds: float = 0) -> Goal:
    """The lease has ended: the next claim need not wait until it expires. Releasing it again changes nothing.

    For `pause_seconds` the goal is not due: only who asks for it by its name is granted it.

    Raises:
        LeaseLost: it expired, or another worker was granted the goal since.
    """
    pause: dict[str, Value] = {"pause_microseconds": check_pause(pause_seconds)}
    row = await tx.one_or_none("leases.release", _shown(held) | pause)
    if row is None:
        raise lease_lost(held.goal.id)
    return goal_from_row(row)


def _shown(held: Lease) -> dict[str, Value]:
    if not isinstance(held, Lease):
        raise InvalidInput("the lease must be a Lease")
    return {"id": held.goal.id, "lease_holder": held.holder, "lease_token": held.token}


async def lease(tx: Transaction, goal_id: str) -> LeaseState:
    """Who may drive the goal now.

    Raises:
        GoalNotFound: there is none with this id.
    """
    row = await tx.one_or_none("leases.get", {"id": check_id(goal_id)})
    if row is None:
        raise GoalNotFound(goal_id)
    return lease_state_from_row(row)

"""What every mutating operation is told about the call it serves."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from telic.domain.clock import Instant
from telic.domain.errors import InvalidInput, KeyConflict, LeaseLost, StaleUpdate, WouldReplace
from telic.domain.events import Event, EventKind
from telic.domain.goal import Actor, Goal
from telic.domain.ids import (
    to_data,
)
from telic.domain.lease import Lease
from telic.domain.lifecycle import Action, authorize
from telic.domain.limits import check_name, check_revision
from telic.storage.records import event_from_row, goal_from_row, lease_state_from_row
from telic.storage.transaction import Transaction, Value


@dataclass(frozen=True, slots=True)
class Call:
    """When, on whose behalf, under which idempotency key, and from which revision a change is asked for."""

    at: Instant
    actor: Actor
    key: str
    expected_revision: int | None = None
    lease: Lease | None = None
    replace: bool | str = True
    signature: Mapping[str, object] = field(default_factory=dict[str, object])
    """Who acted and by which door, where that is known: part of the data of every event of the call."""

    def data(self, changed: Mapping[str, object]) -> str:
        """Return the data of the call's event, as it is stored: what changed, and who acted."""
        return to_data({**changed, **self.signature})

    @property
    def replaced(self) -> str | None:
        """Which active goal the call may pause for another: None for any, a text for the one of that id, or none."""
        return self.replace if isinstance(self.replace, str) else None if self.replace else ""

    @property
    def lease_columns(self) -> dict[str, Value]:
        """What a statement compares with the goal's lease; None for a call without one."""
        if self.lease is None:
            return {"lease_holder": None, "lease_token": None}
        return {"lease_holder": self.lease.holder, "lease_token": self.lease.token}

    def authorize(self, action: Action) -> None:
        """Raise if the call's actor may not do this, or the call itself is malformed.

        Raises:
            NotAllowed: the actor may not.
            InvalidInput: the key or the expected revision cannot be one.
        """
        check_name("key", self.key)
        check_revision(self.expected_revision)
        if not isinstance(self.replace, bool | str):
            raise InvalidInput("replace must be True, False or the id of the goal that may be paused")
        if self.lease is not None and not isinstance(self.lease, Lease):
            raise InvalidInput("the lease must be a Lease")
        authorize(self.actor, action, is_guarded=self.expected_revision is not None)

    def require_fresh(self, goal: Goal) -> None:
        """Raise StaleUpdate if the goal is no longer at the revision that the caller has seen.

        Raises:
            StaleUpdate: it has moved on.
        """
        if self.expected_revision is not None and goal.revision != self.expected_revision:
            raise StaleUpdate(goal, self.expected_revision)


async def was_done(tx: Transaction, call: Call, goal_id: str, kind: EventKind, data: dict[str, object]) -> bool:
    """Whether this very call has already happened.

    Raises:
        KeyConflict: its key belongs to another call on the goal.
    """
    row = await tx.one_or_none("events.with_key", {"id": goal_id, "key": call.key})
    if row is None:
        return False
    require_same(event_from_row(row), call, kind, data)
    return True


def require_same(event: Event, call: Call, kind: EventKind, data: dict[str, object]) -> None:
    """Raise KeyConflict if the event is not what the call would write.

    Raises:
        KeyConflict: it is another call's.
    """
    if event.kind is not kind or event.actor is not call.actor or event.changed != data:
        raise KeyConflict(call.key)


async def require_free_scope(tx: Transaction, call: Call, scope: str) -> None:
    """Raise WouldReplace if another goal is active in the scope which the call may not pause."""
    row = None if call.replaced is None else await tx.one_or_none("goals.active", {"scope": scope})
    active = None if row is None else goal_from_row(row)
    if active is not None and active.id != call.replaced:
        row = await tx.one_or_none("leases.get", {"id": active.id})
        raise WouldReplace(active, None if row is None else lease_state_from_row(row).holder)


async def require_lease(tx: Transaction, call: Call, goal: Goal) -> None:
    """Raise LeaseLost if the call has a lease on the goal, and that is kept no longer.

    Raises:
        LeaseLost: it expired, was released, or another worker has the goal.
    """
    if call.lease is None:
        return
    row = await tx.one_or_none("leases.get", {"id": goal.id})
    state = None if row is None else lease_state_from_row(row)
    if state is None or (state.holder, state.token) != (call.lease.holder, call.lease.token):
        raise lease_lost(goal.id)


def lease_lost(goal_id: str) -> LeaseLost:
    """The error of a worker that no longer drives the goal."""
    return LeaseLost(f"the lease on goal {goal_id} expired, was released, or is another worker's")

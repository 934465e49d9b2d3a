"""The parts that writing operations share: the call, the goal's row, and one more line of its history."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from telic.domain.budget import budget_columns
from telic.domain.clock import Instant
from telic.domain.criteria import criteria_to_json
from telic.domain.errors import GoalNotFound, InvalidInput, KeyConflict, LeaseLost, StaleUpdate, WouldReplace
from telic.domain.events import EventKind
from telic.domain.goal import Actor, Goal
from telic.domain.ids import check_id, to_data
from telic.domain.lease import Lease
from telic.domain.lifecycle import TERMINAL, Action, authorize
from telic.domain.limits import check_name, check_revision
from telic.storage.records import event_from_row, goal_from_row, lease_state_from_row
from telic.storage.transaction import Row, Transaction, Value


@dataclass(frozen=True, slots=True)
class Call:
    """The context of a write: its time, its actor, its idempotency key, and the expected revision."""

    at: Instant
    actor: Actor
    key: str
    expected_revision: int | None = None
    lease: Lease | None = None
    replace: bool | str = True
    signature: Mapping[str, object] = field(default_factory=dict[str, object])
    """The actor's name and door, where they are known: part of the data of every event of the call."""

    def data(self, changed: Mapping[str, object]) -> str:
        """Return the data of the call's event, as it is stored: what changed, and who acted."""
        return to_data({**changed, **self.signature})

    @property
    def replaced(self) -> str | None:
        """Which active goal the call may pause for another: None for any, a text for the one of that id, or none."""
        return self.replace if isinstance(self.replace, str) else None if self.replace else ""

    @property
    def lease_columns(self) -> dict[str, Value]:
        """The values that a statement compares with the goal's lease; None for a call without one."""
        if self.lease is None:
            return {"lease_worker": None, "lease_token": None}
        return {"lease_worker": self.lease.worker, "lease_token": self.lease.token}

    def authorize(self, action: Action) -> None:
        """Raise NotAllowed if the call's actor may not do this, InvalidInput if the call itself is malformed."""
        check_name("key", self.key)
        check_revision(self.expected_revision)
        if not isinstance(self.replace, bool | str):
            raise InvalidInput("replace must be True, False or the id of the goal that may be paused")
        if self.lease is not None and not isinstance(self.lease, Lease):
            raise InvalidInput("the lease must be a Lease")
        authorize(self.actor, action, is_guarded=self.expected_revision is not None)

    def require_fresh(self, goal: Goal) -> None:
        """Raise StaleUpdate if the goal is no longer at the revision that the caller has seen."""
        if self.expected_revision is not None and goal.revision != self.expected_revision:
            raise StaleUpdate(goal, self.expected_revision)


async def get(tx: Transaction, goal_id: str) -> Goal:
    """Return the goal with this id, or raise GoalNotFound."""
    return found(await tx.one_or_none("goals.get", {"id": goal_id}), goal_id)


def found(row: Row | None, goal_id: str) -> Goal:
    """Return the goal in the row, or raise GoalNotFound where there is no row."""
    if row is None:
        raise GoalNotFound(goal_id)
    return goal_from_row(row)


async def active_in(tx: Transaction, scope: str) -> Goal | None:
    """Return the scope's active goal, or None."""
    row = await tx.one_or_none("goals.active", {"scope": scope})
    return None if row is None else goal_from_row(row)


async def lock(tx: Transaction, goal_id: str) -> Goal:
    """Return the goal, which nobody else changes until this transaction ends, or raise GoalNotFound."""
    return found(await tx.one_or_none("goals.lock", {"id": check_id(goal_id)}), goal_id)


async def lock_for(
    tx: Transaction, call: Call, goal_id: str, kind: EventKind, data: dict[str, object]
) -> tuple[Goal, bool]:
    """Return the locked goal, and whether this very call has already happened to it; else it is as the caller saw it.

    Raises:
        KeyConflict: the call's key belongs to another call on the goal.
        StaleUpdate: the goal has moved on.
        GoalNotFound: there is none with this id.
    """
    goal = await lock(tx, goal_id)
    # A repeated call comes first: what it did has raised the revision that it expects.
    if await was_done(tx, call, goal.id, kind, data):
        return goal, True
    call.require_fresh(goal)
    return goal, False


async def was_done(tx: Transaction, call: Call, goal_id: str, kind: EventKind, data: dict[str, object]) -> bool:
    """Return whether this very call has already happened; raise KeyConflict if its key is another call's."""
    row = await tx.one_or_none("events.with_key", {"id": goal_id, "key": call.key})
    if row is None:
        return False
    event = event_from_row(row)
    if event.kind is not kind or event.actor is not call.actor or event.changed != data:
        raise KeyConflict(call.key)
    return True


async def require_free_scope(tx: Transaction, call: Call, scope: str) -> None:
    """Raise WouldReplace if another goal is active in the scope which the call may not pause."""
    active = None if call.replaced is None else await active_in(tx, scope)
    if active is not None and active.id != call.replaced:
        row = await tx.one_or_none("leases.get", {"id": active.id})
        raise WouldReplace(active, None if row is None else lease_state_from_row(row).worker)


async def require_lease(tx: Transaction, call: Call, goal: Goal) -> None:
    """Raise LeaseLost if the call has a lease on the goal that expired, was released, or is another worker's now."""
    if call.lease is None:
        return
    row = await tx.one_or_none("leases.get", {"id": goal.id})
    state = None if row is None else lease_state_from_row(row)
    if state is None or (state.worker, state.token) != (call.lease.worker, call.lease.token):
        raise lease_lost(goal.id)


def lease_lost(goal_id: str) -> LeaseLost:
    """Return the error of a worker that no longer drives the goal."""
    return LeaseLost(f"the lease on goal {goal_id} expired, was released, or is another worker's")


async def rewrite(
    tx: Transaction,
    call: Call,
    goal: Goal,
    kind: EventKind,
    data: dict[str, object],
    columns: dict[str, Value] | None = None,
    *,
    with_key: bool = True,
) -> Goal:
    """The locked goal has the given columns and the next revision, and its history says so.

    Of several rewrites in one call only the last carries the call's key, which a goal's history holds once.
    """
    changed: dict[str, Value] = {
        "text": goal.text,
        "criteria": criteria_to_json(goal.criteria),
        **budget_columns(goal.budget),
        "status": goal.status.value,
        "reason": goal.reason and goal.reason.value,
        "note": goal.note,
    } | (columns or {})
    changed["ends"] = int(changed["status"] in TERMINAL)
    return await _write(tx, call, goal, "goals.redefine", kind, data, changed, key=call.key if with_key else None)


async def remark(tx: Transaction, call: Call, goal: Goal, kind: EventKind, data: dict[str, object]) -> Goal:
    """Append an event to the locked goal's history; its definition, status and revision stay."""
    return await _write(tx, call, goal, "goals.remark", kind, data, {}, key=call.key)


async def _write(
    tx: Transaction,
    call: Call,
    goal: Goal,
    statement: str,
    kind: EventKind,
    data: dict[str, object],
    columns: dict[str, Value],
    *,
    key: str | None,
) -> Goal:
    # The row goes first: the event's statement takes its number, its revision and the chain's head from there.
    line: dict[str, Value] = {"id": goal.id, "kind": kind.value, "actor": call.actor.value, "key": key}
    line["data"] = call.data(data)
    row = await tx.one_or_none(statement, columns | line | {"at": call.at})
    assert row is not None
    await tx.one_or_none("events.append", line)
    return goal_from_row(row)

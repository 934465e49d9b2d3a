"""Holds: reserving budget before a model is called, and giving it back."""

from collections.abc import Sequence

from telic.domain.authority import Action
from telic.domain.budget import LIMITS
from telic.domain.errors import BudgetExceeded, GoalNotActive, GoalNotFound, HoldLost, InvalidInput, KeyConflict
from telic.domain.goal import Goal, GoalStatus
from telic.domain.hold import Hold, HoldState, Reservation
from telic.domain.ids import check_id
from telic.domain.limits import MAX_NAME_CHARS, MAX_PAGE, check_name, check_page_size, check_text, check_ttl
from telic.storage.operations.call import Call, require_lease
from telic.storage.operations.goals import get
from telic.storage.records import hold_from_row
from telic.storage.transaction import Raced, Transaction, Value


async def place(tx: Transaction, call: Call, goal_id: str, *, reserved: Reservation, ttl_seconds: float) -> Hold:
    """The budget is reserved for one turn: what is used, held and asked for together stays within it.

    Raises:
        BudgetExceeded: there is no room.
        GoalNotActive, GoalNotFound, LeaseLost, KeyConflict, InvalidNumber: nothing changed.
    """
    call.authorize(Action.HOLD)
    if not isinstance(reserved, Reservation):
        raise InvalidInput("the reservation must be a Reservation")
    row = await tx.maybe(
        "holds.place",
        {
            "id": check_id(goal_id),
            "key": call.key,
            "at": call.at,
            "ttl_microseconds": check_ttl(ttl_seconds),
            **reserved.as_dict(),
            **call.lease_columns,
        },
    )
    if row is None:
        await _refuse(tx, call, goal_id, reserved)
        raise Raced("the goal changed while the hold was being refused")
    hold = hold_from_row(row, reserved)
    if hold.reserved != reserved:
        raise KeyConflict(call.key)
    return hold


async def _refuse(tx: Transaction, call: Call, goal_id: str, reserved: Reservation) -> None:
    goal = await get(tx, goal_id)
    await require_lease(tx, call, goal)
    if goal.status is not GoalStatus.ACTIVE:
        raise GoalNotActive(f"goal {goal.id} is {goal.status}: no turn may start", goal)
    held = [hold.reserved for hold in await all_of(tx, goal_id) if hold.state is HoldState.OPEN]
    _require_room(goal, held, reserved)


def _require_room(goal: Goal, held: Sequence[Reservation], asked: Reservation) -> None:
    for name in LIMITS:
        limit, used, wanted = getattr(goal.budget, name), getattr(goal.usage, name), getattr(asked, name)
        reserved = sum(getattr(hold, name) for hold in held)
        if limit is not None and used + reserved + wanted > limit:
            raise BudgetExceeded(name, used, limit, reserved, wanted)


async def release(tx: Transaction, call: Call, goal_id: str, *, hold: str) -> Hold:
    """The open hold is released: what it reserved is free again; one that is released stays so.

    Raises:
        HoldLost: it expired, or was settled before, or never was.
        GoalNotFound, LeaseLost, InvalidInput: nothing changed.
    """
    call.authorize(Action.HOLD)
    parameters = {"id": check_id(goal_id), "hold": check_name("hold", hold), **call.lease_columns}
    row = await tx.maybe("holds.release", parameters)
    if row is not None:
        return hold_from_row(row)
    await require_lease(tx, call, await get(tx, goal_id))
    row = await tx.maybe("holds.get", {"id": goal_id, "key": hold})
    known = None if row is None else hold_from_row(row)
    if known is not None and known.state is HoldState.RELEASED:
        return known
    raise HoldLost(f"the hold {hold!a} is {'unknown' if known is None else known.state}")


async def all_of(tx: Transaction, goal_id: str) -> list[Hold]:
    """All holds of the goal that were ever placed, in the order of their keys."""
    found: list[Hold] = []
    while True:
        after = found[-1].key if found else ""
        page = await holds(tx, goal_id, after=after, limit=MAX_PAGE)
        found += page
        if len(page) < MAX_PAGE:
            return found


async def holds(tx: Transaction, goal_id: str, *, after: str, limit: int) -> list[Hold]:
    """Up to `limit` of the goal's holds whose key is above `after`, in the order of their keys."""
    parameters: dict[str, Value] = {
        "id": check_id(goal_id),
        "after": check_text("after", after, MAX_NAME_CHARS),
        "limit": check_page_size(limit),
    }
    rows = await tx.all("holds.page", parameters)
    if not rows and not after and await tx.maybe("goals.get", {"id": goal_id}) is None:
        raise GoalNotFound(goal_id)
    return [hold_from_row(row) for row in rows]

"""Holds: reserving budget before a model is called, and giving it back."""

from collections.abc import Sequence
from dataclasses import dataclass

from telic.domain.budget import LIMITS, TurnUsage
from telic.domain.errors import BudgetExceeded, GoalNotActive, GoalNotFound, HoldLost, InvalidInput, KeyConflict
from telic.domain.goal import Goal, GoalStatus
from telic.domain.ids import check_id
from telic.domain.lease import Hold, HoldState, Reservation
from telic.domain.lifecycle import Action
from telic.domain.limits import MAX_NAME_CHARS, MAX_PAGE, check_name, check_page_size, check_text, check_ttl
from telic.storage.operations.call import Call, get, require_lease
from telic.storage.operations.ledger import HoldEstimated
from telic.storage.records import hold_from_row
from telic.storage.transaction import Raced, Transaction, Value


@dataclass(frozen=True, slots=True, kw_only=True)
class NewHold:
    """The budget to reserve, for how long, and whether expiry frees it or makes it a line of the ledger."""

    reserved: Reservation
    ttl_seconds: float
    frees_on_expiry: bool = False


@dataclass(frozen=True, slots=True)
class PlacedHold:
    """The hold, and whether the goal has expired ones that `estimates.count_expired` should count."""

    hold: Hold
    has_overdue_holds: bool

    @property
    def goal_id(self) -> str:
        """The goal that it holds budget of."""
        return self.hold.goal_id


async def place(tx: Transaction, call: Call, goal_id: str, new: NewHold) -> PlacedHold:
    """The budget is reserved for one turn: what is used, held and asked for together stays within it."""
    call.authorize(Action.HOLD)
    reserved = new.reserved
    if not isinstance(reserved, Reservation):
        raise InvalidInput("the reservation must be a Reservation")
    if not isinstance(new.frees_on_expiry, bool):
        raise InvalidInput("frees_on_expiry must be True or False")
    row = await tx.one_or_none(
        "holds.place",
        {
            "id": check_id(goal_id),
            "key": call.key,
            "at": call.at,
            "ttl_microseconds": check_ttl(new.ttl_seconds),
            "frees_on_expiry": int(new.frees_on_expiry),
            **reserved.as_dict(),
            **call.lease_columns,
        },
    )
    if row is None:
        await _refuse(tx, call, goal_id, reserved)
        raise Raced("the goal changed while the hold was being refused")
    hold = hold_from_row(row[:-1], reserved)
    if (hold.reserved, hold.frees_on_expiry) != (reserved, new.frees_on_expiry):
        raise KeyConflict(call.key)
    return PlacedHold(hold, has_overdue_holds=bool(row[-1]))


async def _refuse(tx: Transaction, call: Call, goal_id: str, reserved: Reservation) -> None:
    goal = await get(tx, goal_id)
    await require_lease(tx, call, goal)
    if goal.status is not GoalStatus.ACTIVE:
        raise GoalNotActive(f"goal {goal.id} is {goal.status}: no turn may start", goal)
    held = [hold.reserved for hold in await all_of(tx, goal_id) if hold.reserves]
    _require_room(goal, held, reserved)


def _require_room(goal: Goal, held: Sequence[Reservation], asked: Reservation) -> None:
    for name in LIMITS:
        limit, used, wanted = getattr(goal.budget, name), getattr(goal.usage, name), getattr(asked, name)
        reserved = sum(getattr(hold, name) for hold in held)
        if limit is not None and used + reserved + wanted > limit:
            raise BudgetExceeded(name, used, limit, reserved, wanted)


async def release(tx: Transaction, call: Call, goal_id: str, *, hold: str) -> Hold:
    """The open hold is released: what it reserved is free again; one that is released stays so.

    Raise HoldEstimated if an estimate stands for it, which `estimates.release` takes back.
    """
    call.authorize(Action.HOLD)
    parameters = {"id": check_id(goal_id), "hold": check_name("hold", hold), **call.lease_columns}
    row = await tx.one_or_none("holds.release", parameters)
    if row is not None:
        return hold_from_row(row)
    await require_lease(tx, call, await get(tx, goal_id))
    row = await tx.one_or_none("holds.get", {"id": goal_id, "key": hold})
    known = None if row is None else hold_from_row(row)
    if known is not None and known.state is HoldState.RELEASED:
        return known
    if known is not None and known.state is HoldState.ESTIMATED:
        raise HoldEstimated("an estimate of the hold is in the ledger")
    if known is None:
        raise HoldLost(f"the goal has no hold with the key {hold!a}")
    raise HoldLost(f"the hold {hold!a} is {known.state}")


async def raise_hold(tx: Transaction, call: Call, goal_id: str, *, hold: str, used: TurnUsage) -> None:
    """The hold reserves at least what was used under it, also beyond the budget, as long as it is open and leased."""
    amounts = {name: getattr(used, name) for name in ("tokens", "active_microseconds", "cost_microunits")}
    await tx.one_or_none("holds.raise", {"id": check_id(goal_id), "hold": hold, **amounts, **call.lease_columns})


async def open_of(tx: Transaction, goal_id: str) -> list[Hold]:
    """Return the goal's holds that reserve budget now, those that expire first."""
    rows = await tx.all("holds.unsettled", {"id": check_id(goal_id), "limit": MAX_PAGE})
    return [hold for hold in map(hold_from_row, rows) if hold.reserves]


async def all_of(tx: Transaction, goal_id: str) -> list[Hold]:
    """Return all holds of the goal that were ever placed, in the order of their keys."""
    found: list[Hold] = []
    while True:
        after = found[-1].key if found else ""
        page = await holds(tx, goal_id, after=after, limit=MAX_PAGE)
        found += page
        if len(page) < MAX_PAGE:
            return found


async def holds(tx: Transaction, goal_id: str, *, after: str, limit: int) -> list[Hold]:
    """Return up to `limit` of the goal's holds whose key is above `after`, in the order of their keys."""
    parameters: dict[str, Value] = {"id": check_id(goal_id), "limit": check_page_size(limit)}
    parameters["after"] = check_text("after", after, MAX_NAME_CHARS)
    rows = await tx.all("holds.page", parameters)
    if not rows and not after and await tx.one_or_none("goals.get", {"id": goal_id}) is None:
        raise GoalNotFound(goal_id)
    return [hold_from_row(row) for row in rows]

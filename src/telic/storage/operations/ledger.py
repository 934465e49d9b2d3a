"""The usage ledger and the history: recording turns, reading both back."""

from typing import Final

from telic.domain.authority import Action
from telic.domain.budget import TurnUsage
from telic.domain.chain import to_data
from telic.domain.errors import GoalNotFound, InvalidInput, TurnConflict
from telic.domain.events import Event, Turn, TurnResult
from telic.domain.goal import Reason
from telic.domain.ids import check_id
from telic.domain.limits import check_counter, check_page_size
from telic.storage.operations.call import Call
from telic.storage.operations.goals import get
from telic.storage.records import event_from_row, goal_and_turn_from_row, turn_from_row
from telic.storage.transaction import LimitViolated, Row, Transaction, Value

_EXHAUSTED_DATA: Final = to_data({"reason": Reason.BUDGET.value})


async def record_turn(tx: Transaction, call: Call, goal_id: str, *, usage: TurnUsage) -> TurnResult:
    """The turn is in the ledger exactly once, whatever the goal's status; a reached budget has paused the goal.

    Raises:
        TurnConflict: the key was recorded with other usage.
        GoalNotFound: there is no such goal.
        InvalidNumber: a counter would pass 2**53 - 1.
    """
    call.authorize(Action.RECORD_TURN)
    if not isinstance(usage, TurnUsage):
        raise InvalidInput("the usage must be a TurnUsage")
    parameters: dict[str, Value] = {
        "id": check_id(goal_id),
        "at": call.at,
        "key": call.key,
        "exhausted_data": _EXHAUSTED_DATA,
    }
    try:
        row = await tx.maybe("turns.record", parameters | usage.as_dict())
    except LimitViolated:
        (await get(tx, goal_id)).usage.plus(usage)
        raise
    if row is None:
        raise GoalNotFound(goal_id)
    goal, turn = goal_and_turn_from_row(row, usage)
    if turn.usage != usage:
        raise TurnConflict(call.key)
    return TurnResult(goal, turn)


async def events(tx: Transaction, goal_id: str, *, after: int, limit: int) -> list[Event]:
    """The goal's events whose number is above `after`, in order."""
    return [event_from_row(row) for row in await _page(tx, "events.page", goal_id, after, limit)]


async def turns(tx: Transaction, goal_id: str, *, after: int, limit: int) -> list[Turn]:
    """The goal's turns whose number is above `after`, in order."""
    return [turn_from_row(row) for row in await _page(tx, "turns.page", goal_id, after, limit)]


async def _page(tx: Transaction, statement: str, goal_id: str, after: int, limit: int) -> list[Row]:
    check_counter("after", after)
    check_page_size(limit)
    rows = await tx.all(statement, {"id": check_id(goal_id), "after": after, "limit": limit})
    if not rows:
        await get(tx, goal_id)
    return rows

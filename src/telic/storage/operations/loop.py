"""What an autonomous loop writes: a turn, or verdicts, together with where it then stands."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from telic.domain.errors import HoldLost, InvalidInput, StoreCorrupt
from telic.domain.events import EventKind, TurnResult
from telic.domain.goal import Actor, Goal
from telic.domain.limits import MAX_PAGE
from telic.domain.loop_state import LoopState, loop_state_from_text
from telic.domain.verification import Verification
from telic.storage.operations import verdicts
from telic.storage.operations.call import Call, lease_lost
from telic.storage.operations.goals import get
from telic.storage.operations.ledger import NewTurn, events, record_turn
from telic.storage.transaction import Transaction

_ANEW = frozenset({EventKind.RESUMED, EventKind.EDITED, EventKind.BUDGET_SET})
_PEOPLE = frozenset({Actor.USER, Actor.OPERATOR, Actor.HOST})


@dataclass(frozen=True, slots=True)
class KeyedTurn:
    """A line for the ledger, and the key that makes recording it repeatable."""

    new: NewTurn
    key: str


async def load(tx: Transaction, goal_id: str) -> tuple[Goal, LoopState]:
    """The goal, and where its loop stands; anew where a person changed or resumed the goal since it was looked at.

    Raises:
        GoalNotFound: there is none with this id.
        StoreCorrupt: the stored state cannot be understood.
    """
    goal = await get(tx, goal_id)
    row = await tx.maybe("loop.get", {"id": goal_id})
    try:
        state = LoopState() if row is None else loop_state_from_text(row[0])
    except InvalidInput as error:
        raise StoreCorrupt(f"the state of the loop of goal {goal_id}: {error}") from error
    while True:
        page = await events(tx, goal_id, after=state.seen_events, limit=MAX_PAGE)
        if any(event.kind in _ANEW and event.actor in _PEOPLE for event in page):
            state = state.begun_anew()
        if not page:
            return goal, state
        state = replace(state, seen_events=page[-1].number)
        if len(page) < MAX_PAGE:
            return goal, state


async def save(tx: Transaction, call: Call, goal_id: str, state: LoopState) -> None:
    """Where the loop stands is known to whoever goes on with the goal.

    Raises:
        LeaseLost: the loop no longer drives the goal.
    """
    parameters = {"id": goal_id, "state": state.as_text(), "at": call.at, **call.lease_columns}
    if await tx.maybe("loop.put", parameters) is None:
        raise lease_lost(goal_id)


async def finish_turn(tx: Transaction, call: Call, goal_id: str, turn: KeyedTurn, state: LoopState) -> TurnResult:
    """The turn is in the ledger, and the loop stands where it does after it: both, or neither.

    A hold that was lost meanwhile is left out; the turn counts all the same. Raises as `record_turn`.
    """
    keyed = replace(call, key=turn.key)
    try:
        result = await record_turn(tx, keyed, goal_id, turn.new)
    except HoldLost:
        result = await record_turn(tx, keyed, goal_id, replace(turn.new, hold=None))
    await save(tx, call, goal_id, state)
    return result


async def finish_verification(
    tx: Transaction,
    call: Call,
    goal_id: str,
    verification: Verification,
    judged: Sequence[KeyedTurn],
    state: LoopState,
) -> Goal:
    """The judges' usage is billed, the verdicts are in the history, and the loop stands where it does after them.

    Raises as `record_turn` and `verdicts.verify`.
    """
    by_system = replace(call, actor=Actor.SYSTEM, expected_revision=None)
    for line in judged:
        await record_turn(tx, replace(by_system, key=line.key), goal_id, line.new)
    goal = await verdicts.verify(tx, call, goal_id, verification)
    await save(tx, by_system, goal_id, state)
    return goal

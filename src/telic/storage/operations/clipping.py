"""Usage beyond a goal's counters: the ledger has what fits, and the history what was told (ADR 60)."""

from dataclasses import replace
from typing import Final

from telic.domain.clock import MICRO
from telic.domain.events import EventKind, TurnResult
from telic.domain.goal import Actor, Goal, GoalStatus, Reason
from telic.storage.operations import ledger
from telic.storage.operations.call import Call, lock, remark
from telic.storage.operations.ledger import NewTurn, Recorded, clipped_key, require_same
from telic.storage.operations.transitions import pause_for
from telic.storage.records import turn_from_row
from telic.storage.transaction import Transaction

_NOTE: Final = "more was used than a goal can count ({}): its usage has what fits; go on with a new goal"


async def record_turn(tx: Transaction, call: Call, goal_id: str, new: NewTurn) -> Recorded:
    """As `ledger.record_turn`, whatever the amounts: a line has what its goal's counters can still take.

    Where that is less than was told, an event has the told amounts, and the goal is paused, unless it is already.
    """
    goal = await lock(tx, goal_id)
    line = new.checked().fitting(goal)
    told, fits = new.told(goal.billing), line.told(goal.billing)
    if told == fits:
        return await ledger.record_turn(tx, call, goal_id, line)
    known = await tx.one_or_none("turns.with_key", {"id": goal_id, "key": call.key})
    if known is not None:
        turn = turn_from_row(known)
        await require_same(tx, goal, turn, new)
        return Recorded(TurnResult(goal, turn), has_overdue_holds=False)
    recorded = await ledger.record_turn(tx, call, goal_id, line)
    reported = {name: str(count) for name, count in told.items() if count != fits[name]}
    goal = await _tell(tx, call, recorded.goal, recorded.result.turn.number, reported)
    return replace(recorded, result=replace(recorded.result, goal=goal))


async def _tell(tx: Transaction, call: Call, goal: Goal, number: int, reported: dict[str, str]) -> Goal:
    key = clipped_key(goal.id, call.key)
    by_system = Call(call.at, Actor.SYSTEM, key)
    goal = await remark(tx, by_system, goal, EventKind.USAGE_CLIPPED, {"line": number, "reported": reported})
    if goal.status is not GoalStatus.ACTIVE:
        return goal
    said = ", ".join(_in_words(name, int(count)) for name, count in reported.items())
    return await pause_for(tx, by_system, goal, {"reason": Reason.FAILED.value, "note": _NOTE.format(said)})


def _in_words(name: str, count: int) -> str:
    match name:
        case "cost_microunits":
            return f"${count // MICRO:,}"
        case "active_microseconds":
            return f"{count // MICRO:,} s of active time"
        case _:
            return f"{count:,} {name.replace('_', ' ')}"

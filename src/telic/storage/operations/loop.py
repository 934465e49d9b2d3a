"""Writes of an autonomous loop: a turn, or verdicts, together with where the loop then stands."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from telic.domain.errors import BudgetExceeded, HoldLost, InvalidInput, StoreCorrupt
from telic.domain.events import EventKind, TurnResult
from telic.domain.goal import Actor, Goal, GoalStatus, Reason, Wake, approval_signal
from telic.domain.ids import check_id
from telic.domain.lease import Hold, Reservation
from telic.domain.limits import MAX_NOTE_CHARS, MAX_PAGE
from telic.domain.loop_state import LoopState, loop_state_from_text
from telic.domain.verdict import Outcome
from telic.domain.verification import Verification
from telic.storage.operations import holds, verdicts
from telic.storage.operations.call import Call, get, lease_lost
from telic.storage.operations.estimates import count_expired, count_lost, record_turn
from telic.storage.operations.ledger import NewTurn, events
from telic.storage.operations.transitions import transition
from telic.storage.records import hold_from_row
from telic.storage.transaction import Transaction

_ANEW = frozenset({EventKind.RESUMED, EventKind.EDITED, EventKind.BUDGET_SET})
_PEOPLE = frozenset({Actor.USER, Actor.OPERATOR, Actor.HOST})


@dataclass(frozen=True, slots=True)
class KeyedTurn:
    """A line for the ledger, and the key that makes recording it repeatable."""

    new: NewTurn
    key: str


@dataclass(frozen=True, slots=True)
class TurnHold:
    """The budget that a turn reserves before it begins: at most this of each, under the key of its line and its own.

    The turn counts as this where nobody reports what it used.
    """

    turn_key: str
    key: str
    most_tokens: int
    most_cost_microunits: int
    ttl_seconds: float


async def load(tx: Transaction, goal_id: str) -> tuple[Goal, LoopState]:
    """Return the goal, and where its loop stands; its failures are forgotten once a person changed or resumed the goal.

    Raise GoalNotFound, or StoreCorrupt if the stored state cannot be understood.
    """
    goal = await get(tx, check_id(goal_id))
    while True:
        state = await _state_of(tx, goal)
        # Both are of one moment: of a changed goal, an older state would carry what was claimed of the former one.
        again = await get(tx, goal_id)
        if again.revision == goal.revision:
            return again, state
        goal = again


async def _state_of(tx: Transaction, goal: Goal) -> LoopState:
    row = await tx.one_or_none("loop.get", {"id": goal.id})
    try:
        state = LoopState() if row is None else loop_state_from_text(row[0])
    except InvalidInput as error:
        raise StoreCorrupt(f"the state of the loop of goal {goal.id}: {error}") from error
    checked = 0
    while page := await events(tx, goal.id, after=state.seen_events, limit=MAX_PAGE):
        if any(event.kind in _ANEW and event.actor in _PEOPLE for event in page):
            state = state.without_failures()
        checked += sum(event.kind is EventKind.CHECKED for event in page)
        state = replace(state, seen_events=page[-1].number)
    if row is not None:
        return state
    # An imported goal has a history, and keys in it, but no state: its next keys must be new.
    return replace(state, turns=goal.turns_used, verifications=checked)


async def kept_while_asleep(tx: Transaction, longest_pause: int) -> list[tuple[str, str, int]]:
    """Return the goals that a worker has and sleeps on for longer than any pause: ids, workers, microseconds left.

    A worker of this release gives its goal back instead.
    """
    found: list[tuple[str, str, int]] = []
    for goal_id, worker, text, now in await tx.all("loop.leased", {}):
        try:
            left = loop_state_from_text(text).next_at - now
        except InvalidInput as error:
            raise StoreCorrupt(f"the state of the loop of goal {goal_id}: {error}") from error
        if left > longest_pause:
            found.append((goal_id, worker, left))
    return found


async def save(tx: Transaction, call: Call, goal_id: str, state: LoopState) -> None:
    """The loop's state is stored; raise LeaseLost if this worker has no lease any more."""
    parameters = {"id": goal_id, "state": state.as_text(), "at": call.at, **call.lease_columns}
    if await tx.one_or_none("loop.put", parameters) is None:
        raise lease_lost(goal_id)


async def take_over(tx: Transaction, call: Call, goal_id: str, asked: TurnHold) -> Goal:
    """If a former worker lost its lease during this turn, what it held for it is an estimate in the ledger.

    Nobody knows what it consumed. It can record the turn no more, which counts once, when it is taken again.
    """
    return await count_lost(tx, call, goal_id, prefix=f"{asked.turn_key}/lease-", but=asked.key)


async def begin_turn(tx: Transaction, call: Call, goal_id: str, asked: TurnHold) -> Hold:
    """Budget for the turn is held: as much as is free, up to what is asked."""
    known = await tx.one_or_none("holds.get", {"id": check_id(goal_id), "key": asked.key})
    if known is not None:
        return hold_from_row(known)
    keyed, goal = replace(call, key=asked.key), await get(tx, goal_id)
    try:
        return await _hold(tx, keyed, goal_id, _fitting(goal, asked, ()), asked.ttl_seconds)
    except BudgetExceeded:
        fitting = _fitting(goal, asked, await holds.open_of(tx, goal_id))
        return await _hold(tx, keyed, goal_id, fitting, asked.ttl_seconds)


def _fitting(goal: Goal, asked: TurnHold, others: Sequence[Hold]) -> Reservation:
    """Return the free part of what is asked for, at least 1, so that no turn starts where nothing is free."""
    amounts: dict[str, int] = {}
    for name, most in (("tokens", asked.most_tokens), ("cost_microunits", asked.most_cost_microunits)):
        limit = getattr(goal.budget, name)
        taken = getattr(goal.usage, name) + sum(getattr(hold.reserved, name) for hold in others)
        amounts[name] = 0 if limit is None else min(most, max(limit - taken, 1))
    return Reservation(**amounts)


async def _hold(tx: Transaction, call: Call, goal_id: str, reserved: Reservation, ttl_seconds: float) -> Hold:
    placed = await holds.place(tx, call, goal_id, holds.NewHold(reserved=reserved, ttl_seconds=ttl_seconds))
    if placed.has_overdue_holds:
        await count_expired(tx, at=call.at, goal_id=goal_id)
    return placed.hold


async def finish_turn(tx: Transaction, call: Call, goal_id: str, turn: KeyedTurn, state: LoopState) -> TurnResult:
    """The turn is in the ledger, and the loop stands where it does after it: both, or neither.

    A hold that was lost meanwhile is left out; the turn counts all the same.
    """
    # First what only the lease's worker may write: another worker may have recorded this very turn meanwhile.
    await save(tx, call, goal_id, state)
    keyed = replace(call, key=turn.key)
    try:
        return (await record_turn(tx, keyed, goal_id, turn.new)).result
    except HoldLost:
        return (await record_turn(tx, keyed, goal_id, replace(turn.new, hold=None))).result


async def pause(
    tx: Transaction, call: Call, goal_id: str, *, reason: Reason, note: str | None, wake: Wake | None, state: LoopState
) -> Goal:
    """The goal is paused, and the loop stands where it does then: both, or neither."""
    goal = await transition(tx, call, goal_id, to=GoalStatus.PAUSED, reason=reason, note=note, wake=wake)
    await save(tx, call, goal_id, state)
    return goal


async def settle(
    tx: Transaction,
    call: Call,
    goal_id: str,
    verification: Verification,
    judged: Sequence[KeyedTurn],
    state: LoopState | None = None,
) -> Goal:
    """The verdicts are in the history, the judges' usage is billed, and a loop stands at `state`: all, or nothing.

    A goal that lacks nothing but a person's answer waits for it, unless it came meanwhile.
    """
    by_system = replace(call, actor=Actor.SYSTEM, expected_revision=None)
    if state is not None:
        await save(tx, by_system, goal_id, state)
    # The verdicts before the bill: one that reaches the budget pauses the goal, which is another revision.
    goal = await verdicts.verify(tx, call, goal_id, verification)
    goal = await _record_all(tx, by_system, goal_id, judged) or goal
    if verification.outcome is Outcome.PENDING and goal.status is GoalStatus.ACTIVE:
        return await _wait_for_answers(tx, replace(by_system, key=f"{call.key}/wait"), goal, verification)
    return goal


async def bill_judges(
    tx: Transaction, call: Call, goal_id: str, judged: Sequence[KeyedTurn], state: LoopState | None = None
) -> Goal:
    """The usage of judges whose verdicts are void is billed, and a loop stands at `state`: both, or neither."""
    if state is not None:
        await save(tx, call, goal_id, state)
    return await _record_all(tx, call, goal_id, judged) or await get(tx, goal_id)


async def _record_all(tx: Transaction, call: Call, goal_id: str, lines: Sequence[KeyedTurn]) -> Goal | None:
    goal: Goal | None = None
    for line in lines:
        goal = (await record_turn(tx, replace(call, key=line.key), goal_id, line.new)).goal
    return goal


async def _wait_for_answers(tx: Transaction, call: Call, goal: Goal, verification: Verification) -> Goal:
    asked = {each.criterion_hash for each in verification.verdicts if each.outcome is Outcome.PENDING}
    if any(answer.criterion_hash in asked for answer in await verdicts.approvals(tx, goal.id)):
        return goal
    questions = [each.question for each in goal.criteria if each.content_hash in asked]
    return await transition(
        tx,
        call,
        goal.id,
        to=GoalStatus.PAUSED,
        reason=Reason.WAITING,
        note="; ".join(questions)[:MAX_NOTE_CHARS],
        wake=Wake(signal=approval_signal(goal.id)),
    )

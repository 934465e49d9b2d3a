"""What an autonomous loop writes: a turn, or verdicts, together with where it then stands."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from telic.domain.budget import LIMITS
from telic.domain.claim import approval_signal
from telic.domain.errors import BudgetExceeded, GoalNotActive, HoldLost, InvalidInput, StoreCorrupt
from telic.domain.events import EventKind, TurnResult
from telic.domain.goal import Actor, Goal, GoalStatus, Reason
from telic.domain.hold import Hold, Reservation
from telic.domain.ids import check_id
from telic.domain.limits import MAX_NOTE_CHARS, MAX_PAGE, MAX_TTL_SECONDS
from telic.domain.loop_state import LoopState, loop_state_from_text
from telic.domain.verdict import Outcome
from telic.domain.verification import Verification
from telic.storage.operations import holds, verdicts
from telic.storage.operations.call import Call, lease_lost
from telic.storage.operations.estimates import count_expired, record_turn
from telic.storage.operations.goals import get
from telic.storage.operations.ledger import NewTurn, events
from telic.storage.operations.transitions import Wait, transition
from telic.storage.records import hold_from_row
from telic.storage.transaction import Transaction

_ANEW = frozenset({EventKind.RESUMED, EventKind.EDITED, EventKind.BUDGET_SET})
_PEOPLE = frozenset({Actor.USER, Actor.OPERATOR, Actor.HOST})


@dataclass(frozen=True, slots=True)
class KeyedTurn:
    """A line for the ledger, and the key that makes recording it repeatable.

    Of a turn that did not tell its usage, `uncertain` stays reserved for a day, as far as there is room: silence
    overspends no budget.
    """

    new: NewTurn
    key: str
    uncertain: Reservation | None = None


@dataclass(frozen=True, slots=True)
class TurnHold:
    """What a turn reserves before it begins: at most so many tokens, under the key of its ledger line and its own."""

    turn_key: str
    key: str
    most_tokens: int
    ttl_seconds: float


async def load(tx: Transaction, goal_id: str) -> tuple[Goal, LoopState]:
    """The goal, and where its loop stands; anew where a person changed or resumed the goal since it was looked at.

    Raises:
        GoalNotFound: there is none with this id.
        StoreCorrupt: the stored state cannot be understood.
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
    row = await tx.maybe("loop.get", {"id": goal.id})
    try:
        state = LoopState() if row is None else loop_state_from_text(row[0])
    except InvalidInput as error:
        raise StoreCorrupt(f"the state of the loop of goal {goal.id}: {error}") from error
    checked = 0
    while page := await events(tx, goal.id, after=state.seen_events, limit=MAX_PAGE):
        if any(event.kind in _ANEW and event.actor in _PEOPLE for event in page):
            state = state.begun_anew()
        checked += sum(event.kind is EventKind.CHECKED for event in page)
        state = replace(state, seen_events=page[-1].number)
    if row is not None:
        return state
    # An imported goal has a history, and keys in it, but no state: its next keys must be new.
    return replace(state, turns=goal.turns_used, verifications=checked)


async def kept_while_asleep(tx: Transaction, longest_pause: int) -> list[tuple[str, str, int]]:
    """The goals that a worker has and sleeps on for longer than any pause: their ids, the workers, microseconds left.

    A worker of this release gives its goal back instead.
    """
    found: list[tuple[str, str, int]] = []
    for goal_id, holder, text, now in await tx.all("loop.leased", {}):
        try:
            left = loop_state_from_text(text).next_at - now
        except InvalidInput as error:
            raise StoreCorrupt(f"the state of the loop of goal {goal_id}: {error}") from error
        if left > longest_pause:
            found.append((goal_id, holder, left))
    return found


async def save(tx: Transaction, call: Call, goal_id: str, state: LoopState) -> None:
    """Where the loop stands is known to whoever goes on with the goal.

    Raises:
        LeaseLost: the loop no longer drives the goal.
    """
    parameters = {"id": goal_id, "state": state.as_text(), "at": call.at, **call.lease_columns}
    if await tx.maybe("loop.put", parameters) is None:
        raise lease_lost(goal_id)


async def begin_turn(tx: Transaction, call: Call, goal_id: str, asked: TurnHold) -> Hold:
    """Budget for the turn is held: as many tokens as are free, up to those asked for.

    A former worker that lost its lease during this very turn can record it no more: its hold gives the turn back,
    and keeps the tokens, since nobody knows what it consumed. Raises as `holds.place`, where nothing is free.
    """
    known = await tx.maybe("holds.get", {"id": check_id(goal_id), "key": asked.key})
    if known is not None:
        return hold_from_row(known)
    keyed, goal = replace(call, key=asked.key), await get(tx, goal_id)
    left = _tokens_left(goal)
    # What a turn costs is not known before, but where nothing is free none may start.
    wanted = Reservation(
        tokens=min(asked.most_tokens, left), cost_microunits=int(goal.budget.cost_microunits is not None)
    )
    try:
        return await _hold(tx, keyed, goal_id, wanted, asked.ttl_seconds)
    except BudgetExceeded:
        await count_expired(tx, at=call.at, goal_id=goal_id)
        await _take_over(tx, call, goal_id, asked)
        left = _tokens_left(await get(tx, goal_id))
    free = left - sum(hold.reserved.tokens for hold in await _open(tx, goal_id))
    fitting = replace(wanted, tokens=min(wanted.tokens, max(free, 1)))
    return await _hold(tx, keyed, goal_id, fitting, asked.ttl_seconds)


async def _take_over(tx: Transaction, call: Call, goal_id: str, asked: TurnHold) -> None:
    for lost in await _open(tx, goal_id):
        if lost.key.startswith(f"{asked.turn_key}/lease-") and lost.reserved.turns:
            await holds.release(tx, call, goal_id, hold=lost.key)
            kept = replace(lost.reserved, turns=0)
            await _hold(tx, replace(call, key=f"{lost.key}/lost"), goal_id, kept, asked.ttl_seconds)


async def _open(tx: Transaction, goal_id: str) -> list[Hold]:
    return [hold for hold in await holds.all_of(tx, goal_id) if hold.reserves]


async def _hold(tx: Transaction, call: Call, goal_id: str, reserved: Reservation, ttl_seconds: float) -> Hold:
    placed = await holds.place(tx, call, goal_id, holds.NewHold(reserved=reserved, ttl_seconds=ttl_seconds))
    if placed.has_overdue_holds:
        await count_expired(tx, at=call.at, goal_id=goal_id)
    return placed.hold


def _tokens_left(goal: Goal) -> int:
    """What is left of the budget of tokens; 0 where there is none, since nothing needs to be held then."""
    return 0 if goal.token_budget is None else max(goal.token_budget - goal.tokens_used, 0)


async def finish_turn(tx: Transaction, call: Call, goal_id: str, turn: KeyedTurn, state: LoopState) -> TurnResult:
    """The turn is in the ledger, and the loop stands where it does after it: both, or neither.

    A hold that was lost meanwhile is left out; the turn counts all the same. Raises as `record_turn`.
    """
    # First what only the lease's holder may write: another worker may have recorded this very turn meanwhile.
    await save(tx, call, goal_id, state)
    keyed = replace(call, key=turn.key)
    try:
        result = (await record_turn(tx, keyed, goal_id, turn.new)).result
    except HoldLost:
        result = (await record_turn(tx, keyed, goal_id, replace(turn.new, hold=None))).result
    if turn.uncertain is not None:
        await _keep_uncertain(tx, replace(call, key=f"{turn.key}/unknown"), result.goal, turn.uncertain)
    return result


async def _keep_uncertain(tx: Transaction, call: Call, goal: Goal, reserved: Reservation) -> None:
    if await tx.maybe("holds.get", {"id": goal.id, "key": call.key}) is not None:
        return
    for _ in LIMITS:
        try:
            await _hold(tx, call, goal.id, reserved, MAX_TTL_SECONDS)
        except BudgetExceeded as refusal:
            free = refusal.budget - refusal.used - refusal.held
            reserved = replace(reserved, **{refusal.limit: max(free, 0)})
        except GoalNotActive:
            return
        else:
            return


async def pause(
    tx: Transaction, call: Call, goal_id: str, *, reason: Reason, note: str | None, wait: Wait, state: LoopState
) -> Goal:
    """The goal is paused, and the loop stands where it does then: both, or neither. Raises as `transition`."""
    goal = await transition(tx, call, goal_id, to=GoalStatus.PAUSED, reason=reason, note=note, wait=wait)
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

    Raises:
        StaleUpdate: the goal is no longer at the revision that was checked.
        LeaseLost: another worker has the goal.
        NotAllowed: the goal is finished.
        GoalNotFound, InvalidInput, KeyConflict, TurnConflict: nothing changed.
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
    """The usage of judges whose verdicts are void is billed, and a loop stands at `state`: both, or neither.

    Raises:
        LeaseLost: another worker has the goal.
        GoalNotFound, TurnConflict: nothing changed.
    """
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
        wait=Wait(signal=approval_signal(goal.id)),
    )

"""Verdicts and approvals: remarks in a goal's history, bound to the revision that they are about."""

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from telic.domain.criteria import CriterionKind
from telic.domain.errors import InvalidInput, NotAllowed, StoreCorrupt
from telic.domain.events import Event, EventKind
from telic.domain.goal import Goal, GoalStatus, Reason, approval_signal
from telic.domain.lifecycle import Action
from telic.domain.limits import MAX_PAGE, check_counter
from telic.domain.verdict import Approval, Outcome
from telic.domain.verification import Verification, approval_from_dict, verification_from_dict
from telic.domain.views import CriterionStanding, standings
from telic.storage.operations.call import Call, get, lock, lock_for, remark, require_lease, rewrite, was_done
from telic.storage.operations.leases import wake_by_signal
from telic.storage.records import event_from_row
from telic.storage.transaction import Transaction, Value

T = TypeVar("T")

_VERIFIED: dict[str, Value] = {"status": GoalStatus.COMPLETED.value, "reason": Reason.VERIFIED.value, "note": None}


async def verify(tx: Transaction, call: Call, goal_id: str, verification: Verification) -> Goal:
    """The verdicts are in the history; where all criteria passed, the goal is completed as verified.

    So is one that its budget has paused. One that was paused for another reason stays so: stop wins.
    """
    call.authorize(Action.VERIFY)
    data: dict[str, object] = verification.as_dict()
    goal, is_done = await lock_for(tx, call, goal_id, EventKind.CHECKED, data)
    if is_done:
        return goal
    await require_lease(tx, call, goal)
    _require_about(goal, verification)
    goal = await remark(tx, call, goal, EventKind.CHECKED, data)
    is_stopped = goal.status is GoalStatus.PAUSED and goal.reason is not Reason.BUDGET
    if not verification.is_verified or is_stopped:
        return goal
    if goal.status is GoalStatus.PAUSED:
        await rewrite(tx, call, goal, EventKind.RESUMED, {}, with_key=False)
    return await rewrite(
        tx, call, goal, EventKind.COMPLETED, {"reason": Reason.VERIFIED.value}, _VERIFIED, with_key=False
    )


def _require_about(goal: Goal, verification: Verification) -> None:
    if goal.is_finished:
        raise NotAllowed(f"the goal is {goal.status}; nothing is left to check")
    hashes = tuple(criterion.content_hash for criterion in goal.criteria)
    if verification.revision != goal.revision or verification.criterion_hashes != hashes:
        raise InvalidInput("the verdicts are about other criteria, or another revision, than the goal's")


@dataclass(frozen=True, slots=True)
class ApprovalAnswer:
    """A person's answer to the criterion at this place."""

    index: int
    is_approved: bool
    decided_by: str
    note: str


async def answer(tx: Transaction, call: Call, goal_id: str, given: ApprovalAnswer) -> Goal:
    """The answer to the goal's approval criterion is in its history; a goal that waited for it is awake."""
    call.authorize(Action.APPROVE)
    goal = await lock(tx, goal_id)
    approval = _approval(goal, given)
    data = approval.as_dict()
    kind = EventKind.APPROVED if given.is_approved else EventKind.REJECTED
    if await was_done(tx, call, goal.id, kind, data):
        return goal
    call.require_fresh(goal)
    if goal.is_finished:
        raise NotAllowed(f"the goal is {goal.status}; nothing is left to approve")
    goal = await remark(tx, call, goal, kind, data)
    signal = approval_signal(goal.id)
    return await wake_by_signal(tx, call, goal, signal) if goal.wake_signal == signal else goal


def _approval(goal: Goal, given: ApprovalAnswer) -> Approval:
    asked = {
        index: criterion for index, criterion in enumerate(goal.criteria) if criterion.kind is CriterionKind.APPROVAL
    }
    if check_counter("index", given.index) not in asked:
        known = ", ".join(str(index + 1) for index in asked) or "none"
        raise InvalidInput(f"criterion {given.index + 1} asks for no approval; of this goal's these do: {known}")
    criterion_hash = asked[given.index].content_hash
    return Approval(
        criterion_hash=criterion_hash, is_approved=given.is_approved, decided_by=given.decided_by, note=given.note
    )


async def verification(tx: Transaction, goal_id: str) -> Verification | None:
    """Return the last verdicts at the goal's present revision; None where it was not checked since it changed."""
    goal = await get(tx, goal_id)
    async for event in _newest_first(tx, goal):
        if event.revision != goal.revision:
            return None
        if event.kind is EventKind.CHECKED:
            return _read(event, verification_from_dict)
    return None


async def standing(tx: Transaction, goal: Goal) -> tuple[CriterionStanding, ...]:
    """Return how each criterion stands by the last verdicts, at whichever revision, and the answers that count."""
    if not goal.criteria:
        return ()
    async for event in _newest_first(tx, goal):
        if event.kind is EventKind.CHECKED:
            verdicts = _read(event, verification_from_dict).verdicts
            break
    else:
        verdicts = ()
    return standings(goal, verdicts, await approvals(tx, goal.id))


async def approvals(tx: Transaction, goal_id: str) -> list[Approval]:
    """Return the answers that still count: the last to each approval criterion since the goal was edited.

    A rejection counts until a verification has made a verdict of it; then the person is asked again.
    """
    goal = await get(tx, goal_id)
    found: dict[str, Approval | None] = {}
    heard: set[str] = set()
    async for event in _newest_first(tx, goal):
        if event.kind is EventKind.EDITED:
            break
        if event.kind is EventKind.CHECKED:
            verdicts = _read(event, verification_from_dict).verdicts
            heard |= {each.criterion_hash for each in verdicts if each.outcome is Outcome.FAILED}
        elif event.kind in (EventKind.APPROVED, EventKind.REJECTED):
            approval = _read(event, approval_from_dict)
            counts = approval.is_approved or approval.criterion_hash not in heard
            found.setdefault(approval.criterion_hash, approval if counts else None)
    return [approval for approval in found.values() if approval is not None]


def _read(event: Event, reader: Callable[[Any], T]) -> T:
    try:
        return reader(event.changed)
    except InvalidInput as error:
        raise StoreCorrupt(f"event {event.number} of goal {event.goal_id} cannot be understood: {error}") from error


async def _newest_first(tx: Transaction, goal: Goal) -> AsyncIterator[Event]:
    before = 2**53
    while True:
        rows = await tx.all("events.before", {"id": goal.id, "before": before, "limit": MAX_PAGE})
        for row in rows:
            event = event_from_row(row)
            yield event
            before = event.number
        if len(rows) < MAX_PAGE:
            return

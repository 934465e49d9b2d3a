"""A model's reports on its goal: that it is complete, checked where it can be and never taken as proof; or blocked."""

from telic.domain.errors import StaleUpdate
from telic.domain.goal import Actor, Goal, GoalStatus, Reason
from telic.domain.ids import new_key
from telic.domain.loop_state import (
    Claim,
)
from telic.domain.verdict import Outcome
from telic.domain.verification import Verification
from telic.integrations.session import GoalSession
from telic.loop.agents.protocol import MAX_REPORT_TEXT_CHARS, kept_tail
from telic.loop.prompts import feedback_of
from telic.loop.verification.evidence import AgentWork
from telic.loop.verification.verifier import Verifier
from telic.services.settlement import GoalCheck, bill_void_check, settle

_CHECKED_BY_THE_HOST = (
    "Noted. The goal's criteria are checked by the host; your word passes none of them. End your turn."
)


async def report_complete(session: GoalSession, summary: str, *, key: str | None = None) -> str:
    """What the model is answered; the goal is completed if it has no criteria, or all of them passed.

    A call that is repeated with its `key` completes nothing a second time.

    Raises:
        StaleUpdate: the goal is no longer as the model saw it.
        GoalError: the goal may not be completed, or the summary cannot be kept.
    """
    goal = session.seen
    if goal is None:
        return "There is no goal to report."
    present = await session.patiently(lambda: session.store.get(goal.id))
    if present.is_finished:
        session.seen = present
        return f"Nothing changed: the goal is {present.status} already. End your turn."
    if present.revision != goal.revision:
        raise StaleUpdate(present, goal.revision)
    if not goal.criteria:
        return await _assert_complete(session, goal, summary, new_key() if key is None else key)
    if session.settings.verifier is None:
        session.claim = Claim.COMPLETE
        return _CHECKED_BY_THE_HOST
    return await _verify(session, goal, session.settings.verifier, summary)


async def _assert_complete(session: GoalSession, goal: Goal, summary: str, key: str) -> str:
    session.seen = await session.patiently(
        lambda: session.store.complete(
            goal.id, expected_revision=goal.revision, note=summary, actor=Actor.MODEL, key=key
        )
    )
    return "The goal is completed. End your turn now."


async def _verify(session: GoalSession, goal: Goal, verifier: Verifier, summary: str) -> str:
    approvals = await session.patiently(lambda: session.store.approvals(goal.id))
    work = AgentWork(text=kept_tail(summary, MAX_REPORT_TEXT_CHARS))
    found = await verifier.verify(goal, work, approvals=approvals)
    return _answer(session, await _settle(session, goal, found), found)


async def _settle(session: GoalSession, goal: Goal, found: Verification) -> Goal:
    """The check is settled, and the session has seen its goal after it. Raises as `settle`."""
    check, store = GoalCheck(goal_id=goal.id, key=new_key()), session.store
    try:
        settled = await session.patiently(lambda: settle(store, check, found))
    except BaseException:
        # The keys of the lines are those of the settlement: should it have been made, nothing is billed twice.
        billed = await session.patiently(lambda: bill_void_check(store, check, found.verdicts))
        session.note_spent(billed)
        raise
    session.note_spent(settled)
    session.seen = settled
    return settled


def _answer(session: GoalSession, goal: Goal, found: Verification) -> str:
    if goal.is_finished:
        return "All criteria passed: the goal is completed. End your turn now."
    if found.is_verified:
        return f"All criteria passed, but the goal is {goal.status}. End your turn now."
    if found.outcome is Outcome.PENDING:
        return "All that can be checked passed; a person has to approve the rest. End your turn now."
    told = feedback_of(goal, found)
    if told is None:
        session.claim = Claim.COMPLETE
        return f"The criteria could not be checked, through no fault of yours. {_CHECKED_BY_THE_HOST}"
    return told


async def report_blocked(session: GoalSession, reason: str, *, key: str | None = None) -> str:
    """What the model is answered; the goal is paused as blocked. Repeated with its `key`, it is paused once.

    Raises:
        StaleUpdate: the goal is no longer as the model saw it.
        GoalError: the goal is not active, or the reason cannot be kept.
    """
    goal, call = session.seen, new_key() if key is None else key
    if goal is None:
        return "There is no goal."
    session.seen = await session.patiently(
        lambda: session.store.transition(
            goal.id,
            GoalStatus.PAUSED,
            reason=Reason.BLOCKED,
            note=reason,
            expected_revision=goal.revision,
            actor=Actor.MODEL,
            key=call,
        )
    )
    return "The goal is paused as blocked. End your turn now."


async def set_goal(session: GoalSession, text: str, *, key: str | None = None) -> str:
    """What the model is answered; its scope has this goal. Repeated with its `key`, the goal is made once.

    Raises:
        NotAllowed: the host lets the model set none, or the scope has an unfinished one.
        GoalError: the text cannot be a goal's.
    """
    call = new_key() if key is None else key
    session.seen = await session.patiently(
        lambda: session.store.create(
            text, scope=session.scope, budget=session.settings.created_budget, actor=Actor.MODEL, key=call
        )
    )
    return "The goal is set."

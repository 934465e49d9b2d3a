"""A model's reports on its goal: that it is complete, checked where it can be and never taken as proof; or blocked."""

from functools import partial

from telic.domain.claim import Claim, approval_signal
from telic.domain.errors import StaleUpdate
from telic.domain.goal import Actor, Goal, GoalStatus, Reason
from telic.domain.ids import new_key
from telic.domain.verdict import Outcome
from telic.domain.verification import Verification
from telic.integrations.session import GoalSession
from telic.integrations.usage import turn_key
from telic.loop.agents.protocol import MAX_REPORT_TEXT_CHARS, kept_tail
from telic.loop.loop_records import KeyedTurn
from telic.loop.prompts import feedback_of
from telic.loop.state_transitions import judged_lines
from telic.loop.verification.evidence import Work
from telic.loop.verification.verifier import Verifier

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
    key = new_key()
    approvals = await session.patiently(lambda: session.store.approvals(goal.id))
    work = Work(text=kept_tail(summary, MAX_REPORT_TEXT_CHARS))
    found = await verifier.verify(goal, work, approvals=approvals)
    try:
        session.seen = await session.patiently(lambda: session.store.verify(goal.id, found, key=key))
    finally:
        # What the judges consumed is billed even where their verdicts are void; after them, since a budget that is
        # reached raises the revision.
        await _bill_judges(session, goal, key, found)
    return await _answer(session, session.seen, found)


async def _bill_judges(session: GoalSession, goal: Goal, key: str, found: Verification) -> None:
    for line in judged_lines(turn_key(key, "judge"), found.verdicts):
        await session.patiently(partial(_bill, session, goal, line))


async def _bill(session: GoalSession, goal: Goal, line: KeyedTurn) -> None:
    new = line.new
    result = await session.store.record_turn(
        goal.id, usage=new.usage, kind=new.kind, model=new.model, key=line.key, is_estimate=new.is_estimate
    )
    session.note_spent(result.goal)


async def _answer(session: GoalSession, goal: Goal, found: Verification) -> str:
    if goal.is_finished:
        return "All criteria passed: the goal is completed. End your turn now."
    if found.is_verified:
        return f"All criteria passed, but the goal is {goal.status}. End your turn now."
    if found.outcome is Outcome.PENDING:
        return await _wait_for_people(session, goal)
    told = feedback_of(goal, found)
    if told is None:
        session.claim = Claim.COMPLETE
        return f"The criteria could not be checked, through no fault of yours. {_CHECKED_BY_THE_HOST}"
    return told


async def _wait_for_people(session: GoalSession, goal: Goal) -> str:
    key = new_key()
    if goal.status is GoalStatus.ACTIVE:
        session.seen = await session.patiently(
            lambda: session.store.pause(
                goal.id,
                wake_signal=approval_signal(goal.id),
                expected_revision=goal.revision,
                actor=Actor.HOST,
                key=key,
            )
        )
    return "All that can be checked passed; a person has to approve the rest. End your turn now."


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

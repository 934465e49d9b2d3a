"""Commands by which people answer what goals ask them."""

from collections.abc import Sequence

import click

from telic.domain.claim import approval_signal
from telic.domain.criteria import CriterionKind
from telic.domain.errors import InvalidInput
from telic.domain.goal import Goal, GoalStatus, Reason
from telic.domain.overview import CriterionStanding
from telic.interfaces.cli import options
from telic.interfaces.cli.session import Session, command


def _answer(
    session: Session,
    goal_id: str | None,
    number: int | None,
    note: str,
    decided_by: str | None,
    revision: int | None,
    key: str | None,
    *,
    is_approved: bool,
) -> None:
    goal = _asking(session, goal_id)
    asked = _asked(session.store.overview(goal.id).criteria, number)
    answered = session.store.approve(
        goal.id,
        asked.number - 1,
        is_approved=is_approved,
        decided_by=decided_by or options.login_name(),
        note=note,
        expected_revision=goal.revision if revision is None and key is None else revision,
        actor=session.actor,
        key=key,
    )
    _show_answered(session, answered, asked, is_woken=goal.is_waiting and answered.status is GoalStatus.ACTIVE)


def _asking(session: Session, typed: str | None) -> Goal:
    """The goal that is meant; without an id, the scope's active one, or the only one that waits for a person."""
    if typed is not None:
        return session.goal(typed)
    waiting = [
        goal
        for goal in session.store.list(scope=session.scope, limit=1000).goals
        if goal.wake_signal == approval_signal(goal.id)
    ]
    return waiting[0] if len(waiting) == 1 else session.goal(None)


def _asked(checks: Sequence[CriterionStanding], number: int | None) -> CriterionStanding:
    """The approval that is meant: the one of this number, or the only one that is pending, or the only one.

    Raises:
        InvalidInput: it asks for no approval, or it is not clear which is meant.
    """
    asking = [check for check in checks if check.criterion.kind is CriterionKind.APPROVAL]
    pending = [check for check in asking if check.is_pending]
    if number is not None:
        found = [check for check in asking if check.number == number]
    else:
        found = pending if len(pending) == 1 else asking
    if len(found) == 1:
        return found[0]
    known = "; ".join(f"{check.number}. {check.criterion.question}" for check in asking)
    if not asking:
        raise InvalidInput("no criterion of the goal asks for an approval")
    raise InvalidInput(f"say which with --criterion: {known}")


def _show_answered(session: Session, goal: Goal, asked: CriterionStanding, *, is_woken: bool) -> None:
    checks = session.store.overview(goal.id).criteria
    if session.terminal.as_json:
        session.terminal.json({"goal_id": goal.id, "woken": is_woken, "checks": [each.as_dict() for each in checks]})
        return
    answer = checks[asked.number - 1]
    session.terminal.line(f"{answer.outcome}: {asked.criterion.question}")
    session.terminal.hint(_what_follows(goal, is_woken=is_woken))


def _what_follows(goal: Goal, *, is_woken: bool) -> str:
    if is_woken:
        return f"goal {goal.id} is awake; its loop checks it again"
    if goal.reason is Reason.SUPERSEDED:
        return f"another goal is active in its scope: telic resume {goal.id} --replace pauses that one and goes on"
    return f"goal {goal.id} is {goal.status}; its loop finds the answer when it is checked next"


_criterion = click.option("--criterion", "number", type=int, metavar="N", help="Which criterion, counted from 1.")
_note = click.option("--note", default="", help="Why; the agent reads it after a rejection.")
_by = click.option("--by", "decided_by", metavar="NAME", help="Who decided.  [default: the login name]")


@click.command()
@options.goal_id
@_criterion
@_note
@_by
@options.revision
@options.key
@command()
def approve(
    session: Session,
    goal_id: str | None,
    number: int | None,
    note: str,
    decided_by: str | None,
    revision: int | None,
    key: str | None,
) -> None:
    """Approve what a goal asks a person for; a goal that waits for it wakes."""
    _answer(session, goal_id, number, note, decided_by, revision, key, is_approved=True)


@click.command()
@options.goal_id
@_criterion
@_note
@_by
@options.revision
@options.key
@command()
def reject(
    session: Session,
    goal_id: str | None,
    number: int | None,
    note: str,
    decided_by: str | None,
    revision: int | None,
    key: str | None,
) -> None:
    """Reject what a goal asks a person for; its agent goes on, and reads the note."""
    _answer(session, goal_id, number, note, decided_by, revision, key, is_approved=False)


COMMANDS = (approve, reject)

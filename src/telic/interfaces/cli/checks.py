"""A goal's criteria as they were last checked, and what people are asked; with the commands that answer."""

import getpass
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import click

from telic.domain.criteria import Criterion, CriterionKind
from telic.domain.errors import InvalidInput
from telic.domain.goal import Goal
from telic.domain.verdict import Approval, Outcome, Verdict
from telic.interfaces.cli.session import Session, command
from telic.interfaces.cli.terminal import Terminal
from telic.loop.checking import approval_signal
from telic.services.store import GoalStore

_TAIL_LINES = 10


@dataclass(frozen=True, slots=True)
class Check:
    """One criterion with what is known of it at the goal's present revision."""

    number: int
    criterion: Criterion
    verdict: Verdict | None
    approval: Approval | None

    @property
    def is_pending(self) -> bool:
        """Whether a person is asked, and has not answered."""
        return self.criterion.kind is CriterionKind.APPROVAL and self.approval is None

    def as_dict(self) -> dict[str, Any]:
        """The check as JSON."""
        return {
            "number": self.number,
            "criterion": self.criterion.as_dict(),
            "verdict": self.verdict and self.verdict.as_dict(),
            "approval": self.approval and self.approval.as_dict(),
            "pending": self.is_pending,
        }


def look_at_checks(store: GoalStore, goal: Goal) -> list[Check]:
    """Each of the goal's criteria, with its last verdict and answer."""
    if not goal.criteria:
        return []
    verification = store.verification(goal.id)
    verdicts = {each.index: each for each in (verification.verdicts if verification else ())}
    answers = {each.criterion_hash: each for each in store.approvals(goal.id)}
    return [
        Check(index + 1, criterion, verdicts.get(index), answers.get(criterion.content_hash))
        for index, criterion in enumerate(goal.criteria)
    ]


def show_checks(terminal: Terminal, goal: Goal, checks: Sequence[Check]) -> None:
    """The criteria as they stand, the ends of what failing ones printed, and what people are asked."""
    if not checks:
        return
    terminal.line("  checks")
    for check in checks:
        terminal.line(f"    {check.number}. {_outcome(check):<8} {check.criterion.kind}: {check.criterion.title}")
        for line in _evidence(check):
            terminal.line(f"         {line}")
    pending = [check for check in checks if check.is_pending]
    if pending and not goal.is_finished:
        terminal.hint(f"telic approve {goal.id} --criterion {pending[0].number} or telic reject … answers")


def _outcome(check: Check) -> str:
    if check.criterion.kind is CriterionKind.APPROVAL:
        return "pending" if check.approval is None else "approved" if check.approval.is_approved else "rejected"
    return "-" if check.verdict is None else str(check.verdict.outcome)


def _evidence(check: Check) -> list[str]:
    if check.approval is not None:
        return [f"by {check.approval.decided_by}" + (f": {check.approval.note}" if check.approval.note else "")]
    verdict = check.verdict
    if verdict is None:
        return []
    lines = [f"{verdict.error}: {verdict.detail}" if verdict.error else verdict.detail]
    lines += [f"because: {reason}" for reason in verdict.reasons]
    lines += [f"suggested: {suggestion}" for suggestion in verdict.suggestions]
    if verdict.outcome is not Outcome.PASSED:
        lines += [f"| {line}" for line in verdict.output_tail.splitlines()[-_TAIL_LINES:]]
    return [line for line in lines if line]


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
    asked = _asked(look_at_checks(session.store, goal), number)
    answered = session.store.approve(
        goal.id,
        asked.number - 1,
        is_approved=is_approved,
        decided_by=decided_by or getpass.getuser(),
        note=note,
        expected_revision=goal.revision if revision is None and key is None else revision,
        actor=session.actor,
        key=key,
    )
    woken = session.store.signal(approval_signal(goal.id), actor=session.actor)
    goal = next((each for each in woken if each.id == goal.id), answered)
    _show_answered(session, goal, asked, is_woken=bool(woken))


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


def _asked(checks: Sequence[Check], number: int | None) -> Check:
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


def _show_answered(session: Session, goal: Goal, asked: Check, *, is_woken: bool) -> None:
    checks = look_at_checks(session.store, goal)
    if session.terminal.as_json:
        session.terminal.json({"goal_id": goal.id, "woken": is_woken, "checks": [each.as_dict() for each in checks]})
        return
    answer = checks[asked.number - 1]
    session.terminal.line(f"{_outcome(answer)}: {asked.criterion.question}")
    session.terminal.hint(
        f"goal {goal.id} is awake; its loop checks it again"
        if is_woken
        else f"goal {goal.id} is {goal.status}; its loop finds the answer when it is checked next"
    )


_id = click.argument("goal_id", metavar="[ID]", required=False)
_criterion = click.option("--criterion", "number", type=int, metavar="N", help="Which criterion, counted from 1.")
_note = click.option("--note", default="", help="Why; the agent reads it after a rejection.")
_by = click.option("--by", "decided_by", metavar="NAME", help="Who decided.  [default: the login name]")
_revision = click.option("--revision", type=int, help="Refuse unless the goal is at this revision.")
_key = click.option("--key", help="Makes the call happen once, however often it is repeated.")


@click.command()
@_id
@_criterion
@_note
@_by
@_revision
@_key
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
@_id
@_criterion
@_note
@_by
@_revision
@_key
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

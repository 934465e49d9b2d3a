"""Commands by which people answer what goals ask them."""

from collections.abc import Sequence
from typing import Any

import click

from telic.domain.criteria import CriterionKind
from telic.domain.errors import InvalidInput
from telic.domain.goal import (
    Goal,
    GoalStatus,
    Reason,
    approval_signal,
)
from telic.domain.views import CriterionStanding
from telic.interfaces.cli import options
from telic.interfaces.cli.session import Session, command
from telic.services.actions import GoalAction, answerable


def _asking(session: Session, typed: str | None) -> Goal:
    """Return the goal that is meant; without an id, the scope's active one, or the only one that waits for a person."""
    if typed is not None:
        return session.goal(typed)
    waiting = [
        goal
        for goal in session.store.list(scope=session.scope, limit=1000).goals
        if goal.wake_signal == approval_signal(goal.id)
    ]
    return waiting[0] if len(waiting) == 1 else session.goal(None)


def _asked(checks: Sequence[CriterionStanding], number: int | None) -> CriterionStanding:
    """Return the approval that is meant: the one of this number, or the only one that is pending, or the only one.

    Raises:
        InvalidInput: it asks for no approval, or it is not clear which is meant.
    """
    asking = [check for check in checks if check.criterion.kind is CriterionKind.APPROVAL]
    found = answerable(checks) if number is None else [check for check in asking if check.number == number]
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


def _answering(action: GoalAction, help: str) -> click.Command:
    """Return the command that gives this answer."""

    @click.command(action.value, help=help)
    @options.goal_id
    @click.option("--criterion", "number", type=int, metavar="N", help="Which criterion, counted from 1.")
    @click.option("--note", default="", help="Why; the agent reads it after a rejection.")
    @click.option("--by", "decided_by", metavar="NAME", help="Who decided.  [default: the login name]")
    @options.revision
    @options.key
    @command()
    def answer(
        session: Session, goal_id: str | None, number: int | None, revision: int | None, key: str | None, **said: Any
    ) -> None:
        goal = _asking(session, goal_id)
        asked = _asked(session.store.overview(goal.id).criteria, number)
        seen = goal.revision if revision is None and key is None else revision
        answered = session.act(action, goal, seen, key, criterion=asked.number - 1, **said)
        _show_answered(session, answered, asked, is_woken=goal.is_waiting and answered.status is GoalStatus.ACTIVE)

    return answer


COMMANDS = (
    _answering(GoalAction.APPROVE, "Approve what a goal asks a person for; a goal that waits for it wakes."),
    _answering(GoalAction.REJECT, "Reject what a goal asks a person for; its agent goes on, and reads the note."),
)

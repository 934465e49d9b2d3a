"""Commands that move goals from one status to another, let them wait, or answer what they ask a person."""

from collections.abc import Sequence
from typing import Any

import click

from telic.domain.clock import Instant
from telic.domain.criteria import CriterionKind
from telic.domain.errors import InvalidInput
from telic.domain.goal import Goal, GoalStatus, Reason
from telic.domain.lifecycle import REASONS
from telic.domain.views import CriterionStanding
from telic.interfaces.cli import options
from telic.interfaces.cli.options import ShownLease
from telic.interfaces.cli.render import show_goals
from telic.interfaces.cli.session import Session, command
from telic.services.actions import GoalAction, answerable
from telic.store.connect import complete as complete_call
from telic.wording.amounts import parse_budget

GOES_ON = "telic resume {id} goes on"


def _reason(status: GoalStatus, default: str) -> options.Option:
    choices = sorted(reason.value for reason in REASONS[status])
    return click.option("--reason", type=click.Choice(choices), help=f"[default: {default}]")


@click.command()
@options.goal_id
@_reason(GoalStatus.PAUSED, "user; waiting where it is to wake")
@click.option("--wake-at", type=options.MOMENT, metavar="TIME", help="Wake then: 2026-12-31T18:00Z.")
@click.option("--wake-in", type=options.ACTIVE_TIME, metavar="TIME", help="Wake after that time: 90m.")
@click.option("--wake-signal", metavar="NAME", help="Wake on telic wake --signal NAME.")
@options.note
@options.lease
@command(guarded=True)
def pause(
    session: Session,
    goal_id: str | None,
    reason: str | None,
    wake_at: Instant | None,
    wake_in: int | None,
    lease: ShownLease,
    **said: Any,
) -> None:
    """Pause a goal, for good or until a time or a signal; a waiting goal may be paused once more."""
    if wake_at is not None and wake_in is not None:
        raise InvalidInput("give --wake-at or --wake-in, not both")
    goal = session.goal(goal_id)
    # The store's clock, not this machine's: it is the one that wakes the goal.
    goal = session.act(
        GoalAction.PAUSE,
        goal,
        reason=None if reason is None else Reason(reason),
        wake_at=wake_at if wake_in is None else Instant(session.store.now() + wake_in),
        lease=lease.of(goal),
        **said,
    )
    awake = "telic claim --due wakes it in time" if goal.wake_at else "telic wake {id} wakes it now"
    session.show_changed(goal, awake if goal.is_waiting else GOES_ON)


@click.command()
@options.goal_id
@click.option("--signal", metavar="NAME", help="Wake every goal that waits for this signal, in any scope.")
@options.replace
@command(guarded=True)
def wake(session: Session, goal_id: str | None, signal: str | None, replaces: bool) -> None:
    """Wake a waiting goal now, or all that wait for a signal. Where another goal is active, say --replace."""
    if signal is None:
        goal = session.act(GoalAction.WAKE, session.goal(goal_id), replace=replaces)
        is_awake = goal.status is GoalStatus.ACTIVE
        session.show_changed(goal, "telic claim {id} --worker NAME drives it" if is_awake else GOES_ON)
        return
    if goal_id is not None:
        raise InvalidInput("give an ID or --signal NAME, not both")
    if replaces:
        raise InvalidInput("--replace is for one goal; a signal pauses none")
    if session.revision is not None:
        raise InvalidInput("--revision guards one goal; a signal wakes many")
    woken = session.store.signal(signal, actor=session.named_actor, key=session.key)
    if woken and not session.terminal.as_json:
        show_goals(session.terminal, woken)
        session.hint("telic claim --due --all-scopes drives what is active")
    else:
        session.terminal.json_or_line([goal.to_json() for goal in woken], f"no goal waits for the signal {signal}")


@click.command()
@options.goal_id
@options.budgets("Set this budget first; a limit that is not named stays.")
@options.note
@options.replace
@command(guarded=True)
def resume(session: Session, goal_id: str | None, budgets: tuple[str, ...], note: str | None, replaces: bool) -> None:
    """Make a paused goal active. Where another goal of its scope is active, say --replace."""
    goal = session.resumable(goal_id)
    budget = parse_budget(budgets, goal.budget) if budgets else None
    # A limit that was not named stays as it was read.
    is_as_read = budget is not None
    goal = session.act(GoalAction.RESUME, goal, is_as_read=is_as_read, budget=budget, note=note, replace=replaces)
    session.show_changed(goal, "telic record {id} --tokens N accounts a turn")


@click.command()
@options.goal_id
@options.note
@options.lease
@command(guarded=True)
def complete(session: Session, goal_id: str | None, note: str | None, lease: ShownLease) -> None:
    """Complete a goal, also a paused one."""
    goal = session.goal(goal_id)
    goal = session.act(GoalAction.COMPLETE, goal, note=note, lease=lease.of(goal))
    session.show_changed(goal, "telic events {id} tells its history")


@click.command()
@options.goal_id
@_reason(GoalStatus.CLEARED, Reason.DISMISSED)
@options.note
@options.lease
@command(guarded=True)
def clear(session: Session, goal_id: str | None, reason: str | None, note: str | None, lease: ShownLease) -> None:
    """Give a goal up, for good; its history stays."""
    goal = session.goal(goal_id)
    why = Reason(reason or Reason.DISMISSED)
    goal = session.act(GoalAction.CLEAR, goal, reason=why, note=note, lease=lease.of(goal))
    session.show_changed(goal, 'telic create "…" makes the next one')


def _asked(checks: Sequence[CriterionStanding], number: int | None) -> CriterionStanding:
    """Return the approval that is meant: the one of this number, or the only one that is pending, or the only one."""
    asking = [check for check in checks if check.criterion.kind is CriterionKind.APPROVAL]
    found = answerable(checks) if number is None else [check for check in asking if check.number == number]
    if len(found) == 1:
        return found[0]
    if not asking:
        raise InvalidInput("no criterion of the goal asks for an approval")
    known = "; ".join(f"{check.number}. {check.criterion.question}" for check in asking)
    raise InvalidInput(f"say which with --criterion: {known}")


def _show_answered(session: Session, goal: Goal, asked: CriterionStanding, *, is_woken: bool) -> None:
    checks = session.store.overview(goal.id).criteria
    if session.terminal.as_json:
        session.terminal.json({"goal_id": goal.id, "woken": is_woken, "checks": [each.as_dict() for each in checks]})
        return
    session.terminal.line(f"{checks[asked.number - 1].outcome}: {asked.criterion.question}")
    if is_woken:
        session.hint("goal {id} is awake; whatever drives it checks it again, or telic run {id} does")
    elif goal.reason is Reason.SUPERSEDED:
        session.hint("another goal is active in its scope: telic resume {id} --replace pauses that one and goes on")
    else:
        session.hint(f"goal {{id}} is {goal.status}; its loop finds the answer when it is checked next")


def _answering(action: GoalAction, help: str) -> click.Command:
    """Return the command that gives this answer."""

    @click.command(action.value, help=help)
    @options.goal_id
    @click.option("--criterion", "number", type=int, metavar="N", help="Which criterion, counted from 1.")
    @click.option("--note", default="", help="Why; the agent reads it after a rejection.")
    @click.option("--by", "decided_by", metavar="NAME", help="Who decided.  [default: the login name]")
    @command(guarded=True)
    def answer(session: Session, goal_id: str | None, number: int | None, **said: Any) -> None:
        # Without an id, a person answers the goal that asks, also where it is not the scope's active one.
        asking = complete_call(session.goals.asking()) if goal_id is None else ()
        goal = session.goal(asking[0].id if len(asking) == 1 else goal_id)
        asked = _asked(session.store.overview(goal.id).criteria, number)
        answered = session.act(action, goal, is_as_read=True, criterion=asked.number - 1, **said)
        _show_answered(session, answered, asked, is_woken=goal.is_waiting and answered.status is GoalStatus.ACTIVE)

    return answer


COMMANDS = (
    *(pause, resume, complete, clear, wake),
    _answering(GoalAction.APPROVE, "Say yes to what a goal asks a person; a goal that waits for this wakes."),
    _answering(GoalAction.REJECT, "Say no to what a goal asks a person; its agent goes on, and reads the note."),
)

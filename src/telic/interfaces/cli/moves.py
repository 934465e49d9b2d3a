"""Commands that move goals from one status to another, or let them wait."""

import click

from telic.domain.clock import Instant
from telic.domain.errors import InvalidInput
from telic.domain.goal import GoalStatus, Reason
from telic.domain.lifecycle import REASONS
from telic.interfaces.cli import options
from telic.interfaces.cli.options import Option, later_than, lease_of, parse_moment
from telic.interfaces.cli.render import show_goals
from telic.interfaces.cli.session import Session, command
from telic.services.actions import GoalAction
from telic.wording.amounts import parse_budget


def _reason(status: GoalStatus, default: str) -> Option:
    choices = sorted(reason.value for reason in REASONS[status])
    return click.option("--reason", type=click.Choice(choices), help=f"[default: {default}]")


@click.command()
@options.goal_id
@_reason(GoalStatus.PAUSED, "user; waiting where it is to wake")
@click.option("--wake-at", metavar="TIME", help="Wake then: 2026-12-31T18:00Z.")
@click.option("--wake-in", metavar="TIME", help="Wake after that time: 90m.")
@click.option("--wake-signal", metavar="NAME", help="Wake on telic wake --signal NAME.")
@options.note
@options.lease
@options.revision
@options.key
@command()
def pause(
    session: Session,
    goal_id: str | None,
    reason: str | None,
    wake_at: str | None,
    wake_in: str | None,
    wake_signal: str | None,
    note: str | None,
    holder: str | None,
    lease_token: int | None,
    revision: int | None,
    key: str | None,
) -> None:
    """Pause a goal, for good or until a time or a signal; a waiting goal may be paused once more."""
    goal = session.goal(goal_id)
    goal = session.act(
        GoalAction.PAUSE,
        goal,
        revision,
        key,
        reason=None if reason is None else Reason(reason),
        note=note,
        wake_at=_wake_at(session, wake_at, wake_in),
        wake_signal=wake_signal,
        lease=lease_of(goal, holder, lease_token),
    )
    awake = "telic claim --due wakes it in time" if goal.wake_at else f"telic wake {goal.id} wakes it now"
    session.show_changed(goal, awake if goal.is_waiting else f"telic resume {goal.id} goes on")


def _wake_at(session: Session, moment: str | None, later: str | None) -> Instant | None:
    if moment is not None and later is not None:
        raise InvalidInput("give --wake-at or --wake-in, not both")
    if moment is not None:
        return parse_moment(moment)
    return None if later is None else later_than(session.store.now(), later)


@click.command()
@options.goal_id
@click.option("--signal", metavar="NAME", help="Wake every goal that waits for this signal, in any scope.")
@options.replace
@options.revision
@options.key
@command()
def wake(
    session: Session, goal_id: str | None, signal: str | None, replaces: bool, revision: int | None, key: str | None
) -> None:
    """Wake a waiting goal now, or all that wait for a signal. Where another goal is active, say --replace."""
    if goal_id is not None and signal is not None:
        raise InvalidInput("give an ID or --signal NAME, not both")
    if signal is None:
        goal = session.act(GoalAction.WAKE, session.goal(goal_id), revision, key, replace=replaces)
        done = goal.status is GoalStatus.ACTIVE
        hint = f"telic claim {goal.id} --holder NAME drives it" if done else f"telic resume {goal.id} goes on"
        session.show_changed(goal, hint)
        return
    if replaces:
        raise InvalidInput("--replace is for one goal; a signal pauses none")
    if revision is not None:
        raise InvalidInput("--revision guards one goal; a signal wakes many")
    woken = session.store.signal(signal, actor=session.named_actor, key=key)
    if session.terminal.as_json:
        session.terminal.json([goal.to_json() for goal in woken])
    elif woken:
        show_goals(session.terminal, woken)
        session.terminal.hint("telic claim --due --all-scopes drives what is active")
    else:
        session.terminal.line(f"no goal waits for the signal {signal}")


@click.command()
@options.goal_id
@options.budgets("Set this budget first; what is not named stays.")
@options.note
@options.replace
@options.revision
@options.key
@command()
def resume(
    session: Session,
    goal_id: str | None,
    budgets: tuple[str, ...],
    note: str | None,
    replaces: bool,
    revision: int | None,
    key: str | None,
) -> None:
    """Make a paused goal active. Where another goal of its scope is active, say --replace."""
    goal = session.resumable(goal_id)
    budget = parse_budget(budgets, goal.budget) if budgets else None
    goal = session.act(GoalAction.RESUME, goal, revision, key, budget=budget, note=note, replace=replaces)
    session.show_changed(goal, f"telic record {goal.id} --tokens N accounts a turn")


@click.command()
@options.goal_id
@options.note
@options.lease
@options.revision
@options.key
@command()
def complete(
    session: Session,
    goal_id: str | None,
    note: str | None,
    holder: str | None,
    lease_token: int | None,
    revision: int | None,
    key: str | None,
) -> None:
    """Complete a goal, also a paused one."""
    goal = session.goal(goal_id)
    lease = lease_of(goal, holder, lease_token)
    goal = session.act(GoalAction.COMPLETE, goal, revision, key, note=note, lease=lease)
    session.show_changed(goal, f"telic events {goal.id} tells its history")


@click.command()
@options.goal_id
@_reason(GoalStatus.CLEARED, Reason.DISMISSED)
@options.note
@options.lease
@options.revision
@options.key
@command()
def clear(
    session: Session,
    goal_id: str | None,
    reason: str | None,
    note: str | None,
    holder: str | None,
    lease_token: int | None,
    revision: int | None,
    key: str | None,
) -> None:
    """Give a goal up, for good; its history stays."""
    goal = session.goal(goal_id)
    lease = lease_of(goal, holder, lease_token)
    goal = session.act(
        GoalAction.CLEAR, goal, revision, key, reason=Reason(reason or Reason.DISMISSED), note=note, lease=lease
    )
    session.show_changed(goal, 'telic create "…" makes the next one')


COMMANDS = (pause, resume, complete, clear, wake)

"""Commands that make, show and change goals."""

import shlex
from collections.abc import Callable
from typing import Any

import click

from telic.domain.amounts import parse_budget
from telic.domain.budget import Budget
from telic.domain.criteria import Criterion
from telic.domain.errors import InvalidInput
from telic.domain.goal import Goal, GoalStatus, Reason
from telic.domain.jsonable import goal_to_json
from telic.domain.lifecycle import REASONS
from telic.domain.limits import DEFAULT_MAX_CHARS
from telic.interfaces.cli.checks import look_at_checks, show_checks
from telic.interfaces.cli.failures import EXIT_NOTHING_THERE
from telic.interfaces.cli.render import show_goal, show_goals
from telic.interfaces.cli.session import Session, command

Option = Callable[[Any], Any]

_key = click.option("--key", help="Makes the call happen once, however often it is repeated.")
_revision = click.option("--revision", type=int, help="Refuse unless the goal is at this revision.")
_note = click.option("--note", help="A free remark, kept in the history.")
_id = click.argument("goal_id", metavar="[ID]", required=False)
_max_chars = click.option("--max-chars", type=int, default=DEFAULT_MAX_CHARS, show_default=True, help="Longest text.")
_checks = click.option("--check", "checks", multiple=True, help="A command that must exit with 0; no shell runs it.")
_judges = click.option("--judge", "judges", multiple=True, help="A question that a judging model must answer with yes.")
_approvals = click.option("--approve", "approvals", multiple=True, help="What a person must approve.")


def _budgets(help: str) -> Option:
    return click.option("--budget", "budgets", multiple=True, metavar="AMOUNT", help=help)


def _reason(status: GoalStatus, default: Reason) -> Option:
    choices = sorted(reason.value for reason in REASONS[status])
    return click.option("--reason", type=click.Choice(choices), default=default.value, show_default=True)


def _criteria(checks: tuple[str, ...], judges: tuple[str, ...], approvals: tuple[str, ...]) -> list[Criterion]:
    try:
        commands = [Criterion.command(shlex.split(check)) for check in checks]
    except ValueError as error:
        raise InvalidInput(f"a --check cannot be read as a command: {error}") from error
    return commands + [Criterion.judge(text) for text in judges] + [Criterion.approval(text) for text in approvals]


@click.command()
@click.argument("text")
@_budgets("2M or 500k tokens, $5, 90m or 2h of active time, 40turns; may be repeated.")
@_checks
@_judges
@_approvals
@_max_chars
@_key
@command(creates=True)
def create(
    session: Session,
    text: str,
    budgets: tuple[str, ...],
    checks: tuple[str, ...],
    judges: tuple[str, ...],
    approvals: tuple[str, ...],
    max_chars: int,
    key: str | None,
) -> None:
    """Make TEXT the scope's active goal; the former one is paused."""
    goal = session.store.create(
        text,
        scope=session.scope,
        budget=parse_budget(budgets, Budget()),
        criteria=_criteria(checks, judges, approvals),
        max_chars=max_chars,
        actor=session.actor,
        key=key,
    )
    show_goal(session.terminal, goal)
    session.terminal.hint(f"telic record {goal.id} --tokens N accounts a turn; telic pause {goal.id} stops it")


@click.command()
@command()
def active(session: Session) -> int:
    """Show the scope's active goal; exit with 3 if there is none."""
    goal = session.store.active(session.scope)
    if goal is not None:
        show_goal(session.terminal, goal)
        return 0
    if session.terminal.as_json:
        session.terminal.json(None)
    else:
        session.terminal.line(f"no goal is active in scope {session.scope}")
    session.terminal.hint('telic create "…" makes one; telic list shows all')
    return EXIT_NOTHING_THERE


@click.command("list")
@click.option("--all-scopes", is_flag=True, help="Goals of every scope.")
@click.option("--status", type=click.Choice([status.value for status in GoalStatus]), help="Only these.")
@click.option("--text", help="Only goals whose text has this in it.")
@click.option("--limit", type=int, default=50, show_default=True, help="Longest page, at most 1000.")
@click.option("--cursor", help="Go on after the page that gave this cursor.")
@command()
def list_goals(
    session: Session, all_scopes: bool, status: str | None, text: str | None, limit: int, cursor: str | None
) -> None:
    """List the scope's goals, newest first."""
    page = session.store.list(
        scope=None if all_scopes else session.scope,
        status=None if status is None else GoalStatus(status),
        text=text,
        limit=limit,
        cursor=cursor,
    )
    if session.terminal.as_json:
        goals = [goal_to_json(goal) for goal in page.goals]
        session.terminal.json({"goals": goals, "next_cursor": page.next_cursor})
        return
    show_goals(session.terminal, page.goals)
    if page.next_cursor is not None:
        session.terminal.hint(f"more: add --cursor {page.next_cursor}")
    elif not page.goals:
        session.terminal.hint("nothing matches; --all-scopes looks everywhere")


@click.command()
@_id
@command()
def show(session: Session, goal_id: str | None) -> None:
    """Show a goal, and how its criteria were last checked."""
    goal = session.goal(goal_id)
    checks = look_at_checks(session.store, goal)
    if session.terminal.as_json:
        session.terminal.json(goal_to_json(goal) | {"checks": [check.as_dict() for check in checks]})
        return
    show_goal(session.terminal, goal)
    show_checks(session.terminal, goal, checks)


@click.command()
@_id
@_reason(GoalStatus.PAUSED, Reason.USER)
@_note
@_revision
@_key
@command()
def pause(
    session: Session, goal_id: str | None, reason: str, note: str | None, revision: int | None, key: str | None
) -> None:
    """Pause a goal."""
    goal = session.goal(goal_id)
    goal = session.store.pause(
        goal.id, expected_revision=revision, reason=Reason(reason), note=note, actor=session.actor, key=key
    )
    _show_changed(session, goal, f"telic resume {goal.id} goes on")


def _show_changed(session: Session, goal: Goal, hint: str) -> None:
    show_goal(session.terminal, goal)
    session.terminal.hint(hint)


@click.command()
@_id
@_budgets("Set this budget first; what is not named stays.")
@_note
@_revision
@_key
@command()
def resume(
    session: Session,
    goal_id: str | None,
    budgets: tuple[str, ...],
    note: str | None,
    revision: int | None,
    key: str | None,
) -> None:
    """Make a paused goal active; the scope's active goal is paused instead."""
    goal = session.resumable(goal_id)
    budget = parse_budget(budgets, goal.budget) if budgets else None
    goal = session.store.resume(
        goal.id, budget=budget, expected_revision=revision, note=note, actor=session.actor, key=key
    )
    _show_changed(session, goal, f"telic record {goal.id} --tokens N accounts a turn")


@click.command()
@_id
@_note
@_revision
@_key
@command()
def complete(session: Session, goal_id: str | None, note: str | None, revision: int | None, key: str | None) -> None:
    """Complete a goal, also a paused one."""
    goal = session.goal(goal_id)
    goal = session.store.complete(goal.id, expected_revision=revision, note=note, actor=session.actor, key=key)
    _show_changed(session, goal, f"telic events {goal.id} tells its history")


@click.command()
@_id
@_reason(GoalStatus.CLEARED, Reason.DISMISSED)
@_note
@_revision
@_key
@command()
def clear(
    session: Session, goal_id: str | None, reason: str, note: str | None, revision: int | None, key: str | None
) -> None:
    """Give a goal up, for good; its history stays."""
    goal = session.goal(goal_id)
    goal = session.store.clear(
        goal.id, expected_revision=revision, reason=Reason(reason), note=note, actor=session.actor, key=key
    )
    _show_changed(session, goal, 'telic create "…" makes the next one')


@click.command()
@click.argument("goal_id", metavar="ID")
@click.argument("text", required=False)
@_checks
@_judges
@_approvals
@click.option("--no-criteria", is_flag=True, help="Take all criteria away.")
@_max_chars
@_revision
@_key
@command()
def edit(
    session: Session,
    goal_id: str,
    text: str | None,
    checks: tuple[str, ...],
    judges: tuple[str, ...],
    approvals: tuple[str, ...],
    no_criteria: bool,
    max_chars: int,
    revision: int | None,
    key: str | None,
) -> None:
    """Change a goal's TEXT, its criteria, or both; its usage stays."""
    criteria = _criteria(checks, judges, approvals)
    goal = session.store.edit(
        session.goal(goal_id).id,
        text=text,
        criteria=criteria if criteria or no_criteria else None,
        max_chars=max_chars,
        expected_revision=revision,
        actor=session.actor,
        key=key,
    )
    _show_changed(session, goal, f"telic events {goal.id} tells what changed")


@click.command()
@click.argument("goal_id", metavar="ID")
@click.argument("amounts", nargs=-1, metavar="AMOUNT…")
@_revision
@_key
@command()
def budget(session: Session, goal_id: str, amounts: tuple[str, ...], revision: int | None, key: str | None) -> None:
    """Set a goal's budget: 2M or 500k tokens, $5, 90m or 2h of active time, 40turns, or none.

    What is not named stays, unless somebody changes the goal meanwhile, which is refused as stale.
    """
    goal = session.goal(goal_id)
    if amounts:
        wanted = parse_budget(amounts, goal.budget)
        seen = goal.revision if revision is None and key is None else revision
        goal = session.store.set_budget(goal.id, wanted, expected_revision=seen, actor=session.actor, key=key)
    hint = f"telic resume {goal.id} goes on" if goal.status is GoalStatus.PAUSED else f"telic show {goal.id}"
    _show_changed(session, goal, hint)


COMMANDS = (create, active, list_goals, show, pause, resume, complete, clear, edit, budget)

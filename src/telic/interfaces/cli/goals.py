"""Commands that make, show and redefine goals."""

from contextlib import suppress
from typing import Any

import click

from telic.domain.budget import BillingPolicy, Budget
from telic.domain.criteria import Criterion
from telic.domain.errors import GoalNotFound, InvalidInput
from telic.domain.goal import Goal, GoalStatus
from telic.domain.ids import looks_like_id
from telic.interfaces.cli import options, surroundings
from telic.interfaces.cli.options import QUOTED_MONEY
from telic.interfaces.cli.render import show_details, show_goal, show_goals
from telic.interfaces.cli.session import Session, command
from telic.services.actions import GoalAction, fitting_actions
from telic.services.insight import list_goals as list_goals_of
from telic.services.insight import listing_to_json, read_goal, usage_by_kind
from telic.services.outcomes import ExitCode
from telic.store.connect import complete
from telic.wording.amounts import parse_budget


@click.command()
@click.argument("text")
@options.budgets("2M or 500k tokens, $5, 90m or 2h of active time, 40turns; may be repeated.")
@options.criteria
@options.max_chars
@click.option(
    "--billing",
    type=click.Choice([policy.value.replace("_", "-") for policy in BillingPolicy]),
    default="input-and-output",
    show_default=True,
    help="Which of a model's tokens the budget counts.",
)
@options.replace
@command(creates=True, keyed=True)
def create(session: Session, budgets: tuple[str, ...], billing: str, replaces: bool, **wanted: Any) -> None:
    """Make TEXT the scope's active goal. Where another one is active, say --replace, or choose another --scope."""
    goal = session.act(
        GoalAction.CREATE,
        None,
        budget=parse_budget(budgets, Budget()),
        billing=BillingPolicy(billing.replace("-", "_")),
        replace=replaces,
        **wanted,
    )
    session.show_changed(goal, f"{_who_accounts(goal)}; telic pause {{id}} stops it")


def _who_accounts(goal: Goal) -> str:
    # Only here: with the hosts come all the readers of their transcripts.
    from telic.integrations.hosts.session_goal import is_hosts_scope

    if is_hosts_scope(goal.scope):
        return "the session's hooks tell the goal and account its turns (telic install sets them up)"
    return "telic record {id} --tokens N accounts a turn"


@click.command()
@command()
def active(session: Session) -> int:
    """Show the scope's active goal; exit with 3 if there is none."""
    goal = session.store.active(session.scope)
    if goal is not None:
        show_goal(session.terminal, goal)
        return 0
    session.terminal.json_or_line(None, f"no goal is active in scope {session.scope}")
    session.terminal.hint('telic create "…" makes one; telic list shows all')
    return ExitCode.NOTHING_THERE


@click.command("list")
@options.all_scopes
@click.option("--status", type=click.Choice([status.value for status in GoalStatus]), help="Only these.")
@click.option("--text", help="Only goals whose text has this in it.")
@click.option("--limit", type=int, default=50, show_default=True, help="Longest page, at most 1000.")
@click.option("--cursor", help="Go on after the page that gave this cursor.")
@command()
def list_goals(
    session: Session, all_scopes: bool, status: str | None, text: str | None, limit: int, cursor: str | None
) -> None:
    """List the scope's goals, newest first."""
    page = complete(
        list_goals_of(
            session.async_store,
            scope=None if all_scopes else session.scope,
            status=None if status is None else GoalStatus(status),
            text=text,
            limit=limit,
            cursor=cursor,
        )
    )
    if session.terminal.as_json:
        session.terminal.json(listing_to_json(page))
        return
    show_goals(session.terminal, [each.goal for each in page.entries], [each.worker for each in page.entries])
    if page.next_cursor is not None:
        session.terminal.hint(f"more: add --cursor {page.next_cursor}")
    elif not page.entries:
        session.terminal.hint("nothing matches; --all-scopes looks everywhere")


@click.command()
@options.goal_id
@command()
def show(session: Session, goal_id: str | None) -> None:
    """Show a goal: status, usage, worker, holds, what it waits for, and how its criteria stand."""
    goal = session.goal(goal_id)
    by_kind = complete(usage_by_kind(session.async_store, goal.id))
    show_details(session.terminal, complete(read_goal(session.async_store, goal.id)), by_kind)


@click.command()
@options.goal_id
@click.argument("text", required=False)
@options.criteria
@click.option("--no-criteria", is_flag=True, help="Take all criteria away.")
@options.max_chars
@command(guarded=True)
def edit(
    session: Session,
    goal_id: str | None,
    text: str | None,
    criteria: tuple[Criterion, ...],
    no_criteria: bool,
    max_chars: int,
) -> None:
    """Change a goal's TEXT, its criteria, or both; its usage stays."""
    # `telic edit TEXT` means the scope's goal; a text that looks like an id is taken for one.
    if goal_id is not None and text is None and not looks_like_id(goal_id):
        goal_id, text = None, goal_id
    wanted = criteria if criteria or no_criteria else None
    goal = session.act(GoalAction.EDIT, session.goal(goal_id), text=text, criteria=wanted, max_chars=max_chars)
    session.show_changed(goal, "telic events {id} tells what changed")


@click.command()
@click.argument("words", nargs=-1, metavar="[ID] [AMOUNT]…", shell_complete=surroundings.complete_goals)
@command(guarded=True)
def budget(session: Session, words: tuple[str, ...]) -> None:
    """Set a goal's budget: 2M or 500k tokens, $5, 90m or 2h of active time, 40turns, or none.

    A limit that is not named stays as it is. If somebody changes the goal meanwhile, nothing is done.
    """
    goal_id, amounts = _id_and_amounts(session, words)
    goal = session.goal(goal_id)
    if amounts:
        goal = session.act(GoalAction.SET_BUDGET, goal, is_as_read=True, budget=parse_budget(amounts, goal.budget))
    resumes = GoalAction.RESUME in fitting_actions(goal)
    hint = "telic resume {id} goes on" if resumes else "telic show {id} tells where it stands"
    session.show_changed(goal, hint if amounts else f"no amount was given, so the budget stays; {QUOTED_MONEY}")


def _id_and_amounts(session: Session, words: tuple[str, ...]) -> tuple[str | None, tuple[str, ...]]:
    if not words or not looks_like_id(words[0]):
        return None, words
    # An id begins with 0, which an amount does not; its end may be all digits.
    if not words[0].isdigit() or words[0].startswith("0"):
        return words[0], words[1:]
    with suppress(GoalNotFound):
        goal = session.store.find(words[0])
        raise InvalidInput(
            f"{words[0]} is an amount, and a part of the id {goal.id}: write {int(words[0]):,}, or the id"
        )
    return None, words


COMMANDS = (create, active, list_goals, show, edit, budget)

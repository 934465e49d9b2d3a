"""Commands for workers that share goals: reserving budget, and driving a goal alone."""

import click

from telic.domain.goal import Actor
from telic.domain.jsonable import lease_to_json
from telic.domain.lease import HoldState, Lease
from telic.interfaces.cli import options
from telic.interfaces.cli.options import AMOUNT, amount, lease_of, seconds
from telic.interfaces.cli.render import show_hold, show_holds, show_lease, show_leases
from telic.interfaces.cli.session import Session, command
from telic.services.outcomes import ExitCode


@click.command()
@options.goal_id
@click.option("--tokens", type=AMOUNT, metavar="N", help="Tokens to reserve: 20k.")
@click.option("--time", "active_time", type=AMOUNT, metavar="AMOUNT", help="Active time to reserve: 5m.")
@click.option("--cost", type=AMOUNT, metavar="AMOUNT", help="Money to reserve: $0.25.")
@options.ttl("10m")
@options.lease
@options.key
@command(actor=Actor.HOST)
def hold(
    session: Session,
    goal_id: str | None,
    tokens: str | None,
    active_time: str | None,
    cost: str | None,
    ttl: str,
    holder: str | None,
    lease_token: int | None,
    key: str | None,
) -> None:
    """Reserve budget, and one turn, before a model is called; refused where there is no room."""
    goal = session.goal(goal_id)
    placed = session.store.hold(
        goal.id,
        tokens=amount("tokens", tokens),
        active_microseconds=amount("active_microseconds", active_time),
        cost_microunits=amount("cost_microunits", cost),
        ttl_seconds=seconds(ttl),
        lease=lease_of(goal, holder, lease_token),
        actor=session.actor,
        key=key,
    )
    show_hold(session.terminal, placed)
    session.terminal.hint(f"telic record {goal.id} --hold {placed.key} --tokens N settles it")


@click.command()
@options.goal_id
@click.option("--hold", required=True, metavar="KEY", help="The hold to be released.")
@options.lease
@options.key
@command(actor=Actor.HOST)
def release(
    session: Session, goal_id: str | None, hold: str, holder: str | None, lease_token: int | None, key: str | None
) -> None:
    """Give back what an open hold reserves."""
    goal = session.goal(goal_id)
    lease = lease_of(goal, holder, lease_token)
    show_hold(session.terminal, session.store.release(goal.id, hold, lease=lease, actor=session.actor, key=key))
    session.terminal.hint(f"telic holds {goal.id} shows what is held still")


@click.command()
@options.goal_id
@click.option("--after", default="", metavar="KEY", help="Only keys above this.")
@click.option("--limit", type=int, default=1000, show_default=True, help="At most so many.")
@command()
def holds(session: Session, goal_id: str | None, after: str, limit: int) -> None:
    """Show a goal's holds: open, expired, settled and released."""
    goal = session.goal(goal_id)
    found = session.store.holds(goal.id, after=after, limit=limit)
    show_holds(session.terminal, found)
    if len(found) == limit:
        session.terminal.hint(f"more: add --after {found[-1].key}")
    if goal.is_finished and any(hold.state is HoldState.OPEN for hold in found):
        session.terminal.hint(
            f"the goal is {goal.status}: what no turn settles is counted as an estimate when it expires, "
            f"or telic release {goal.id} --hold KEY frees it where nothing was used"
        )


@click.command()
@options.goal_id
@options.holder
@options.ttl("60s")
@click.option("--due", is_flag=True, help="Wake goals whose time has come, and claim any that nobody drives.")
@click.option("--all-scopes", is_flag=True, help="With --due: goals of every scope.")
@click.option("--limit", type=int, default=1, show_default=True, help="With --due: at most so many.")
@command(actor=Actor.HOST)
def claim(session: Session, goal_id: str | None, holder: str, ttl: str, due: bool, all_scopes: bool, limit: int) -> int:
    """Drive an active goal alone until the lease ends; exit with 3 if nothing is --due."""
    if due:
        if goal_id is not None:
            raise click.UsageError("give an ID or --due, not both")
        return _claim_due(session, None if all_scopes else session.scope, holder, ttl, limit)
    target = {"scope": session.scope} if goal_id is None else {"goal_id": session.goal(goal_id).id}
    lease = session.store.claim(**target, holder=holder, ttl_seconds=seconds(ttl))
    show_lease(session.terminal, lease)
    _hint_at_work(session, lease)
    return 0


def _claim_due(session: Session, scope: str | None, holder: str, ttl: str, limit: int) -> int:
    leases = session.store.claim_due(scope=scope, holder=holder, ttl_seconds=seconds(ttl), limit=limit)
    if session.terminal.as_json:
        session.terminal.json([lease_to_json(lease) for lease in leases])
    elif leases:
        show_leases(session.terminal, leases)
    else:
        session.terminal.line("nothing is due")
    if leases:
        _hint_at_work(session, leases[0])
        return 0
    session.terminal.hint("ask again later" + ("; --all-scopes looks everywhere" if scope is not None else ""))
    return ExitCode.NOTHING_THERE


def _hint_at_work(session: Session, lease: Lease) -> None:
    shown = f"{lease.goal.id} --holder {lease.holder} --lease-token {lease.token}"
    session.terminal.hint(f"telic renew {shown} keeps it; telic unclaim lets it go; telic record takes both too")


@click.command()
@options.goal_id
@options.holder
@options.lease_token
@options.ttl("60s")
@command(actor=Actor.HOST)
def renew(session: Session, goal_id: str | None, holder: str, lease_token: int, ttl: str) -> None:
    """Keep a lease for another while; a worker that lost it must stop."""
    lease = Lease(session.goal(goal_id), holder, lease_token)
    show_lease(session.terminal, session.store.renew(lease, ttl_seconds=seconds(ttl)))


@click.command()
@options.goal_id
@options.holder
@options.lease_token
@command(actor=Actor.HOST)
def unclaim(session: Session, goal_id: str | None, holder: str, lease_token: int) -> None:
    """Let a goal go: the next worker need not wait for the lease to end."""
    goal = session.store.release_lease(Lease(session.goal(goal_id), holder, lease_token))
    session.show_changed(goal, f"telic claim {goal.id} --holder NAME drives it again")


COMMANDS = (hold, release, holds, claim, renew, unclaim)

"""Commands for workers that share goals: driving a goal alone, reserving budget, and recording turns.

Leases, holds and turns belong to workers, so these commands call the store as a worker does. Only `release` is also a
person's action: it frees the hold of a call that is lost.
"""

import shlex
from typing import Any

import click

from telic.domain.budget import TurnUsage, UsageKind, typed_usage
from telic.domain.errors import InvalidInput
from telic.domain.goal import Actor
from telic.domain.jsonable import hold_to_json, lease_to_json, turn_to_json
from telic.domain.lease import HoldState, Lease
from telic.interfaces.cli import options
from telic.interfaces.cli.options import ShownLease
from telic.interfaces.cli.render import show_hold, show_lease, show_leases, show_rows
from telic.interfaces.cli.session import Session, command
from telic.services.actions import release_hold
from telic.services.outcomes import ExitCode
from telic.wording.goals import HOLDS

_KINDS = [kind.value.replace("_", "-") for kind in UsageKind]


def _time_and_money(what_for: str = "") -> options.Option:
    def amount(name: str, argument: str, kind: options.Amount, help: str) -> options.Option:
        return click.option(name, argument, type=kind, default=0, metavar="AMOUNT", help=help)

    time = amount("--time", "active_microseconds", options.ACTIVE_TIME, f"Active time{what_for}: 90s, 5m.")
    money = amount("--cost", "cost_microunits", options.MONEY, f"Money{what_for}: $0.25.")
    return lambda command: time(money(command))


@click.command()
@options.goal_id
@click.option("--tokens", type=options.TOKENS, default=0, metavar="N", help="Tokens to reserve: 20k.")
@_time_and_money(" to reserve")
@options.ttl("10m")
@options.lease
@command(actor=Actor.HOST, keyed=True)
def hold(session: Session, goal_id: str | None, ttl: float, lease: ShownLease, **amounts: Any) -> None:
    """Reserve budget, and one turn, before a model is called; refused where there is no room."""
    goal = session.goal(goal_id)
    placed = session.store.hold(
        goal.id, ttl_seconds=ttl, lease=lease.of(goal), actor=session.actor, key=session.key, **amounts
    )
    show_hold(session.terminal, placed)
    session.hint(f"telic record {{id}} --hold {placed.key} --tokens N settles it")


@click.command()
@options.goal_id
@click.option("--hold", required=True, metavar="KEY", help="The hold to be released.")
@options.lease
@command(actor=Actor.HOST, keyed=True)
def release(session: Session, goal_id: str | None, hold: str, lease: ShownLease) -> None:
    """Give back what an open hold reserves."""
    goal = session.goal(goal_id)
    released = release_hold(session.store, goal, hold, actor=session.actor, lease=lease.of(goal), key=session.key)
    show_hold(session.terminal, released)
    session.hint("telic holds {id} shows what is held still")


@click.command()
@options.goal_id
@options.page("Only keys above this.", str)
@command()
def holds(session: Session, goal_id: str | None, after: str, limit: int) -> None:
    """Show a goal's holds: open, expired, settled and released."""
    goal = session.goal(goal_id)
    found = session.store.holds(goal.id, after=after, limit=limit)
    show_rows(session.terminal, HOLDS, found, hold_to_json)
    if len(found) == limit:
        session.hint(f"more: add --after {found[-1].key}")
    if goal.is_finished and any(hold.state is HoldState.OPEN for hold in found):
        session.hint(
            f"the goal is {goal.status}: what no turn settles is counted as an estimate when it expires, "
            "or telic release {id} --hold KEY frees it where nothing was used"
        )


@click.command()
@options.goal_id
@options.worker
@options.ttl("60s")
@click.option("--due", is_flag=True, help="Wake goals whose time has come, and claim any that nobody drives.")
@click.option("--all-scopes", is_flag=True, help="With --due: goals of every scope.")
@click.option("--limit", type=int, default=1, show_default=True, help="With --due: at most so many.")
@command(actor=Actor.HOST)
def claim(
    session: Session, goal_id: str | None, worker: str, ttl: float, due: bool, all_scopes: bool, limit: int
) -> int:
    """Take the lease of an active goal, so that only this worker drives it; exit with 3 if nothing is --due."""
    if due:
        if goal_id is not None:
            raise click.UsageError("give an ID or --due, not both")
        return _claim_due(session, None if all_scopes else session.scope, worker, ttl, limit)
    # By scope in one statement: a goal that was read first may no longer be the active one.
    target = {"scope": session.scope} if goal_id is None else {"goal_id": session.goal(goal_id).id}
    lease = session.store.claim(**target, worker=worker, ttl_seconds=ttl)
    show_lease(session.terminal, lease)
    _hint_at_work(session, lease)
    return 0


def _claim_due(session: Session, scope: str | None, worker: str, ttl: float, limit: int) -> int:
    leases = session.store.claim_due(scope=scope, worker=worker, ttl_seconds=ttl, limit=limit)
    if leases and not session.terminal.as_json:
        show_leases(session.terminal, leases)
    else:
        session.terminal.json_or_line([lease_to_json(lease) for lease in leases], "nothing is due")
    if leases:
        _hint_at_work(session, leases[0])
        return 0
    session.hint("ask again later" + ("; --all-scopes looks everywhere" if scope is not None else ""))
    return ExitCode.NOTHING_THERE


def _hint_at_work(session: Session, lease: Lease) -> None:
    session.target = lease.goal
    shown = f"{{id}} --worker {shlex.quote(lease.worker)} --lease-token {lease.token}"
    session.hint(f"telic renew {shown} keeps it; telic unclaim {shown} lets it go; telic record takes both too")


@click.command()
@options.goal_id
@options.worker
@options.lease_token
@options.ttl("60s")
@command(actor=Actor.HOST)
def renew(session: Session, goal_id: str | None, worker: str, lease_token: int, ttl: float) -> None:
    """Renew a lease; a worker that has lost it must stop."""
    lease = Lease(session.goal(goal_id), worker, lease_token)
    show_lease(session.terminal, session.store.renew(lease, ttl_seconds=ttl))


@click.command()
@options.goal_id
@options.worker
@options.lease_token
@command(actor=Actor.HOST)
def unclaim(session: Session, goal_id: str | None, worker: str, lease_token: int) -> None:
    """Give a lease back, so that the next worker need not wait until it expires."""
    goal = session.store.release_lease(Lease(session.goal(goal_id), worker, lease_token))
    session.show_changed(goal, "telic claim {id} --worker NAME drives it again")


@click.command()
@options.goal_id
@click.option(
    "--tokens",
    type=options.TOKENS,
    metavar="N",
    help="What the budget counts, 1500 or 2k; else the goal's billing policy says.",
)
@click.option("--input", "input_tokens", type=int, default=0, help="Input tokens, cached ones among them.")
@click.option("--cached", "cached_input_tokens", type=int, default=0, help="Cached input tokens.")
@click.option("--output", "output_tokens", type=int, default=0, help="Output tokens, reasoning among them.")
@click.option("--reasoning", "reasoning_tokens", type=int, default=0, help="Reasoning tokens.")
@_time_and_money()
@click.option("--kind", type=click.Choice(_KINDS), default="work", show_default=True, help="Only work is a turn.")
@click.option("--model", metavar="NAME", help="The model that was called.")
@click.option("--hold", metavar="KEY", help="The hold that this settles.")
@options.lease
@click.option("--key", help="The turn's key: the same key is counted once.")
@command(actor=Actor.HOST)
def record(
    session: Session,
    goal_id: str | None,
    tokens: int | None,
    kind: str,
    model: str | None,
    hold: str | None,
    lease: ShownLease,
    key: str | None,
    **amounts: Any,
) -> None:
    """Record what one turn used, or what was used on its behalf; say at least one amount."""
    if tokens is None and not any(amounts.values()):
        raise InvalidInput(
            "say what the turn consumed: --tokens N, or --input, --output, --time, --cost; 0 is --tokens 0"
        )
    goal = session.goal(goal_id)
    result = session.store.record_turn(
        goal.id,
        usage=typed_usage(**amounts) if tokens is None else TurnUsage(tokens=tokens, **amounts),
        kind=UsageKind(kind.replace("-", "_")),
        model=model,
        hold=hold,
        lease=lease.of(goal),
        actor=session.actor,
        key=key,
    )
    if session.terminal.as_json:
        session.terminal.json({"goal": result.goal.to_json(), "turn": turn_to_json(result.turn)})
        return
    session.show_changed(result.goal, "telic turns {id} shows the ledger")


COMMANDS = (hold, release, holds, claim, renew, unclaim, record)

"""Commands on the ledger and the history: recording turns, reading both, checking all."""

import click

from telic.domain.amounts import parse_limit
from telic.domain.budget import TurnUsage
from telic.domain.errors import InvalidNumber
from telic.domain.goal import Actor
from telic.domain.jsonable import goal_to_json, turn_to_json
from telic.interfaces.cli.failures import EXIT_FOUND_PROBLEMS
from telic.interfaces.cli.render import show_events, show_goal, show_turns
from telic.interfaces.cli.session import Session, command
from telic.services.doctor import Finding, Level, examine

_id = click.argument("goal_id", metavar="[ID]", required=False)
_after = click.option("--after", type=int, default=0, help="Only numbers above this.")
_limit = click.option("--limit", type=int, default=1000, show_default=True, help="At most so many.")


@click.command()
@_id
@click.option("--tokens", default="0", metavar="N", help="What the budget counts; 1500, 2k or 1M.")
@click.option("--input", "input_tokens", type=int, default=0, help="Input tokens.")
@click.option("--cached", "cached_input_tokens", type=int, default=0, help="Cached input tokens.")
@click.option("--output", "output_tokens", type=int, default=0, help="Output tokens.")
@click.option("--reasoning", "reasoning_tokens", type=int, default=0, help="Reasoning tokens.")
@click.option("--time", "active_time", metavar="AMOUNT", help="Active time: 90s, 5m.")
@click.option("--cost", metavar="AMOUNT", help="Money: $0.25.")
@click.option("--key", help="The turn's key: the same key is counted once.")
@command(actor=Actor.HOST)
def record(
    session: Session,
    goal_id: str | None,
    tokens: str,
    active_time: str | None,
    cost: str | None,
    key: str | None,
    **components: int,
) -> None:
    """Account one turn to a goal."""
    usage = TurnUsage(
        tokens=_amount("tokens", tokens),
        active_microseconds=_amount("active_microseconds", active_time),
        cost_microunits=_amount("cost_microunits", cost),
        **components,
    )
    result = session.store.record_turn(session.goal(goal_id).id, usage=usage, actor=session.actor, key=key)
    if session.terminal.as_json:
        session.terminal.json({"goal": goal_to_json(result.goal), "turn": turn_to_json(result.turn)})
        return
    show_goal(session.terminal, result.goal)
    session.terminal.hint(f"telic turns {result.goal.id} shows the ledger")


def _amount(name: str, text: str | None) -> int:
    if text is None:
        return 0
    meant, amount = parse_limit(text)
    if meant != name:
        raise InvalidNumber(f"{text!a} is an amount of {meant}, not of {name}")
    return amount


@click.command()
@_id
@_after
@_limit
@command()
def events(session: Session, goal_id: str | None, after: int, limit: int) -> None:
    """Tell a goal's history: what changed, when, by whom."""
    show_events(session.terminal, session.store.events(session.goal(goal_id).id, after=after, limit=limit))


@click.command()
@_id
@_after
@_limit
@command()
def turns(session: Session, goal_id: str | None, after: int, limit: int) -> None:
    """Show a goal's ledger of turns."""
    show_turns(session.terminal, session.store.turns(session.goal(goal_id).id, after=after, limit=limit))


@click.command()
@command()
def doctor(session: Session) -> int:
    """Check chain, sums, schema, durability and file safety; exit with 10 if there is a problem."""
    findings = examine(session.place)
    is_bad = any(finding.level is Level.PROBLEM for finding in findings)
    if session.terminal.as_json:
        session.terminal.json({"healthy": not is_bad, "findings": [_to_json(finding) for finding in findings]})
        return EXIT_FOUND_PROBLEMS if is_bad else 0
    for finding in findings:
        session.terminal.line(f"{finding.level:<8} {finding.check}: {finding.message}")
        if finding.advice is not None:
            session.terminal.line(f"{'':<8} → {finding.advice}")
    return EXIT_FOUND_PROBLEMS if is_bad else 0


def _to_json(finding: Finding) -> dict[str, str | None]:
    return {
        "check": finding.check,
        "level": finding.level.value,
        "message": finding.message,
        "advice": finding.advice,
    }


COMMANDS = (record, events, turns, doctor)

"""Commands on the ledger and the history: recording turns, reading and following both, checking all."""

import signal
from types import FrameType
from typing import Any

import click

from telic.domain.budget import ModelUsage, TurnUsage, UsageKind
from telic.domain.errors import InvalidInput
from telic.domain.events import FeedEvent
from telic.domain.goal import Actor
from telic.domain.ids import short_ids
from telic.domain.jsonable import feed_event_to_json, turn_to_json
from telic.interfaces.cli import options
from telic.interfaces.cli.options import AMOUNT, amount, lease_of
from telic.interfaces.cli.render import show_events, show_turns
from telic.interfaces.cli.session import Session, command
from telic.services.outcomes import ExitCode
from telic.store.doctor import Finding, Level, examine
from telic.wording.goals import describe_event
from telic.wording.words import show_time

_KINDS = [kind.value.replace("_", "-") for kind in UsageKind]
_after = click.option("--after", type=int, default=0, help="Only numbers above this.")
_limit = click.option("--limit", type=int, default=1000, show_default=True, help="At most so many.")


@click.command()
@options.goal_id
@click.option(
    "--tokens",
    type=AMOUNT,
    metavar="N",
    help="What the budget counts, 1500 or 2k; else the goal's billing policy says.",
)
@click.option("--input", "input_tokens", type=int, default=0, help="Input tokens, cached ones among them.")
@click.option("--cached", "cached_input_tokens", type=int, default=0, help="Cached input tokens.")
@click.option("--output", "output_tokens", type=int, default=0, help="Output tokens, reasoning among them.")
@click.option("--reasoning", "reasoning_tokens", type=int, default=0, help="Reasoning tokens.")
@click.option("--time", "active_time", type=AMOUNT, metavar="AMOUNT", help="Active time: 90s, 5m.")
@click.option("--cost", type=AMOUNT, metavar="AMOUNT", help="Money: $0.25.")
@click.option("--kind", type=click.Choice(_KINDS), default="work", show_default=True, help="Only work is a turn.")
@click.option("--model", metavar="NAME", help="The model that was called.")
@click.option("--hold", metavar="KEY", help="The hold that this settles.")
@options.lease
@click.option("--key", help="The turn's key: the same key is counted once.")
@command(actor=Actor.HOST)
def record(
    session: Session,
    goal_id: str | None,
    tokens: str | None,
    kind: str,
    model: str | None,
    hold: str | None,
    holder: str | None,
    lease_token: int | None,
    key: str | None,
    **amounts: Any,
) -> None:
    """Account one turn, or what was consumed on its behalf, to a goal; say at least one amount."""
    if tokens is None and not any(amounts.values()):
        raise InvalidInput(
            "say what the turn consumed: --tokens N, or --input, --output, --time, --cost; 0 is --tokens 0"
        )
    goal = session.goal(goal_id)
    result = session.store.record_turn(
        goal.id,
        usage=_usage(tokens, **amounts),
        kind=UsageKind(kind.replace("-", "_")),
        model=model,
        hold=hold,
        lease=lease_of(goal, holder, lease_token),
        actor=session.actor,
        key=key,
    )
    if session.terminal.as_json:
        session.terminal.json({"goal": result.goal.to_json(), "turn": turn_to_json(result.turn)})
        return
    session.show_changed(result.goal, f"telic turns {result.goal.id} shows the ledger")


def _usage(
    tokens: str | None, *, active_time: str | None, cost: str | None, **components: int
) -> TurnUsage | ModelUsage:
    microseconds, microunits = amount("active_microseconds", active_time), amount("cost_microunits", cost)
    if tokens is None:
        return ModelUsage(active_microseconds=microseconds, cost_microunits=microunits, **components)
    billed = amount("tokens", tokens)
    return TurnUsage(tokens=billed, active_microseconds=microseconds, cost_microunits=microunits, **components)


@click.command()
@options.goal_id
@_after
@_limit
@command()
def events(session: Session, goal_id: str | None, after: int, limit: int) -> None:
    """Tell a goal's history: what changed, when, by whom."""
    show_events(session.terminal, session.store.events(session.goal(goal_id).id, after=after, limit=limit))


@click.command()
@options.goal_id
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
        return ExitCode.FOUND_PROBLEMS if is_bad else 0
    for finding in findings:
        session.terminal.line(f"{finding.level:<8} {finding.check}: {finding.message}")
        if finding.advice is not None:
            session.terminal.line(f"{'':<8} → {finding.advice}")
    return ExitCode.FOUND_PROBLEMS if is_bad else 0


def _to_json(finding: Finding) -> dict[str, str | None]:
    return {
        "check": finding.check,
        "level": finding.level.value,
        "message": finding.message,
        "advice": finding.advice,
    }


@click.command()
@options.goal_id
@click.option("--all-scopes", is_flag=True, help="Goals of every scope.")
@click.option("--after", metavar="CURSOR", help="Begin after this cursor.  [default: now]")
@click.option("--idle", type=click.FloatRange(min=0), metavar="SECONDS", help="End when nothing came for so long.")
@command()
def watch(session: Session, goal_id: str | None, all_scopes: bool, after: str | None, idle: float | None) -> int:
    """Follow what happens to goals, by whatever process, until Ctrl-C.

    Every committed event is told once. The end names the cursor from which --after goes on, also after a restart.
    """
    goal = None if goal_id is None else session.goal(goal_id)
    cursor = after or session.store.cursor()
    everywhere = all_scopes or goal is not None
    what = "every scope" if all_scopes else f"scope {session.scope}" if goal is None else f"goal {goal.id}"
    code = 0
    try:
        with _Interruption() as interruption:
            session.terminal.hint(f"watching {what}; Ctrl-C ends it")
            session.terminal.flush()
            for event in session.store.watch(
                scope=None if everywhere else session.scope,
                goal_id=None if goal is None else goal.id,
                after=cursor,
                idle_seconds=idle,
            ):
                interruption.is_postponed = True
                _show(session, event)
                cursor = event.cursor
                interruption.end_postponement()
    except KeyboardInterrupt:
        code = ExitCode.INTERRUPTED
    session.terminal.cursor(cursor)
    return code


class _Interruption:
    """Ctrl-C ends the watch between two events, so that none is told twice; a second Ctrl-C ends it at once."""

    def __init__(self) -> None:
        self.is_postponed = False
        self._is_wanted = False

    def __enter__(self) -> "_Interruption":
        self._former = signal.signal(signal.SIGINT, self._interrupt)
        return self

    def __exit__(self, *_: object) -> None:
        signal.signal(signal.SIGINT, self._former)

    def _interrupt(self, _number: int, _frame: FrameType | None) -> None:
        if not self.is_postponed or self._is_wanted:
            raise KeyboardInterrupt
        self._is_wanted = True

    def end_postponement(self) -> None:
        """The event was told; whoever asked meanwhile is obeyed now."""
        self.is_postponed = False
        if self._is_wanted:
            raise KeyboardInterrupt


def _show(session: Session, event: FeedEvent) -> None:
    if session.terminal.as_json:
        session.terminal.json(feed_event_to_json(event))
    else:
        session.terminal.row(
            [
                show_time(event.event.at),
                short_ids([event.event.goal_id])[0],
                event.scope,
                event.event.kind.value,
                event.event.actor.value,
                describe_event(event.event),
            ],
            widths=[20, 13, 12, 11, 8, 0],
        )
    session.terminal.flush()


COMMANDS = (record, events, turns, watch, doctor)

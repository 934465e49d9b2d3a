"""Commands that read a goal's history and ledger, and follow what happens to all goals."""

import signal
from types import FrameType

import click

from telic.domain.events import FeedEvent
from telic.domain.ids import short_ids
from telic.domain.jsonable import feed_event_to_json
from telic.interfaces.cli import options
from telic.interfaces.cli.render import show_events, show_turns
from telic.interfaces.cli.session import Session, command
from telic.services.outcomes import ExitCode
from telic.wording.events import describe_event
from telic.wording.words import show_time


@click.command()
@options.goal_id
@options.page("Only numbers above this.")
@command()
def events(session: Session, goal_id: str | None, after: int, limit: int) -> None:
    """Show a goal's history: what changed, when, by whom."""
    show_events(session.terminal, session.store.events(session.goal(goal_id).id, after=after, limit=limit))


@click.command()
@options.goal_id
@options.page("Only numbers above this.")
@command()
def turns(session: Session, goal_id: str | None, after: int, limit: int) -> None:
    """Show a goal's ledger of turns."""
    show_turns(session.terminal, session.store.turns(session.goal(goal_id).id, after=after, limit=limit))


@click.command()
@options.goal_id
@options.all_scopes
@click.option("--after", metavar="CURSOR", help="Begin after this cursor.  [default: now]")
@click.option("--idle", type=options.DURATION, metavar="TIME", help="End when nothing came for so long.")
@command()
def watch(session: Session, goal_id: str | None, all_scopes: bool, after: str | None, idle: float | None) -> int:
    """Follow what happens to goals, by whatever process, until Ctrl-C.

    Every committed event comes once. The end names the cursor from which --after goes on, also after a restart.
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
    """Ctrl-C ends the watch between two events, so that none is shown twice; a second Ctrl-C ends it at once."""

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
        """The event was shown; a Ctrl-C that came meanwhile ends the watch now."""
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


COMMANDS = (events, turns, watch)

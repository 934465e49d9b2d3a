"""Commands on whole histories: reading and following them, checking them, and taking them elsewhere."""

import os
import signal
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from types import FrameType

import click

from telic.domain.clock import Instant
from telic.domain.errors import InvalidInput, StoreMisconfigured
from telic.domain.events import Cursor, FeedEvent, parse_cursor
from telic.domain.ids import short_ids
from telic.domain.jsonable import event_to_json, feed_event_to_json, turn_to_json
from telic.interfaces.cli import options
from telic.interfaces.cli.options import FILE
from telic.interfaces.cli.render import show_rows
from telic.interfaces.cli.session import Session, command
from telic.services.outcomes import ExitCode
from telic.services.transfer.histories import ImportReport, Placement, export_lines, import_histories, read_lines
from telic.store.doctor import Level, examine
from telic.wording.amounts import show_time
from telic.wording.goals import EVENTS, TURNS, describe_event


@click.command()
@options.goal_id
@options.page("Only numbers above this.")
@command()
def events(session: Session, goal_id: str | None, after: int, limit: int) -> None:
    """Show a goal's history: what changed, when, by whom."""
    found = session.store.events(session.goal(goal_id).id, after=after, limit=limit)
    show_rows(session.terminal, EVENTS, found, event_to_json)


@click.command()
@options.goal_id
@options.page("Only numbers above this.")
@command()
def turns(session: Session, goal_id: str | None, after: int, limit: int) -> None:
    """Show a goal's ledger of turns."""
    found = session.store.turns(session.goal(goal_id).id, after=after, limit=limit)
    show_rows(session.terminal, TURNS, found, turn_to_json)


@click.command()
@options.goal_id
@options.all_scopes
@click.option("--after", metavar="CURSOR", help="Begin after this cursor.  [default: now]")
@click.option("--since", type=options.MOMENT_OR_AGO, metavar="TIME", help="Begin then: 2026-12-31, or 2h for 2h ago.")
@click.option("--idle", type=options.DURATION, metavar="TIME", help="End when nothing came for so long.")
@command()
def watch(
    session: Session,
    goal_id: str | None,
    all_scopes: bool,
    after: str | None,
    since: Instant | None,
    idle: float | None,
) -> int:
    """Follow the events of goals, whichever process makes them, until Ctrl-C.

    Every committed event comes once. The end names the cursor from which --after goes on, also after a restart.
    """
    cursor = _first_cursor(session, after, since)
    goal = None if goal_id is None else session.goal(goal_id)
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
                if since is None or event.event.at >= since:
                    _show_event(session, event)
                # Only now: what was not shown comes again with the next watch.
                cursor = event.cursor
                interruption.end_postponement()
    except KeyboardInterrupt:
        code = ExitCode.INTERRUPTED
    session.terminal.cursor(cursor)
    return code


def _first_cursor(session: Session, after: str | None, since: Instant | None) -> str:
    if after is not None and since is not None:
        raise InvalidInput("give --after or --since, one of them")
    now = after or session.store.cursor()
    # No index finds a time in the feed: it is read from its beginning.
    return now if since is None else str(Cursor(parse_cursor(now).store_id))


class _Interruption:
    # Ctrl-C ends the watch between two events, so that none is shown twice; a second Ctrl-C ends it at once.

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
        """End the watch now if Ctrl-C came while the event was shown."""
        self.is_postponed = False
        if self._is_wanted:
            raise KeyboardInterrupt


def _show_event(session: Session, event: FeedEvent) -> None:
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


_LISTED = 20


@click.command()
@command()
def doctor(session: Session) -> int:
    """Check chain, sums, schema, durability and file safety; exit with 10 if there is a problem."""
    findings = examine(session.place)
    is_bad = any(finding.level is Level.PROBLEM for finding in findings)
    if session.terminal.as_json:
        session.terminal.json({"healthy": not is_bad, "findings": [asdict(finding) for finding in findings]})
        return ExitCode.FOUND_PROBLEMS if is_bad else 0
    for finding in findings:
        session.terminal.line(f"{finding.level:<8} {finding.check}: {finding.message}")
        if finding.advice is not None:
            session.terminal.line(f"{'':<8} → {finding.advice}")
    return ExitCode.FOUND_PROBLEMS if is_bad else 0


@click.command()
@click.argument("file", type=FILE)
@click.option("--overwrite", is_flag=True, help="Replace FILE where it is a former backup.")
@click.option("--no-verify", is_flag=True, help="Keep the copy without checking it, as of a damaged store.")
@command()
def backup(session: Session, file: Path, overwrite: bool, no_verify: bool) -> None:
    """Copy the whole store into FILE, while others go on writing, and check the copy as `telic doctor` does.

    FILE is there only once it is whole. Do not copy the store's file by other means while it is in use. PostgreSQL
    is backed up by pg_dump.
    """
    made = session.store.backup(file, overwrite=overwrite, verify=not no_verify)
    size, checked = made.stat().st_size, "not checked" if no_verify else "checked"
    data = {"file": str(made), "bytes": size, "verified": not no_verify}
    session.terminal.json_or_line(data, f"backed up into {made} ({size:,} bytes, {checked})")


@click.command("import")
@click.argument("system", type=click.Choice(["telic", "zeph", "codex"]))
@click.argument("file", type=FILE)
@command(creates=True)
def import_goals(session: Session, system: str, file: Path) -> None:
    """Import goals with their history from FILE: an export of telic, or the database of zeph or codex.

    What is already there is left alone, so an import may be repeated. Goals of zeph go into --scope, those of
    codex into one scope for each thread.
    """
    if system == "telic":
        _report(session, _import_lines(session, file), ())
        return
    # Only here: its readers of other databases are of no use to the commands beside this one.
    from telic.services.transfer.other_systems import read_codex, read_zeph

    imported = read_zeph(file, scope=session.scope) if system == "zeph" else read_codex(file)
    _report(session, import_histories(session.store, imported.histories), imported.not_carried)


def _import_lines(session: Session, file: Path) -> ImportReport:
    try:
        with file.open(encoding="utf-8") as lines:
            return import_histories(session.store, read_lines(lines))
    except (OSError, UnicodeDecodeError) as error:
        raise StoreMisconfigured(f"{file} cannot be read: {getattr(error, 'strerror', None) or error}") from error


def _report(session: Session, report: ImportReport, not_carried: Sequence[str]) -> None:
    if session.terminal.as_json:
        counts = {placement.name.lower(): report.placements[placement] for placement in Placement}
        details = {"refused_ids": report.refused_ids, "not_carried": list(not_carried)}
        session.terminal.json({"placements": counts, **details})
        return
    for placement in Placement:
        if report.placements[placement]:
            session.terminal.line(f"{report.placements[placement]:>6} {placement}")
    for sentence in not_carried[:_LISTED]:
        session.terminal.line(f"not carried over: {sentence}")
    if len(not_carried) > _LISTED:
        session.terminal.line(f"and {len(not_carried) - _LISTED} more; --json lists all")
    session.hint("telic list --all-scopes shows what is there now")


@click.command()
@click.argument("file", type=FILE, required=False)
@command()
def export(session: Session, file: Path | None) -> None:
    """Write every goal with its whole history as JSON lines, to FILE or standard output.

    FILE must not exist yet, is readable by you alone, and is there only when complete.
    """
    if file is None:
        for line in export_lines(session.store):
            session.terminal.raw_json_line(line)
        return
    count = _write_file(session, file)
    session.terminal.json_or_line({"exported": count, "file": str(file)}, f"{count} goals written to {file}")


def _write_file(session: Session, file: Path) -> int:
    if file.name in ("", ".."):
        raise StoreMisconfigured(f"{str(file)!r} names no file")
    # The name is given last, so that a file of this name is whole.
    unfinished = file.with_name(file.name + ".part")
    count = 0
    try:
        if file.exists():
            raise StoreMisconfigured(f"{file} is already there")
        descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w", encoding="ascii") as output:
            for line in export_lines(session.store):
                output.write(line + "\n")
                count += 1
            output.flush()
            # Before the new name: after a power cut there is the whole file, or none.
            os.fsync(output.fileno())
        unfinished.rename(file)
    except OSError as error:
        raise StoreMisconfigured(f"{file} cannot be written: {error.strerror}") from error
    return count


COMMANDS = (events, turns, watch, doctor, backup, export, import_goals)

"""Copies of SQLite files: making a whole one, and knowing where a file came from.

A copy by `cp` lacks the newest turns where the store was in use, and nothing in it says so; an older copy that was put
in a store's place looks like a store that has always been so. The turnstile's file beside it remembers (ADR 42).
"""

import errno
import json
import os
import zlib
from collections.abc import Generator
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Final

import apsw

from telic.domain.clock import Instant
from telic.domain.report import Finding, Level
from telic.storage.drivers.sqlite_errors import translated
from telic.storage.drivers.sqlite_transaction import wall_microseconds
from telic.storage.drivers.turnstile import Turnstile
from telic.wording.amounts import show_time

_SEEN: Final = ("event", "event_mark", "goal_id", "turn", "turn_mark")
_UNWRITTEN: Final = frozenset(
    {
        apsw.SQLITE_IOERR_WRITE,
        apsw.SQLITE_IOERR_FSYNC,
        apsw.SQLITE_IOERR_DIR_FSYNC,
        apsw.SQLITE_IOERR_TRUNCATE,
    }
)
"""The failures of a disk that only writing has."""

_PAGES_AT_A_TIME: Final = 1_000
_NEWEST: Final = """
SELECT events.sequence, substr(events.hash, 1, 16), goals.id, goals.ledger_count, substr(goals.turn_hash, 1, 16)
FROM events JOIN goals ON goals.id = events.goal_id ORDER BY events.sequence DESC LIMIT 1
"""
_HAS: Final = """
SELECT EXISTS (SELECT 1 FROM events WHERE sequence = :event AND substr(hash, 1, 16) = :event_mark)
    AND (:turn = 0 OR EXISTS (
        SELECT 1 FROM turns WHERE goal_id = :goal_id AND number = :turn AND substr(hash, 1, 16) = :turn_mark))
"""
_ALL: Final = "SELECT printf('%d %d %d', count(*), sum(revision), sum(ledger_count)) FROM goals"


@dataclass(frozen=True, slots=True, kw_only=True)
class Provenance:
    """The memory of one database: its newest event, and the newest turn of that event's goal.

    A mark is the beginning of a hash. Where the file came as a copy, `copied_at` says when that was seen first, and
    `copied_with` how many events it had. Where it was set back, `set_back_at` says when that was seen, and
    `set_back_from` how many events it had before.
    """

    event: int = 0
    event_mark: str = ""
    goal_id: str = ""
    turn: int = 0
    turn_mark: str = ""
    copied_at: Instant | None = None
    copied_with: int = 0
    is_backup: bool = False
    set_back_at: Instant | None = None
    set_back_from: int = 0


def remember(connection: apsw.Connection, turnstile: Turnstile) -> None:
    """Write the database's newest lines into the file beside it, and whether earlier ones have disappeared."""
    known = recall(turnstile)
    row = connection.execute(_NEWEST).fetchone()
    newest = Provenance() if row is None else Provenance(**dict(zip(_SEEN, row, strict=True)))
    if newest.event == 0:
        known = newest
    elif turnstile.is_new:
        is_backup = connection.pragma("user_version") == _fingerprint(connection)
        known = replace(known, copied_at=Instant(wall_microseconds()), copied_with=newest.event, is_backup=is_backup)
    elif known.event and not connection.execute(_HAS, asdict(known)).get:
        known = replace(known, set_back_at=Instant(wall_microseconds()), set_back_from=known.event)
    turnstile.is_new = False
    seen = replace(known, **{name: getattr(newest, name) for name in _SEEN})
    if seen != recall(turnstile):
        turnstile.write_note(json.dumps(asdict(seen)).encode())


def _fingerprint(connection: apsw.Connection) -> int:
    # Every change of a goal makes it another number. SQLite keeps 31 bits of `user_version` for programs.
    return zlib.crc32(str(connection.execute(_ALL).get).encode()) & 0x7FFFFFFF


def recall(turnstile: Turnstile) -> Provenance:
    """Return what the file remembers; an empty memory if it is unreadable, or of another release."""
    try:
        return Provenance(**json.loads(turnstile.read_note()))
    except (ValueError, TypeError):
        return Provenance()


def copy_database(source: Path, target: Path, timeout_seconds: float) -> None:
    """The empty file holds everything that was committed when the copying began.

    Writers go on meanwhile: the copy is read from one snapshot, so that no write makes it start over.

    Raises:
        StoreError: it could not be read.
        OSError: the copy could not be written.
    """
    with translated(source), closing(_open(source)) as original, _writing(), closing(_open(target)) as copy:
        original.set_busy_timeout(int(timeout_seconds * 1000))
        original.execute("BEGIN")
        # A transaction begins with its first read; from here on the snapshot stays.
        original.execute("SELECT count(*) FROM sqlite_schema").fetchall()
        with copy.backup("main", original, "main") as copying:
            while not copying.done:
                copying.step(_PAGES_AT_A_TIME)
        original.execute("COMMIT")
        # The copy says of itself that nothing was missing when it was made; any later write makes that untrue.
        copy.pragma("user_version", _fingerprint(copy))


@contextmanager
def _writing() -> Generator[None]:
    # The source is only read meanwhile: what is full, or takes no more, is the disk of the copy.
    try:
        yield
    except apsw.FullError as error:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)) from error
    except apsw.IOError as error:
        if getattr(error, "extendedresult", None) not in _UNWRITTEN:
            raise
        raise OSError(errno.EIO, os.strerror(errno.EIO)) from error


def _open(path: Path) -> apsw.Connection:
    # Connections of their own: the store's are another thread's to use meanwhile.
    return apsw.Connection(str(path), apsw.SQLITE_OPEN_READWRITE | apsw.SQLITE_OPEN_NOFOLLOW)


def findings(known: Provenance) -> list[Finding]:
    """Return the findings on where the file came from."""
    return [_origin(known), *_set_back(known)]


def _origin(known: Provenance) -> Finding:
    if known.copied_at is None:
        return Finding("origin", Level.OK, "the store was made here")
    seen = f"the file came here as a copy, seen on {show_time(known.copied_at)} with {known.copied_with:,} events"
    if known.is_backup:
        return Finding("origin", Level.OK, f"{seen}, made whole by `telic backup`")
    return Finding(
        "origin",
        Level.WARNING,
        f"{seen}, not made by `telic backup`",
        "If the store was in use when it was copied or moved, the turns in its log at that time are missing: compare"
        " them with the store it came from, or restore a backup.",
    )


def _set_back(known: Provenance) -> list[Finding]:
    if known.set_back_at is None:
        return []
    message = (
        f"set back, as seen on {show_time(known.set_back_at)}: an older copy took the store's place, and the"
        f" newest turns or events of the former one, which had {known.set_back_from:,} events, are gone"
    )
    advice = "Turns that were paid, approvals and pauses since that copy are lost. Read the feed from its beginning."
    return [Finding("history of the file", Level.WARNING, message, advice)]

"""Accepted turns that wait, in order: in orphaned journals, in this instance's own, and in memory if need be.

This is a transactional outbox: a turn is in a journal before it is acknowledged, and leaves when the store has it.
"""

import logging
import threading
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Final, NamedTuple

from telic.accounting.journal import Journal, JournalDirectory, default_base
from telic.accounting.turn_record import TurnRecord

_MOST_IN_MEMORY: Final = 100_000
# Each takes two descriptors for as long as it is being emptied.
_MOST_ORPHANED: Final = 16
_ATTEMPTS: Final = 5
_LOG: Final = logging.getLogger("telic.accounting")


Report = Callable[[Exception, None, str], None]


class Entry(NamedTuple):
    """One waiting line, and the journal that it is in: this instance's own, or one that a dead process left."""

    data: bytes
    journal: Journal | None
    is_own: bool


class Outbox:
    """Lines of one instance, and of dead ones, until the store has them."""

    def __init__(self, owner: str, base: Path | None, store_id: str, lock: threading.Lock, report: Report) -> None:
        self._owner = owner
        self._base = base
        self._store_id = store_id
        self._lock = lock
        self._report = report
        self._folder: JournalDirectory | None = None
        self._own: Journal | None = None
        self._orphaned: deque[Journal] = deque()
        self._is_recovering = False
        self._unreadable: set[str] = set()
        self._memory: deque[bytes] = deque()
        self._waiting: Entry | None = None

    def open(self) -> None:
        """The instance has a journal; where none can be made, that is reported and lines wait in memory."""
        for attempts_left in reversed(range(_ATTEMPTS)):
            try:
                self._folder = JournalDirectory(self._base or default_base(), self._store_id)
                self._own = Journal.new(self._folder, self._owner, self._lock)
                return
            except OSError as error:
                # Another instance may have found the folder, or the journal, empty and removed it just now.
                if not attempts_left or not isinstance(error, FileExistsError | FileNotFoundError):
                    message = "no journal can be made: turns wait in memory and do not outlive this process"
                    self._report_failure(message, error)
                    return

    def _report_failure(self, message: str, error: OSError) -> None:
        self._report(error, None, message)

    def put(self, line: TurnRecord) -> bool:
        """Return whether the line waits now. The caller has the lock."""
        data = line.encoded()
        if self._own is not None and not self._memory:
            try:
                self._own.append(data)
                return True
            except OSError as error:
                self._report_failure("the journal cannot be written: turns wait in memory", error)
        if len(self._memory) >= _MOST_IN_MEMORY:
            return False
        self._memory.append(data)
        return True

    def spill(self) -> None:
        """Move the lines that wait in memory into the journal, if it can be written now."""
        with self._lock:
            if self._own is None or not self._memory:
                return
            if self._waiting is not None and self._waiting.journal is None:
                self._waiting = None
            while self._memory:
                try:
                    self._own.append(self._memory[0])
                except OSError:
                    return
                self._memory.popleft()

    def recover_orphaned(self) -> None:
        """Journals whose owners are dead are emptied by this instance, some at a time, the oldest first."""
        folder = self._folder
        if folder is None:
            return
        for name in folder.journals():
            if len(self._orphaned) >= _MOST_ORPHANED:
                return
            if name not in self._unreadable:
                self._recover_one(folder, name)
        self._is_recovering = False

    def _recover_one(self, folder: JournalDirectory, name: str) -> None:
        try:
            journal = Journal.recover_orphaned(folder, name, self._lock)
        except (OSError, ValueError) as error:
            self._unreadable.add(name)
            _LOG.error("the journal %s in %s is left alone: %s", name, folder.path, error)
            return
        if journal is not None:
            self._orphaned.append(journal)
            self._is_recovering = True

    def peek(self) -> Entry | None:
        """Return the line that is next, the same until it is dropped; None where none waits."""
        if self._waiting is None:
            self._waiting = self._next_orphaned() or self._next_own()
        return self._waiting

    def _next_orphaned(self) -> Entry | None:
        while self._orphaned:
            journal = self._orphaned[0]
            data = journal.next_line()
            if data is not None and data.endswith(b"\n"):
                return Entry(data, journal, is_own=False)
            if data is not None:
                _LOG.warning("the last line of a journal was cut short and never accepted: %d bytes", len(data))
            self._orphaned.popleft().close(is_kept=False)
            if not self._orphaned and self._is_recovering:
                self.recover_orphaned()
        return None

    def _next_own(self) -> Entry | None:
        with self._lock:
            data = None if self._own is None else self._own.next_line()
            if data is not None:
                return Entry(data, self._own, is_own=True)
            return Entry(self._memory[0], None, is_own=True) if self._memory else None

    def drop(self) -> None:
        """Remove the next line: the store has it, or it was set aside."""
        entry, self._waiting = self._waiting, None
        if entry is None:
            return
        if entry.journal is None:
            with self._lock:
                self._memory.popleft()
            return
        try:
            entry.journal.stored()
        except OSError as error:
            _LOG.warning("a journal's mark cannot be written, so lines may be repeated, which is harmless: %s", error)

    def set_aside(self, entry: Entry, why: str) -> None:
        """The line, which no store takes, is kept in the file beside its journal, and logged where it cannot be."""
        journal = entry.journal or self._own
        data = b"# " + why.encode("ascii", "backslashreplace").replace(b"\n", b" ") + b"\n" + entry.data
        try:
            if self._folder is None or journal is None:
                raise FileNotFoundError("there is no journal")
            self._folder.set_aside(journal.refused_name, data)
        except OSError as error:
            _LOG.error("a turn was refused (%s) and cannot be set aside (%s): %r", why, error, entry.data)

    def sync(self) -> None:
        """Lines that wait in journals outlive a power cut."""
        try:
            if self._own is not None:
                self._own.sync()
        except OSError as error:
            self._report_failure("the journal cannot be synced", error)

    def close(self) -> int:
        """Files are closed, those with lines kept for the next instance. Return how many lines in memory were lost."""
        self.spill()
        with self._lock:
            own, self._own = self._own, None
            if own is not None:
                own.close(is_kept=not own.is_stored)
            for journal in self._orphaned:
                journal.close(is_kept=not journal.is_stored)
            self._orphaned.clear()
            if self._folder is not None:
                self._folder.close(is_kept=False)
                self._folder = None
            lost = len(self._memory)
            self._memory.clear()
            self._waiting = None
            return lost

    def leave_to_parent(self) -> None:
        """In a forked child: descriptors are let go; the files and what waits in memory are the parent's."""
        for journal in (self._own, *self._orphaned):
            if journal is not None:
                journal.close(is_kept=True)
        if self._folder is not None:
            self._folder.close()

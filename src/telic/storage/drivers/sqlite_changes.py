"""How a change of an SQLite file is noticed: by looking at its version, which costs microseconds.

While a file is quiet the kernel tells when its log is written, so that an idle watcher costs nothing. What it tells
comes a little before the commit can be seen; so for some time after it, and where it tells nothing, the version is
looked at every 40 ms. ADR 22 has the measurements.
"""

import time
from collections.abc import Callable, Hashable, Iterator
from pathlib import Path
from typing import Final

from telic.domain.errors import StoreBusy, StoreUnavailable
from telic.storage.drivers.file_changes import FileChanges

POLL_SECONDS: Final = 0.04
"""Twenty-five looks a second cost half a percent of a core, and find a change after 20 ms on average."""
QUIET_SECONDS: Final = 2.0
"""So long after a write its commit may be waited for; longer than a disk takes to sync."""
LONGEST_PAUSE_SECONDS: Final = 1.0
"""How long a quiet file is not looked at, should the kernel have told nothing."""


class VersionWatch:
    """Asks for the version that SQLite gives a file with every commit of any process."""

    def __init__(self, version: Callable[[], Hashable], log: Path | None) -> None:
        self.token = version
        self._log = log
        self._changes: FileChanges | None = None
        self._written_at = time.monotonic()

    def pauses(self, token: Hashable, seconds: float) -> Iterator[tuple[float, FileChanges | None]]:
        """How long to sleep before each next look, and what may end the sleep, until the version is another."""
        deadline = time.monotonic() + seconds
        while self._is_still(token) and (left := deadline - time.monotonic()) > 0:
            told = self._told_of_writes()
            yield min(POLL_SECONDS if told is None else LONGEST_PAUSE_SECONDS, left), told

    def _told_of_writes(self) -> FileChanges | None:
        """What tells of the next write, where the file is quiet and something does."""
        try:
            if self._changes is None and self._log is not None:
                self._changes = FileChanges(self._log)
                self._written_at = time.monotonic()
            if self._changes is None:
                return None
            if self._changes.take():
                self._written_at = time.monotonic()
        except OSError:
            # From now on its version is looked at.
            self.close()
            self._log = None
            return None
        return self._changes if time.monotonic() - self._written_at > QUIET_SECONDS else None

    def _is_still(self, token: Hashable) -> bool:
        try:
            return self.token() == token
        except (StoreBusy, StoreUnavailable):
            # Nobody can tell now; whoever waits looks again when the time is over.
            return True

    def close(self) -> None:
        """See `Changes.close`."""
        if self._changes is not None:
            self._changes.close()
            self._changes = None


class SqliteChanges(VersionWatch):
    """See `Changes`."""

    def wait(self, token: Hashable, seconds: float) -> None:
        """See `Changes.wait`."""
        for pause, told in self.pauses(token, seconds):
            if told is None:
                time.sleep(pause)
            else:
                told.wait(pause)

"""Noticing a change of an SQLite file: by looking at its version, which costs microseconds.

While a file is quiet the kernel tells when its log is written, so that an idle watcher costs nothing. Its news
comes a little before the commit can be seen; so for some time after it, and where it tells nothing, the version is
looked at every 40 ms. ADR 22 has the measurements.
"""

import ctypes
import os
import select
import struct
import time
from collections.abc import Callable, Hashable, Iterator
from pathlib import Path
from typing import Final

from telic.domain.errors import StoreBusy, StoreUnavailable

_MODIFIED: Final = 0x2
_ATTRIBUTES: Final = 0x4
_DELETED: Final = 0x400
_MOVED: Final = 0x800
_ALL: Final = _MODIFIED | _ATTRIBUTES | _DELETED | _MOVED
_EVENT: Final = struct.Struct("iIII")


class FileChanges:
    """Linux's inotify on one file; `descriptor` can be read once the file was written. OSError where there is none."""

    def __init__(self, path: Path) -> None:
        library = ctypes.CDLL(None, use_errno=True)
        if not hasattr(library, "inotify_init1"):
            raise OSError("the platform does not tell of written files")
        self.descriptor = int(library.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC))
        if self.descriptor < 0:
            raise OSError(ctypes.get_errno(), "inotify_init1")
        if library.inotify_add_watch(self.descriptor, os.fsencode(path), _ALL) < 0:
            self.close()
            raise OSError(ctypes.get_errno(), "inotify_add_watch")

    def wait(self, seconds: float) -> None:
        poll = select.poll()
        poll.register(self.descriptor, select.POLLIN)
        poll.poll(max(0.0, seconds) * 1000)

    def take(self) -> bool:
        """Return whether the file was written since this was last called; raise OSError once it was moved away."""
        news = b""
        try:
            while part := os.read(self.descriptor, 65536):
                news += part
        except BlockingIOError:
            pass
        position = 0
        while position < len(news):
            _, mask, _, length = _EVENT.unpack_from(news, position)
            if mask & ~(_MODIFIED | _ATTRIBUTES):
                raise OSError("the file was deleted or moved, or too much was written at once")
            position += _EVENT.size + length
        return bool(news)

    def close(self) -> None:
        if self.descriptor >= 0:
            os.close(self.descriptor)
            self.descriptor = -1


POLL_SECONDS: Final = 0.04
"""Twenty-five looks a second cost half a percent of a core, and find a change after 20 ms on average."""
QUIET_SECONDS: Final = 2.0
"""How long a commit may come after its write: longer than a disk takes to sync."""
LONGEST_PAUSE_SECONDS: Final = 2.0
"""The longest time without a look at a quiet file, should the kernel have kept silent."""


class VersionWatch:
    """Asks for the version that SQLite gives a file with every commit of any process."""

    def __init__(self, version: Callable[[], Hashable], log: Path | None) -> None:
        self.token = version
        self._log = log
        self._changes: FileChanges | None = None
        self._written_at = time.monotonic()

    def pauses(self, token: Hashable, seconds: float) -> Iterator[tuple[float, FileChanges | None]]:
        """Yield how long to sleep before each next look, and what may end the sleep, until the version is another."""
        deadline = time.monotonic() + seconds
        while self._is_still(token) and (left := deadline - time.monotonic()) > 0:
            quiet = self._quiet_file()
            yield min(POLL_SECONDS if quiet is None else LONGEST_PAUSE_SECONDS, left), quiet

    def _quiet_file(self) -> FileChanges | None:
        try:
            if self._changes is None and self._log is not None:
                self._changes = FileChanges(self._log)
                self._written_at = time.monotonic()
            if self._changes is None:
                return None
            if self._changes.take():
                self._written_at = time.monotonic()
        except OSError:
            # The user has no watch left, or the log was removed: from now on the version is looked at instead.
            self.close()
            self._log = None
            return None
        # A write comes before its commit can be seen: for a while the version is looked at often (ADR 22).
        return self._changes if time.monotonic() - self._written_at > QUIET_SECONDS else None

    def _is_still(self, token: Hashable) -> bool:
        try:
            return self.token() == token
        except (StoreBusy, StoreUnavailable):
            # Nobody knows now; the watcher looks again when the time is over.
            return True

    def close(self) -> None:
        if self._changes is not None:
            self._changes.close()
            self._changes = None


class SqliteChanges(VersionWatch):
    """See `Changes`."""

    def wait(self, token: Hashable, seconds: float) -> None:
        for pause, quiet in self.pauses(token, seconds):
            if quiet is None:
                time.sleep(pause)
            else:
                quiet.wait(pause)

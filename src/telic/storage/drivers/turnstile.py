"""A fair queue for the processes that write one SQLite file.

SQLite's own busy handler lets one process starve the others for seconds. Here a writer first takes the gate,
then the floor, then leaves the gate: whoever has just written must pass the gate again, behind the one that
already waits there. Where nobody waits, both are taken at once. Both are byte-range locks that belong to the open
file description (Linux), so that a process's end frees them and two stores in one process exclude each other too.
"""

import fcntl
import os
import struct
import time
from pathlib import Path
from typing import Final

from telic.domain.errors import StoreBusy, StoreUnavailable

_SET_LOCK: Final[int | None] = getattr(fcntl, "F_OFD_SETLK", None)


class _Place:
    """Bytes of the lock file, and how long to sleep between two tries for them."""

    def __init__(self, position: int, poll_seconds: float, length: int = 1) -> None:
        self.take = struct.pack("hhqqi4x", fcntl.F_WRLCK, os.SEEK_SET, position, length, 0)
        self.give = struct.pack("hhqqi4x", fcntl.F_UNLCK, os.SEEK_SET, position, length, 0)
        self.poll_seconds = poll_seconds


_SHORTEST_POLL_SECONDS: Final = 0.00002
_PATIENT_ATTEMPTS: Final = 25

# Only one process at a time waits for the floor, so it may look often.
_GATE: Final = _Place(0, 0.0002)
_FLOOR: Final = _Place(1, 0.00002)
_BOTH: Final = _Place(0, 0.0, 2)


class Turnstile:
    """Lets one writer through at a time, in turn. Where the platform has no such locks, it lets all through."""

    def __init__(self, database: Path) -> None:
        path = database.with_name(database.name + "-turnstile")
        flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
        try:
            self._descriptor = -1 if _SET_LOCK is None else os.open(path, flags, 0o600)
        except OSError as error:
            raise StoreUnavailable(f"{path} cannot be made beside the database: {error.strerror}") from error

    def enter(self, deadline: float) -> None:
        """The caller may write, until `leave`; `deadline` is a moment of `time.monotonic`.

        Raises:
            StoreBusy: others were still writing at the deadline.
        """
        if self._descriptor < 0:
            return
        try:
            if not self._lock(_BOTH.take):
                self._take(_GATE, deadline)
                self._take(_FLOOR, deadline)
        finally:
            self._lock(_GATE.give)

    def _take(self, place: _Place, deadline: float) -> None:
        attempts = 0
        while not self._lock(place.take):
            if time.monotonic() > deadline:
                raise StoreBusy("other processes kept writing for longer than the time-out")
            attempts += 1
            # Whoever has waited long looks more often, and so is soon the next.
            time.sleep(
                max(_SHORTEST_POLL_SECONDS, place.poll_seconds * _PATIENT_ATTEMPTS / (_PATIENT_ATTEMPTS + attempts))
            )

    def _lock(self, request: bytes) -> bool:
        assert _SET_LOCK is not None
        try:
            fcntl.fcntl(self._descriptor, _SET_LOCK, request)
        except (BlockingIOError, PermissionError):
            return False
        return True

    def leave(self) -> None:
        """Others may write."""
        if self._descriptor >= 0:
            self._lock(_FLOOR.give)

    def close(self) -> None:
        """The locks are given back."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

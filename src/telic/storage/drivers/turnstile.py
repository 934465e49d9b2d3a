"""A fair queue for the processes that write one SQLite file.

SQLite's own busy handler lets one process starve the others for seconds. Here a writer first takes the gate,
then the floor, then leaves the gate: whoever has just written must pass the gate again, behind the one that
already waits there. Where nobody waits, both are taken at once. Both are byte-range locks that belong to the open
file description (Linux), so that a process's end frees them and two stores in one process exclude each other too.
"""

import fcntl
import os
import random
import struct
import time
from contextlib import suppress
from pathlib import Path
from typing import Final

from telic.domain.errors import StoreBusy, StoreUnavailable

_SET_LOCK: Final[int | None] = getattr(fcntl, "F_OFD_SETLK", None)


def _request(kind: int, position: int, length: int = 1) -> bytes:
    return struct.pack("hhqqi4x", kind, os.SEEK_SET, position, length, 0)


_TAKE_GATE: Final = _request(fcntl.F_WRLCK, 0)
_GIVE_GATE: Final = _request(fcntl.F_UNLCK, 0)
_TAKE_FLOOR: Final = _request(fcntl.F_WRLCK, 1)
_GIVE_FLOOR: Final = _request(fcntl.F_UNLCK, 1)
_TAKE_BOTH: Final = _request(fcntl.F_WRLCK, 0, 2)

TURN_SECONDS: Final = 0.005
"""So long a writer may go on before it must wait behind others: handing over costs more than a write."""
_SHORTEST_GATE_PAUSE_SECONDS: Final = 0.0001
_SHORTEST_FLOOR_PAUSE_SECONDS: Final = 0.00002
"""Only one process at a time waits for the floor, so it may look often."""
_LONGEST_PAUSE_SECONDS: Final = 0.1
_SHARE_OF_WAIT: Final = 0.3
"""Each look comes after so much of the time that a process has waited, or usually waits."""
_FLAGS: Final = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
_MOST_NOTE_BYTES: Final = 4096
_MEMORY: Final = 8
"""Over how many waits what is usual is taken."""


class Turnstile:
    """Lets one writer through at a time, in turn. Where the platform has no such locks, it lets all through."""

    def __init__(self, database: Path) -> None:
        self._usual_seconds = 0.0
        self._began = -TURN_SECONDS
        self.is_new = False
        path = database.with_name(database.name + "-turnstile")
        try:
            self._descriptor = -1 if _SET_LOCK is None else self._open(path)
        except OSError as error:
            raise StoreUnavailable(f"{path} cannot be made beside the database: {error.strerror}") from error

    def _open(self, path: Path) -> int:
        with suppress(FileExistsError):
            descriptor = os.open(path, _FLAGS | os.O_EXCL, 0o600)
            self.is_new = True
            return descriptor
        return os.open(path, _FLAGS, 0o600)

    def read_note(self) -> bytes:
        """What was last written to the file, of which the locks need nothing; empty where that is nothing."""
        return os.pread(self._descriptor, _MOST_NOTE_BYTES, 0) if self._descriptor >= 0 else b""

    def write_note(self, note: bytes) -> None:
        """The file holds this and nothing else, up to 4 KiB; not where it cannot be written, nor after a power cut."""
        if self._descriptor >= 0:
            with suppress(OSError):
                os.pwrite(self._descriptor, note, 0)
                os.ftruncate(self._descriptor, len(note))

    def enter(self, deadline: float) -> None:
        """The caller may write, until `leave`; `deadline` is a moment of `time.monotonic`.

        Raises:
            StoreBusy: others were still writing at the deadline.
        """
        if self._descriptor < 0:
            return
        try:
            if self._lock(_TAKE_BOTH):
                self._usual_seconds *= 1 - 1 / _MEMORY
            elif time.monotonic() - self._began < TURN_SECONDS and self._lock(_TAKE_FLOOR):
                return
            else:
                self._wait_at_gate(deadline)
                self._wait_for(_TAKE_FLOOR, deadline, _SHORTEST_FLOOR_PAUSE_SECONDS)
            self._began = time.monotonic()
        finally:
            self._lock(_GIVE_GATE)

    def _wait_at_gate(self, deadline: float) -> None:
        """The caller is the next.

        The more processes wait, the longer each one does, and the less often it looks. So all of them together look
        equally often however many they are, and leave the processor to the one that writes (ADR 22).
        """
        waited = self._wait_for(_TAKE_GATE, deadline, _SHORTEST_GATE_PAUSE_SECONDS, self._usual_seconds)
        self._usual_seconds += (waited - self._usual_seconds) / _MEMORY

    def _wait_for(self, request: bytes, deadline: float, shortest: float, usual: float = 0.0) -> float:
        """The lock is taken; return after how many seconds."""
        started, waited = time.monotonic(), 0.0
        while not self._lock(request):
            waited = time.monotonic() - started
            if started + waited > deadline:
                raise StoreBusy("other processes kept writing for longer than the time-out")
            pause = max(shortest, max(usual, waited) * _SHARE_OF_WAIT * random.uniform(0.5, 1.5))
            time.sleep(max(0.0, min(pause, _LONGEST_PAUSE_SECONDS, deadline - started - waited)))
        return waited

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
            self._lock(_GIVE_FLOOR)

    def close(self) -> None:
        """The locks are given back."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

"""A fair queue for the processes that write one SQLite file.

SQLite's own busy handler lets one process starve the others for seconds. Here a writer takes the gate, then the floor,
then leaves the gate: after its write it must pass the gate again, behind the one that already waits there. Where nobody
waits, both are taken at once (ADR 6). A writer that must wait takes a ticket, and goes to the gate when nobody with an
earlier ticket waits any more (ADR 22).

All of these are byte-range locks that belong to the open file description (Linux), so that a process's end frees them
and two stores in one process exclude each other too. A ticket is a lock on the byte of its number.
"""

import fcntl
import os
import struct
import time
from contextlib import suppress
from pathlib import Path
from typing import Final

from telic.domain.errors import StoreBusy, StoreUnavailable
from telic.storage.transaction import TURNSTILE

_SET_LOCK: Final[int | None] = getattr(fcntl, "F_OFD_SETLK", None)
_GET_LOCK: Final[int] = getattr(fcntl, "F_OFD_GETLK", 0)
_LOCK: Final = struct.Struct("hhqqi4x")


def _request(kind: int, position: int, length: int = 1) -> bytes:
    return _LOCK.pack(kind, os.SEEK_SET, position, length, 0)


_TAKE_GATE: Final = _request(fcntl.F_WRLCK, 0)
_GIVE_GATE: Final = _request(fcntl.F_UNLCK, 0)
_TAKE_FLOOR: Final = _request(fcntl.F_WRLCK, 1)
_GIVE_FLOOR: Final = _request(fcntl.F_UNLCK, 1)
_TAKE_BOTH: Final = _request(fcntl.F_WRLCK, 0, 2)
_TAKE_DISPENSER: Final = _request(fcntl.F_WRLCK, 2)
_GIVE_DISPENSER: Final = _request(fcntl.F_UNLCK, 2)
_FIRST_TICKET: Final = 1 << 20
"""The byte of ticket 0."""

TURN_SECONDS: Final = 0.005
"""How long a writer may go on before it must let others pass: handing over costs more than a write."""
STUCK_SECONDS: Final = 0.25
"""If nobody has been let through for so long, a waiting process may be stopped; its ticket is then skipped."""
_SHORTEST_PAUSE_SECONDS: Final = 0.0001
_SHORTEST_FLOOR_PAUSE_SECONDS: Final = 0.00002
"""Only one process at a time waits for the floor, so it may look often."""
_LONGEST_PAUSE_SECONDS: Final = 0.1
_LONGEST_AT_DISPENSER_SECONDS: Final = 0.05
_SHARE_OF_WAIT: Final = 0.3
"""At the gate and the floor each look comes after so much of the time that the process has waited there."""
_SHARE_OF_QUEUE: Final = 0.5
"""In the queue each look comes after so much of the time that those in front will probably take."""

_FLAGS: Final = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
_NOTE_BYTES: Final = 4096
_COUNTERS: Final = struct.Struct("qq")
"""Behind the note: the last ticket that was taken, and the last that was let through to the gate."""


class Turnstile:
    """Lets one writer through at a time, in turn. Where the platform has no such locks, it lets all through."""

    def __init__(self, database: Path) -> None:
        self._began = -TURN_SECONDS
        self._pace_seconds = TURN_SECONDS / 2
        self.is_new = False
        path = database.with_name(database.name + TURNSTILE)
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
        """Return the last note in the file; empty if there is none. The locks do not use the note."""
        return os.pread(self._descriptor, _NOTE_BYTES, 0) if self._descriptor >= 0 else b""

    def write_note(self, note: bytes) -> None:
        """The file keeps this, up to 4 KiB; not where it cannot be written, nor after a power cut."""
        if self._descriptor >= 0:
            with suppress(OSError):
                os.pwrite(self._descriptor, note.ljust(_NOTE_BYTES), 0)

    def enter(self, deadline: float) -> None:
        """The caller may write, until `leave`; raise StoreBusy at the deadline, a moment of `time.monotonic`."""
        if self._descriptor < 0:
            return
        ticket = None
        try:
            if self._lock(_TAKE_BOTH):
                # Nobody waits: both locks in one system call, so that a lone writer pays nothing for fairness.
                pass
            elif time.monotonic() - self._began < TURN_SECONDS and self._lock(_TAKE_FLOOR):
                # Others wait at the gate, but this writer's turn is not over: handing over costs more than a write.
                return
            else:
                ticket = self._take_ticket()
                self._wait_in_queue(ticket, deadline)
                self._wait_for(_TAKE_GATE, deadline, _SHORTEST_PAUSE_SECONDS)
                # At most one process stands at the gate and one has the floor; all others sleep for long, which keeps
                # throughput up however many there are (ADR 22).
                self._let_next_come(ticket)
                ticket = None
                self._wait_for(_TAKE_FLOOR, deadline, _SHORTEST_FLOOR_PAUSE_SECONDS)
            self._began = time.monotonic()
        finally:
            if ticket is not None:
                self._lock(_request(fcntl.F_UNLCK, _FIRST_TICKET + ticket))
            self._lock(_GIVE_GATE)

    def _take_ticket(self) -> int:
        """Return a locked ticket number that no process had before; 0, which comes before all, if none can be taken.

        The disk may be full, or a process be stopped in the moment in which it takes one.
        """
        try:
            self._wait_for(
                _TAKE_DISPENSER, time.monotonic() + _LONGEST_AT_DISPENSER_SECONDS, _SHORTEST_FLOOR_PAUSE_SECONDS
            )
        except StoreBusy:
            return 0
        try:
            ticket = self._counters()[0] + 1
            os.pwrite(self._descriptor, struct.pack("q", ticket), _NOTE_BYTES)
            return ticket if self._lock(_request(fcntl.F_WRLCK, _FIRST_TICKET + ticket)) else 0
        except OSError:
            return 0
        finally:
            self._lock(_GIVE_DISPENSER)

    def _wait_in_queue(self, ticket: int, deadline: float) -> None:
        """Return when no earlier ticket is held any more, or when nobody has been let through for too long."""
        started = moved = time.monotonic()
        first = last = self._counters()[1]
        while last + 1 < ticket and self._is_held(last + 1, ticket):
            now = time.monotonic()
            if now > deadline:
                raise StoreBusy("other processes kept writing for longer than the time-out")
            if now - moved > STUCK_SECONDS:
                # A process that was stopped (SIGSTOP) keeps its lock. Fairness gives way, exclusion does not: the gate
                # and the floor are still to be taken.
                return
            ahead = (ticket - last) * self._pace_seconds * _SHARE_OF_QUEUE
            time.sleep(max(_SHORTEST_PAUSE_SECONDS, min(ahead, _LONGEST_PAUSE_SECONDS, deadline - now)))
            through = self._counters()[1]
            if through > last:
                moved = time.monotonic()
                last = through
                self._pace_seconds = min((moved - started) / (last - first), TURN_SECONDS)

    def _let_next_come(self, ticket: int) -> None:
        """The caller is at the gate; earlier tickets that are still held count no more."""
        if ticket > self._counters()[1]:
            with suppress(OSError):
                os.pwrite(self._descriptor, struct.pack("q", ticket), _NOTE_BYTES + 8)
        self._lock(_request(fcntl.F_UNLCK, _FIRST_TICKET + ticket))

    def _counters(self) -> tuple[int, int]:
        found = os.pread(self._descriptor, _COUNTERS.size, _NOTE_BYTES)
        taken, through = _COUNTERS.unpack(found.ljust(_COUNTERS.size, b"\0"))
        return taken, through

    def _is_held(self, first: int, end: int) -> bool:
        """Return whether another process holds a ticket from `first` on and before `end`."""
        asked = _request(fcntl.F_WRLCK, _FIRST_TICKET + first, end - first)
        # Asked only: taking the lock to see whether it is free would stop its next holder.
        answer: bytes = fcntl.fcntl(self._descriptor, _GET_LOCK, asked)
        return bool(_LOCK.unpack(answer)[0] != fcntl.F_UNLCK)

    def _wait_for(self, request: bytes, deadline: float, shortest: float) -> None:
        started = time.monotonic()
        while not self._lock(request):
            now = time.monotonic()
            if now > deadline:
                raise StoreBusy("other processes kept writing for longer than the time-out")
            pause = max(shortest, (now - started) * _SHARE_OF_WAIT)
            time.sleep(max(0.0, min(pause, _LONGEST_PAUSE_SECONDS, deadline - now)))

    def _lock(self, request: bytes) -> bool:
        assert _SET_LOCK is not None
        try:
            fcntl.fcntl(self._descriptor, _SET_LOCK, request)
        except (BlockingIOError, PermissionError):
            return False
        return True

    def leave(self) -> None:
        if self._descriptor >= 0:
            self._lock(_GIVE_FLOOR)

    def close(self) -> None:
        # The end of the description gives its locks back.
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

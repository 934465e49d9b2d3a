"""The journal: files in which accepted turns wait for their store, in a private folder.

A journal has a header that says up to where all records are stored, then one line for each turn. One thread may append
while another reads; only one thread reads.
"""

import contextlib
import fcntl
import os
import re
import stat
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Final

JOURNAL_SUFFIX: Final = ".journal"
REFUSED_SUFFIX: Final = ".refused"
_FLAGS: Final = os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC
_OTHERS_MAY_WRITE: Final = stat.S_IWGRP | stat.S_IWOTH


def default_base() -> Path:
    """Return the folder of journals in the user's folder for state; raise OSError if nobody knows the user's home."""
    given = os.environ.get("XDG_STATE_HOME", "")
    try:
        state = Path(given) if given.startswith("/") else Path.home() / ".local" / "state"
    except RuntimeError as error:
        raise OSError(f"no folder for journals: {error}") from error
    return state / "telic" / "accounting"


class JournalDirectory:
    """One store's folder, kept open, so that renaming a folder cannot redirect its files.

    Raises:
        OSError: it cannot be made or opened, is a link, belongs to another user, or others may write to it.
    """

    def __init__(self, base: Path, store_id: str) -> None:
        base.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.path = base / store_id
        self.path.mkdir(mode=0o700, exist_ok=True)
        self._handle = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
        state = os.fstat(self._handle)
        if state.st_uid != os.geteuid() or state.st_mode & _OTHERS_MAY_WRITE:
            self.close()
            raise PermissionError(f"{self.path} is not private: others own it or may write to it")

    def create(self, name: str) -> int:
        """Return a descriptor of a new file, which is locked for as long as its owner lives."""
        handle = os.open(name, _FLAGS | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o600, dir_fd=self._handle)
        if not self._is_locked(handle):
            # Somebody who looks for what the dead left behind was quicker, and is about to remove it as empty.
            os.close(handle)
            raise FileExistsError(f"{name} was taken over while it was made")
        os.fsync(self._handle)
        return handle

    def lock_orphaned(self, name: str) -> int | None:
        """Return a descriptor of a file whose owner is dead, now locked; None if it lives, or the file is gone."""
        with contextlib.suppress(OSError):
            handle = os.open(name, _FLAGS | os.O_APPEND, dir_fd=self._handle)
            if stat.S_ISREG(os.fstat(handle).st_mode) and self._is_locked(handle):
                return handle
            os.close(handle)
        return None

    @staticmethod
    def _is_locked(handle: int) -> bool:
        try:
            # The kernel frees it when the owner dies, however it dies: so a lock tells the living from the dead.
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return False
        return os.fstat(handle).st_nlink > 0

    def journals(self) -> Iterator[str]:
        """Give the names of all journals, the oldest first."""
        with os.scandir(self._handle) as entries:
            yield from sorted(entry.name for entry in entries if entry.name.endswith(JOURNAL_SUFFIX))

    def marker(self, name: str) -> int:
        """Return another descriptor of the file, through which its beginning can be written."""
        return os.open(name, _FLAGS, dir_fd=self._handle)

    def remove(self, name: str) -> None:
        """The file is gone."""
        with contextlib.suppress(FileNotFoundError):
            os.unlink(name, dir_fd=self._handle)

    def set_aside(self, name: str, data: bytes) -> None:
        """The data is at the end of the file, on disk."""
        handle = os.open(name, _FLAGS | os.O_CREAT | os.O_APPEND, 0o600, dir_fd=self._handle)
        try:
            os.write(handle, data)
            os.fsync(handle)
        finally:
            os.close(handle)

    def close(self, *, is_kept: bool = True) -> None:
        """Close the folder, and remove it if it is empty and need not be kept. Idempotent."""
        if self._handle < 0:
            return
        os.close(self._handle)
        self._handle = -1
        if not is_kept:
            with contextlib.suppress(OSError):
                self.path.rmdir()


_HEADER: Final = b"telic journal 1, stored up to %016x\n"
_HEADER_BYTES: Final = len(_HEADER % 0)
_HEADER_SHAPE: Final = re.compile(rb"telic journal 1, stored up to ([0-9a-f]{16})\n")
_CHUNK_BYTES: Final = 65_536
_SHRINK_AT_BYTES: Final = 65_536


class Journal:
    """One open journal, locked by its owner."""

    def __init__(self, folder: JournalDirectory, name: str, handle: int, lock: threading.Lock) -> None:
        self._folder = folder
        self._name = name
        self._handle = handle
        self._lock = lock
        # Its own descriptor: the other one appends, whatever the offset of a write.
        self._marker = folder.marker(name)
        self._end = os.fstat(handle).st_size
        self._next = self._stored = _HEADER_BYTES
        self._buffer = b""
        self._is_synced = True

    @classmethod
    def new(cls, folder: JournalDirectory, owner: str, lock: threading.Lock) -> "Journal":
        """Return an empty journal, ready for lines; raise OSError if the file cannot be made."""
        name = owner + JOURNAL_SUFFIX
        journal = cls(folder, name, folder.create(name), lock)
        try:
            journal.append(_HEADER % _HEADER_BYTES)
        except OSError:
            journal.close(is_kept=False)
            raise
        return journal

    @classmethod
    def recover_orphaned(cls, folder: JournalDirectory, name: str, lock: threading.Lock) -> "Journal | None":
        """Return the journal of a dead owner, at its first line that may not be stored yet; None if the owner lives.

        Raises:
            ValueError: the file is no journal; it is left as it is.
        """
        handle = folder.lock_orphaned(name)
        if handle is None:
            return None
        journal = cls(folder, name, handle, lock)
        header = os.pread(handle, _HEADER_BYTES, 0)
        found = _HEADER_SHAPE.fullmatch(header)
        if found is not None:
            journal._next = journal._stored = max(_HEADER_BYTES, int(found[1], 16))
        # Its owner died while it wrote the header: no line was accepted yet.
        elif (_HEADER % _HEADER_BYTES).startswith(header):
            journal._next = journal._end
        else:
            journal.close(is_kept=True)
            raise ValueError(f"{name} does not begin as a journal does")
        return journal

    @property
    def refused_name(self) -> str:
        """The file beside it, for lines that the store refuses."""
        return self._name.removesuffix(JOURNAL_SUFFIX) + REFUSED_SUFFIX

    def append(self, data: bytes) -> None:
        """The line is in the file, wholly, or OSError is raised and nothing changed. The caller holds the lock."""
        written = os.write(self._handle, data)
        if written != len(data):
            # A full disk takes a part. What follows it would be unreadable, so the part is cut off again.
            os.ftruncate(self._handle, self._end)
            raise OSError("the disk is full")
        self._end += written
        self._is_synced = False

    def next_line(self) -> bytes | None:
        """Return the next line with its end, which is missing where it was cut short; None after the last."""
        while (length := self._buffer.find(b"\n") + 1) == 0:
            offset = self._next + len(self._buffer)
            chunk = os.pread(self._handle, min(_CHUNK_BYTES, max(0, self._end - offset)), offset)
            if not chunk:
                length = len(self._buffer)
                break
            self._buffer += chunk
        line, self._buffer = self._buffer[:length], self._buffer[length:]
        self._next += length
        return line or None

    def stored(self) -> None:
        """Every line read so far is stored, and need not be read again."""
        self._stored = self._next
        self._mark()
        if self._end > _SHRINK_AT_BYTES:
            self._shrink()

    def _shrink(self) -> None:
        with self._lock:
            if self._stored != self._end:
                return
            # Before the lines go: a mark behind the end would hide lines that come later.
            self._next = self._stored = self._end = _HEADER_BYTES
            self._mark()
            os.ftruncate(self._handle, _HEADER_BYTES)

    def _mark(self) -> None:
        os.pwrite(self._marker, _HEADER % self._stored, 0)

    def sync(self) -> None:
        """Appended lines outlive a power cut as well."""
        if not self._is_synced:
            self._is_synced = True
            os.fdatasync(self._handle)

    @property
    def is_stored(self) -> bool:
        """Whether the store has every line."""
        return self._stored >= self._end

    def close(self, *, is_kept: bool) -> None:
        """Close the file, and remove it unless the next instance needs it. Idempotent."""
        if self._handle < 0:
            return
        if not is_kept:
            self._folder.remove(self._name)
        for handle in (self._marker, self._handle):
            os.close(handle)
        self._handle = self._marker = -1

"""A journal: the file in which accepted turns wait for their store.

A header that says up to where all lines are stored, then one line for each turn. Whoever appends and whoever reads
may be different threads; one thread reads.
"""

import os
import re
import threading
from typing import Final

from telic.accounting.journal_directory import JOURNAL_SUFFIX, REFUSED_SUFFIX, JournalFolder

_HEADER: Final = b"telic journal 1, stored up to %016x\n"
_HEADER_BYTES: Final = len(_HEADER % 0)
_HEADER_SHAPE: Final = re.compile(rb"telic journal 1, stored up to ([0-9a-f]{16})\n")
_CHUNK_BYTES: Final = 65_536
_SHRINK_AT_BYTES: Final = 65_536


class Journal:
    """One open journal, locked by its owner."""

    def __init__(self, folder: JournalFolder, name: str, handle: int, lock: threading.Lock) -> None:
        self._folder = folder
        self._name = name
        self._handle = handle
        self._lock = lock
        self._marker = folder.marker(name)
        self._end = os.fstat(handle).st_size
        self._next = self._stored = _HEADER_BYTES
        self._buffer = b""
        self._is_synced = True

    @classmethod
    def new(cls, folder: JournalFolder, owner: str, lock: threading.Lock) -> "Journal":
        """An empty journal, ready for lines.

        Raises:
            OSError: the file cannot be made.
        """
        name = owner + JOURNAL_SUFFIX
        journal = cls(folder, name, folder.create(name), lock)
        try:
            journal.append(_HEADER % _HEADER_BYTES)
        except OSError:
            journal.close(is_kept=False)
            raise
        return journal

    @classmethod
    def of_the_dead(cls, folder: JournalFolder, name: str, lock: threading.Lock) -> "Journal | None":
        """The journal whose owner is dead, at the first line that may not be stored; None where it lives.

        Raises:
            ValueError: the file is no journal; it is left as it is.
        """
        handle = folder.take_over(name)
        if handle is None:
            return None
        journal = cls(folder, name, handle, lock)
        header = os.pread(handle, _HEADER_BYTES, 0)
        found = _HEADER_SHAPE.fullmatch(header)
        if found is not None:
            journal._next = journal._stored = max(_HEADER_BYTES, int(found[1], 16))
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
        """The line is in the file, wholly: it outlives this process. The caller holds the lock.

        Raises:
            OSError: it is not, and nothing changed.
        """
        written = os.write(self._handle, data)
        if written != len(data):
            os.ftruncate(self._handle, self._end)
            raise OSError("the disk is full")
        self._end += written
        self._is_synced = False

    def next_line(self) -> bytes | None:
        """The line after the one read before, with its end; without one where it was cut short; None after the last."""
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
        """What was appended outlives a power cut as well."""
        if not self._is_synced:
            self._is_synced = True
            os.fdatasync(self._handle)

    @property
    def is_stored(self) -> bool:
        """Whether the store has every line."""
        return self._stored >= self._end

    def close(self, *, is_kept: bool) -> None:
        """The file is let go, and gone unless it is kept for whoever comes next. Idempotent."""
        if self._handle < 0:
            return
        if not is_kept:
            self._folder.remove(self._name)
        for handle in (self._marker, self._handle):
            os.close(handle)
        self._handle = self._marker = -1

"""What a process prints, in bounded memory: its two ends, its length, its hash, its lines."""

import hashlib
from collections.abc import Iterator
from typing import Final

HEAD_BYTES: Final = 4_096
TAIL_BYTES: Final = 65_536
MAX_LINE_BYTES: Final = 16 * 1024 * 1024


class BoundedOutput:
    """The first and the last bytes of what was taken, its length and SHA-256; the middle is let go."""

    def __init__(self, head_bytes: int = HEAD_BYTES, tail_bytes: int = TAIL_BYTES) -> None:
        self._head_bytes = head_bytes
        self._tail_bytes = tail_bytes
        self._head = bytearray()
        self._tail = bytearray()
        self._hash = hashlib.sha256()
        self.length = 0

    def take(self, chunk: bytes) -> None:
        """The chunk is the end of the output."""
        self.length += len(chunk)
        self._hash.update(chunk)
        if len(self._head) < self._head_bytes:
            self._head += chunk[: self._head_bytes - len(self._head)]
        self._tail += chunk
        if len(self._tail) > 2 * self._tail_bytes:
            del self._tail[: -self._tail_bytes]

    @property
    def head(self) -> bytes:
        """The first bytes."""
        return bytes(self._head)

    @property
    def tail(self) -> bytes:
        """The last bytes; in short output they are the first as well."""
        return bytes(self._tail[-self._tail_bytes :])

    @property
    def sha256(self) -> str:
        """The hash of all output, in hexadecimal."""
        return self._hash.hexdigest()


class LineSplitter:
    """Chunks in, whole lines out. A line of more than `max_line_bytes` is dropped and counted in `dropped`."""

    def __init__(self, max_line_bytes: int = MAX_LINE_BYTES) -> None:
        self._max_line_bytes = max_line_bytes
        self._partial = bytearray()
        self._dropping = False
        self.dropped = 0

    def split(self, chunk: bytes) -> Iterator[bytes]:
        """The lines that the chunk ends, without their line ends."""
        *ended, rest = chunk.split(b"\n")
        for piece in ended:
            self._keep(piece)
            yield from self._end_line()
        self._keep(rest)

    def finish(self) -> Iterator[bytes]:
        """The last line, where no line end followed it."""
        if self._partial or self._dropping:
            yield from self._end_line()

    def _keep(self, piece: bytes) -> None:
        if self._dropping or len(self._partial) + len(piece) > self._max_line_bytes:
            self._dropping = True
            self._partial.clear()
        else:
            self._partial += piece

    def _end_line(self) -> Iterator[bytes]:
        line, dropped = bytes(self._partial), self._dropping
        self._partial.clear()
        self._dropping = False
        self.dropped += dropped
        if not dropped:
            yield line.removesuffix(b"\r")

"""Usage as a host's transcript tells it: one line for each response of a model, under a key of its own."""

import os
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import BinaryIO, Final, Protocol

from telic.domain.budget import ModelUsage, UsageKind
from telic.domain.clock import Instant
from telic.domain.errors import InvalidInput
from telic.loop.agents.claims import read_time
from telic.loop.agents.json_reader import Fields, read_values, text_of

MAX_LINE_BYTES: Final = 32 * 1024 * 1024
"""Longer lines are passed over."""

_CHECKED_BYTES: Final = 256
_MILLISECOND: Final = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class HostResponse:
    """What one response of a model consumed; None where the host does not know it.

    `at` is None where the host does not say when. It is a time cut off to whole units of `precision_microseconds`.
    Of the input, `cache_write_tokens` were written to the provider's cache, where the host says so.
    """

    key: str
    usage: ModelUsage | None
    kind: UsageKind
    model: str | None
    at: Instant | None
    precision_microseconds: int = _MILLISECOND
    cache_write_tokens: int = 0

    def may_be_since(self, instant: Instant) -> bool:
        """Whether it may have come at the instant or later. One in the same millisecond as its goal is the goal's."""
        return self.at is None or self.at + self.precision_microseconds > instant


def home() -> Path:
    """Return the user's home; a place where nothing is, and nothing can be written, where there is none."""
    try:
        return Path.home()
    except RuntimeError:
        return Path(os.devnull)


class TranscriptReader(Protocol):
    """Follows the lines of one transcript."""

    def take(self, line: bytes, start: int, /) -> None:
        """The line, which begins at this place of the file, is read; one that cannot be understood says nothing."""
        ...

    def end_of_turn(self, last_message: str | None) -> None:
        """The model has said this and stopped; with None, whatever it was saying is over."""
        ...

    def finished(self) -> list[HostResponse]:
        """The responses that are complete and were not given before."""
        ...

    def safe_offset(self, end: int) -> int:
        """Where to go on next time, so that no response which is still being written is missed."""
        ...

    def carry(self) -> Fields:
        """What must be known besides to go on from there."""
        ...

    def resume(self, carry: Fields) -> None:
        """The reader goes on from where `carry` was taken."""
        ...


@dataclass(frozen=True, slots=True)
class FilePlace:
    """A place in a file, and the hash of what stands before it, by which it is known again."""

    offset: int = 0
    check: str = ""


def open_transcript(path: Path) -> BinaryIO | None:
    """The file, or None where it is none or cannot be read. A pipe would make the host wait."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return None
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        return None
    return os.fdopen(descriptor, "rb")


def place_at(file: BinaryIO, offset: int) -> FilePlace:
    """The place, with the hash that proves it."""
    start = max(0, offset - _CHECKED_BYTES)
    file.seek(start)
    return FilePlace(offset, sha256(file.read(offset - start)).hexdigest())


def is_known(file: BinaryIO, place: FilePlace) -> bool:
    """Whether the file still has this place: it was not truncated, and not written anew."""
    return place.offset > 0 and place_at(file, place.offset) == place


def whole_lines(file: BinaryIO, start: int) -> Iterator[tuple[int, bytes]]:
    """The complete lines from `start` on, each with the place where it ends; one too long comes empty."""
    file.seek(start)
    while True:
        line = file.readline(MAX_LINE_BYTES)
        if line.endswith(b"\n"):
            yield file.tell(), line
        elif len(line) < MAX_LINE_BYTES or not _pass_over(file):
            return
        else:
            yield file.tell(), b""


def _pass_over(file: BinaryIO) -> bool:
    """The rest of the line is behind; False where the file ends within it."""
    while True:
        piece = file.readline(MAX_LINE_BYTES)
        if piece.endswith(b"\n"):
            return True
        if not piece:
            return False


def instant_of(fields: Fields) -> Instant | None:
    """When the line was written, or None."""
    text = text_of(fields, "timestamp")
    try:
        return None if text is None else read_time(text)
    except InvalidInput:
        return None


TURN_BEGINS: Final = ""
"""What a line says with which a turn began: nothing before it is of this turn."""

_TAIL_BYTES: Final = 4 * 1024 * 1024


def last_message_in(transcript: Path | None, said: Callable[[Fields], str | None]) -> str:
    """Return what the last line near the transcript's end says of which `said` tells something; else nothing."""
    file = None if transcript is None else open_transcript(transcript)
    if file is None:
        return ""
    with file:
        file.seek(max(0, file.seek(0, os.SEEK_END) - _TAIL_BYTES))
        lines = file.read().splitlines()
    for line in reversed(lines):
        for fields in read_values(line):
            words = said(fields)
            if words is not None:
                return words
    return ""

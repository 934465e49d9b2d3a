"""Usage as hosts record it: a line of a transcript, or a row of a database, for each response of a model."""

import os
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import BinaryIO, Final

from telic.domain.budget import ModelUsage, UsageKind
from telic.domain.clock import MICRO, Instant
from telic.domain.errors import InvalidInput
from telic.domain.limits import MAX_COUNTER
from telic.loop.agents.json_reader import Fields, read_values, text_of
from telic.loop.agents.protocol import read_time
from telic.loop.agents.usage_records import FilePlace, last_lines

_CHECKED_BYTES: Final = 256
_MILLISECOND: Final = 1_000
PATIENCE_SECONDS: Final = 0.3
"""So long a database that its host keeps locked is waited for: the host waits for the hook."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HostResponse:
    """The usage of one response of a model; None where the host does not know it.

    `is_estimate` says that some of the usage is missing; usage that is None is one too.

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
    is_estimate: bool = False

    def may_be_since(self, instant: Instant) -> bool:
        """Return whether it may have come at the instant or later; one of the same millisecond did."""
        return self.at is None or self.at + self.precision_microseconds > instant


def home() -> Path:
    """Return the user's home folder; a path that cannot exist if the user has none."""
    try:
        return Path.home()
    except RuntimeError:
        return Path(os.devnull)


class TranscriptReader(ABC):
    """Reads the lines of one transcript; `_new` has the complete responses that `finished` has not returned yet."""

    def __init__(self) -> None:
        self._new: list[HostResponse] = []
        self._carried: Fields = {}

    @abstractmethod
    def take(self, line: bytes, start: int, /) -> None:
        """Read the line that begins at byte `start` of the file. A line that cannot be understood changes nothing."""

    @abstractmethod
    def end_of_turn(self, last_message: str | None) -> None:
        """The open responses of the turn are complete. `last_message` is the model's last text; None if unknown."""

    def finished(self) -> list[HostResponse]:
        """Return the responses that are complete and were not returned before."""
        given, self._new = self._new, []
        return given

    def safe_offset(self, end: int) -> int:
        """Return the byte at which the next hook must begin to read, so that it misses no half-written response."""
        return end

    def carry(self) -> Fields:
        """Return the state with which `resume` continues there in another process."""
        return self._carried

    def resume(self, carry: Fields) -> None:
        """The reader continues from where `carry` was taken."""
        self._carried = carry


def place_at(file: BinaryIO, offset: int) -> FilePlace:
    """The place, with the hash that proves it."""
    start = max(0, offset - _CHECKED_BYTES)
    file.seek(start)
    return FilePlace(offset, sha256(file.read(offset - start)).hexdigest())


def is_known(file: BinaryIO, place: FilePlace) -> bool:
    """Return whether the file still has this place: it was neither truncated nor replaced."""
    return place.offset > 0 and place_at(file, place.offset) == place


def instant_of(fields: Fields) -> Instant | None:
    """When the line was written, or None."""
    text = text_of(fields, "timestamp")
    try:
        return None if text is None else read_time(text)
    except InvalidInput:
        return None


TURN_BEGINS: Final = ""
"""The text of a line with which a turn began: nothing before it is of this turn."""

_TAIL_BYTES: Final = 4 * 1024 * 1024


def last_message_in(transcript: Path | None, said: Callable[[Fields], str | None]) -> str:
    """Return the text of the last line near the transcript's end for which `said` returns one; else ""."""
    for line in [] if transcript is None else last_lines(transcript, _TAIL_BYTES):
        for fields in read_values(line):
            words = said(fields)
            if words is not None:
                return words
    return ""


def time_of_row(value: object) -> tuple[Instant | None, int]:
    """When the row was written, from a text or a number of seconds, and to how many microseconds that is known."""
    if type(value) is int and 0 <= value <= MAX_COUNTER // MICRO:
        return Instant(value * MICRO), MICRO
    try:
        text = value if isinstance(value, str) else ""
        return read_time(text), _MILLISECOND if "." in text else MICRO
    except InvalidInput:
        return None, MICRO

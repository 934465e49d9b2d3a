"""Usage as hosts record it: a line of a transcript, or a row of a database, for each response of a model."""

import os
import stat
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import BinaryIO, Final

from telic.domain.budget import ModelUsage, UsageKind
from telic.domain.clock import MICRO, Instant
from telic.domain.errors import InvalidInput
from telic.domain.limits import MAX_COUNTER
from telic.integrations.model_calls import model_usage
from telic.loop.agents.json_reader import Fields, read_values, text_of
from telic.loop.agents.protocol import read_time
from telic.storage.drivers.sqlite_reader import Selection, read_selected

MAX_LINE_BYTES: Final = 32 * 1024 * 1024
"""Longer lines are passed over."""

_CHECKED_BYTES: Final = 256
_MILLISECOND: Final = 1_000
_MOST_ROWS: Final = 500
_MOST_SESSIONS: Final = 500
_PATIENCE_SECONDS: Final = 0.3


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
    """Return whether the file still has this place: it was neither truncated nor replaced."""
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
"""The text of a line with which a turn began: nothing before it is of this turn."""

_TAIL_BYTES: Final = 4 * 1024 * 1024


def last_message_in(transcript: Path | None, said: Callable[[Fields], str | None]) -> str:
    """Return the text of the last line near the transcript's end for which `said` returns one; else ""."""
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


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageTable:
    """A host's rows of usage, and how one is read; `columns` has the ids of the row and its session first.

    Sub-agents have sessions of their own where `sessions` names the table that tells whose they are.
    """

    path: Path
    table: str
    columns: tuple[str, ...]
    response: Callable[[Fields, str], HostResponse | None]
    sessions: str | None = None

    def rows(self, session: str, place: FilePlace) -> Iterator[tuple[FilePlace, HostResponse | None]]:
        """The rows after the place, in order, each with its own place, which the next call goes on from.

        Raises:
            StoreError: the database cannot be read now.
        """
        sessions = self._family(session)
        while found := self._page(sessions, place):
            for row in found:
                place = _place(row, self.columns)
                yield place, self.response(row, session)
            if not place.offset:
                return

    def _family(self, session: str) -> tuple[str, ...]:
        # goose gives sub-agents, and theirs, sessions of their own that name their parent.
        family, newest = [session], [session]
        while newest and self.sessions is not None and len(family) < _MOST_SESSIONS:
            found = self._read(self.sessions, ("id",), "parent_session_id", tuple(newest), "id", "")
            names = [row["id"] for row in found if isinstance(row["id"], str)]
            newest = [name for name in names if name not in family]
            family += newest
        return tuple(family)

    def _page(self, sessions: tuple[str, ...], place: FilePlace) -> list[Fields]:
        identity, owner = self.columns[:2]
        rows = self._read(self.table, self.columns, owner, sessions, identity, place.offset)
        if not place.offset:
            return rows
        if rows and _place(rows[0], self.columns) == place:
            return rows[1:]
        # The row is gone, as in a database that was made anew, where numbers begin anew: all is read again.
        return self._read(self.table, self.columns, owner, sessions, identity, 0)

    def _read(
        self, table: str, columns: tuple[str, ...], column: str, values: tuple[str, ...], order: str, first: int | str
    ) -> list[Fields]:
        selection = Selection(
            table=table,
            columns=columns,
            column=column,
            values=values,
            id_column=order,
            first_id=first,
            most_rows=_MOST_ROWS,
        )
        return [*read_selected(self.path, selection, patience_seconds=_PATIENCE_SECONDS)]


def _place(row: Fields, columns: tuple[str, ...]) -> FilePlace:
    # A row's number is not enough: a database that replaces a former one numbers from 1 again.
    number = row.get(columns[0])
    said = repr([row.get(name) for name in columns])
    return FilePlace(
        number if type(number) is int and 0 < number <= MAX_COUNTER else 0, sha256(said.encode()).hexdigest()
    )


def usage_of_row(row: Fields) -> ModelUsage | None:
    """Return the usage that the row tells; None where it tells none."""
    return model_usage(
        input_tokens=row.get("input_tokens"),
        cached_input_tokens=row.get("cache_read_tokens"),
        output_tokens=row.get("output_tokens"),
        reasoning_tokens=row.get("reasoning_tokens"),
        total_tokens=row.get("total_tokens"),
    )


def time_of_row(value: object) -> tuple[Instant | None, int]:
    """When the row was written, from a text or a number of seconds, and to how many microseconds that is known."""
    if type(value) is int and 0 <= value <= MAX_COUNTER // MICRO:
        return Instant(value * MICRO), MICRO
    try:
        text = value if isinstance(value, str) else ""
        return read_time(text), _MILLISECOND if "." in text else MICRO
    except InvalidInput:
        return None, MICRO

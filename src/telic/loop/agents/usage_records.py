"""How a host's own files and tables are followed, for the usage that it records beside what it prints.

The usage of a running turn, and of sub-agents, is in the host's files alone. Those are in the agent's reach: they can
only add to what the host printed (ADR 29).
"""

import os
import stat
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import BinaryIO, Final, Generic, TypeVar

from telic.domain.budget import ModelUsage
from telic.domain.limits import MAX_COUNTER
from telic.loop.agents.formats import Parsed, id_of
from telic.loop.agents.json_reader import Fields, larger_usage, model_usage, sum_usage
from telic.storage.drivers.sqlite_reader import Selection, read_selected

MAX_LINE_BYTES: Final = 32 * 1024 * 1024
"""Longer lines are passed over."""

_MOST_ROWS: Final = 500
MOST_SESSIONS: Final = 500
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class RecordedResponse:
    """One response of a model, by its identity; its usage is None where its counts are none."""

    identity: str
    usage: ModelUsage | None


class RecordedResponses:
    """The responses that a turn has added to those that were there when it began, each once."""

    def __init__(self) -> None:
        self._before: set[str] = set()
        self._new: dict[str, ModelUsage | None] = {}

    def begin(self) -> None:
        """The responses that were taken so far belong to other turns."""
        self._before |= set(self._new)
        self._new.clear()

    def take(self, response: RecordedResponse) -> None:
        """The response is known; of one that comes again, the larger output counts."""
        if response.identity in self._before:
            return
        known, told = self._new.get(response.identity), response.usage
        if known is None or (told is not None and told.output_tokens > known.output_tokens):
            self._new[response.identity] = told

    @property
    def total(self) -> ModelUsage | None:
        """The sum of what the turn has added, as far as it is known; None where that is nothing."""
        known = [usage for usage in self._new.values() if usage is not None]
        return sum_usage(known) if known else None

    @property
    def is_partial(self) -> bool:
        """Whether the turn has added more than `total` says."""
        return None in self._new.values()


class SessionRecords(ABC):
    """Follows the records of one session, which a subclass reads from its host's files."""

    def __init__(self, session: str | None) -> None:
        self._session = id_of(session)
        self._responses = RecordedResponses()
        self._model: str | None = None

    def begin(self) -> None:
        """See `UsageRecords`."""
        self._read()
        self._responses.begin()

    def improve(self, parsed: Parsed) -> Parsed:
        """See `UsageRecords`."""
        self._session = id_of(parsed.session) or self._session
        self._read()
        return with_recorded(parsed, self._responses.total, self._model, is_partial=self._responses.is_partial)

    @abstractmethod
    def _read(self) -> None: ...


def with_recorded(
    parsed: Parsed, recorded: ModelUsage | None, model: str | None = None, *, is_partial: bool = False
) -> Parsed:
    """Return what was printed, with what was recorded where that is more: an estimate where that `is_partial`."""
    if is_partial:
        parsed = replace(parsed, is_estimate=True, has_answered=True)
    if recorded is None:
        return parsed
    return replace(parsed, usage=larger_usage(recorded, parsed.usage or ModelUsage()), model=parsed.model or model)


def home(environment: Mapping[str, str]) -> Path:
    """Return the home folder that the command has."""
    return folder_of(environment, "HOME", Path("/nonexistent"))


def folder_of(environment: Mapping[str, str], name: str, default: Path) -> Path:
    """Return the folder that the variable names, or the default one."""
    named = environment.get(name, "")
    return Path(named) if named.startswith("/") else default


class GrowingFiles:
    """Files that are found as they appear, each read on from where it was left: every whole line is given once."""

    def __init__(self) -> None:
        self._ends: dict[Path, int] = {}

    def lines(self, paths: list[Path]) -> Iterator[bytes]:
        """Give the new lines of these files; none of what is no plain file."""
        for path in paths:
            # The agent can put a link in the file's place.
            file = open_plain(path, os.O_NOFOLLOW)
            if file is None:
                continue
            with file, suppress(OSError):
                for end, line in whole_lines(file, self._ends.get(path, 0)):
                    self._ends[path] = end
                    yield line


def open_plain(path: Path, flags: int = 0) -> BinaryIO | None:
    """Return the file, or None where it is none or cannot be read. A pipe would make the caller wait."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | flags)
    except OSError:
        return None
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        return None
    return os.fdopen(descriptor, "rb")


def last_lines(path: Path, most_bytes: int) -> list[bytes]:
    """Return the lines near the file's end, the last one first; the first of them may be cut off."""
    file = open_plain(path)
    if file is None:
        return []
    with file:
        file.seek(max(0, file.seek(0, os.SEEK_END) - most_bytes))
        return file.read().splitlines()[::-1]


def whole_lines(file: BinaryIO, start: int) -> Iterator[tuple[int, bytes]]:
    """Give the complete lines from `start` on, each with the place where it ends; one too long comes empty."""
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


@dataclass(frozen=True, slots=True)
class FilePlace:
    """A place in a file, and the hash of what stands before it, by which it is known again."""

    offset: int = 0
    check: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageTable(Generic[T]):
    """A host's rows of usage, and how one is read; `columns` has the ids of the row and its session first.

    Sub-agents have sessions of their own where `sessions` names the table that tells whose they are.
    """

    path: Path
    table: str
    columns: tuple[str, ...]
    response: Callable[[Fields, str], T]
    sessions: str | None = None
    patience_seconds: float = 5.0

    def rows(self, session: str, place: FilePlace) -> Iterator[tuple[FilePlace, T]]:
        """The rows after the place, in order, each with its own place, which the next call goes on from.

        Raises:
            StoreError: the database cannot be read now.
        """
        sessions = self._family(session)
        found = self._page(sessions, place)
        while found:
            for row in found:
                place = _place(row, self.columns)
                yield place, self.response(row, session)
            # Always further on, so that no table, whatever its ids are, is read for ever.
            found = self._rows_from(sessions, place.offset + 1) if place.offset else []

    def _family(self, session: str) -> tuple[str, ...]:
        table = self.sessions
        if table is None:
            return (session,)
        # goose gives sub-agents, and theirs, sessions of their own that name their parent.
        below = rows_below([session], lambda names: self._read(table, ("id",), "parent_session_id", names, "id", ""))
        return (session, *(row["id"] for row in below))

    def _page(self, sessions: tuple[str, ...], place: FilePlace) -> list[Fields]:
        rows = self._rows_from(sessions, place.offset)
        if not place.offset:
            return rows
        if rows and _place(rows[0], self.columns) == place:
            return rows[1:]
        # The row is gone, as in a database that was made anew, where numbers begin anew: all is read again.
        return self._rows_from(sessions, 0)

    def _rows_from(self, sessions: tuple[str, ...], first: int) -> list[Fields]:
        identity, owner = self.columns[:2]
        return self._read(self.table, self.columns, owner, sessions, identity, first)

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
        return [*read_selected(self.path, selection, patience_seconds=self.patience_seconds)]


def rows_below(names: list[str], read: Callable[[tuple[str, ...]], list[Fields]]) -> list[Fields]:
    """Return the rows that `read` gives for the children of these sessions, for theirs, and so on."""
    found, newest = list[Fields](), names
    while newest and len(found) < MOST_SESSIONS:
        known = {*names, *(row["id"] for row in found)}
        below = [row for row in read(tuple(newest)) if isinstance(row["id"], str) and row["id"] not in known]
        found += below
        newest = [row["id"] for row in below]
    return found


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

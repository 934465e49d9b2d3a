"""How a host's own files are followed, for the usage that it records beside what it prints.

The usage of a running turn, and of sub-agents, is in the host's files alone. Those are in the agent's reach: they can
only add to what the host printed (ADR 29).
"""

import os
import stat
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from telic.domain.budget import ModelUsage
from telic.loop.agents.formats import Parsed, id_of
from telic.loop.agents.json_reader import larger_usage, sum_usage

_READ_BYTES: Final = 1 << 20
_MAX_LINE_BYTES: Final = 4 << 20


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


class GrowingFile:
    """A file of lines that only grows; each whole line is given once."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._offset = 0

    def lines(self) -> Iterator[bytes]:
        """Give the whole lines that were added since the last call; none where it is no plain file."""
        # The agent can put a link or a pipe in the file's place.
        try:
            opened = os.open(self._path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        except OSError:
            return
        try:
            if stat.S_ISREG(os.fstat(opened).st_mode):
                yield from self._read(opened)
        except OSError:
            return
        finally:
            os.close(opened)

    def _read(self, opened: int) -> Iterator[bytes]:
        rest, is_dropping = b"", False
        os.lseek(opened, self._offset, os.SEEK_SET)
        while chunk := os.read(opened, _READ_BYTES):
            *whole, last = (rest + chunk).split(b"\n")
            for line in whole:
                self._offset += len(line) + 1
                if not is_dropping:
                    yield line
                is_dropping = False
            rest = last
            if len(rest) > _MAX_LINE_BYTES:
                self._offset += len(rest)
                rest, is_dropping = b"", True


class GrowingFiles:
    """Files that are found as they appear, each read on from where it was left."""

    def __init__(self) -> None:
        self._files: dict[Path, GrowingFile] = {}

    def lines(self, paths: list[Path]) -> Iterator[bytes]:
        """Give the new lines of these files."""
        for path in paths:
            yield from self._files.setdefault(path, GrowingFile(path)).lines()

"""What hosts write of their conversations' usage into files of their own, beside what they print.

What is told there while a turn runs, or of sub-agents, is told nowhere else. The files are in the agent's reach: what
they tell can only add to what the host printed.
"""

import os
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, Protocol

from telic.domain.budget import MODEL_COUNTERS, ModelUsage
from telic.loop.agents.json_reader import Parsed, sum_usage

_READ_BYTES: Final = 1 << 20
_MAX_LINE_BYTES: Final = 4 << 20


class UsageRecords(Protocol):
    """Reads what a host has written since the turn began. Its methods may block, and are called one at a time."""

    def begin(self) -> None:
        """What is there now is no part of the turn."""
        ...

    def improve(self, parsed: Parsed) -> Parsed:
        """The same with the usage, model and session that the host's files tell, where they tell more."""
        ...


@dataclass(frozen=True, slots=True)
class Response:
    """One response of a model, by its identity."""

    identity: str
    usage: ModelUsage


class Responses:
    """The responses that a turn has added to those that were there when it began, each once."""

    def __init__(self) -> None:
        self._before: set[str] = set()
        self._new: dict[str, ModelUsage] = {}

    def begin(self) -> None:
        """What was taken so far belongs to other turns."""
        self._before |= set(self._new)
        self._new.clear()

    def take(self, response: Response) -> None:
        """The response is known; of one that comes again, the larger output counts."""
        if response.identity in self._before:
            return
        known = self._new.get(response.identity)
        if known is None or response.usage.output_tokens > known.output_tokens:
            self._new[response.identity] = response.usage

    @property
    def total(self) -> ModelUsage | None:
        """All that the turn has added, or None where that is nothing."""
        return sum_usage([*self._new.values()]) if self._new else None


def with_recorded(parsed: Parsed, recorded: ModelUsage | None, model: str | None = None) -> Parsed:
    """What was printed, with what was recorded where that is more."""
    if recorded is None:
        return parsed
    printed = parsed.usage or ModelUsage()
    more = {name: max(getattr(recorded, name), getattr(printed, name)) for name in MODEL_COUNTERS}
    return replace(parsed, usage=ModelUsage(**more), model=parsed.model or model)


def home(environment: Mapping[str, str]) -> Path:
    """The home folder that the command has."""
    told = environment.get("HOME", "")
    return Path(told) if told.startswith("/") else Path("/nonexistent")


def folder_of(environment: Mapping[str, str], name: str, default: Path) -> Path:
    """The folder that the variable names, or the default one."""
    told = environment.get(name, "")
    return Path(told) if told.startswith("/") else default


class GrowingFile:
    """A file of lines that only grows; each whole line is given once."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._offset = 0

    def lines(self) -> Iterator[bytes]:
        """The whole lines that were added since the last call; none where it is no plain file."""
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
        """The new lines of these files."""
        for path in paths:
            yield from self._files.setdefault(path, GrowingFile(path)).lines()

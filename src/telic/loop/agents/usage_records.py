"""What hosts tell of a conversation's usage beside what they print: sums over all its turns, and files of their own.

Codex and Claude Code restore a resumed conversation's counters and report its sum. Billed as it is, each turn would
pay for all turns before it. So the sum at the end of a turn travels in the session text, beside the command's own id,
and `used_since` tells one turn's share.

What is told while a turn runs, or of sub-agents, stands in the host's files alone. Those are in the agent's reach:
what they tell can only add to what the host printed.
"""

import os
import re
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, Protocol

from telic.domain.budget import MODEL_COUNTERS, ModelUsage
from telic.domain.errors import InvalidNumber
from telic.loop.agents.json_reader import Parsed, sum_usage

_SESSION: Final = re.compile(r"([A-Za-z0-9][A-Za-z0-9._:-]{0,199})(?: used ([0-9]{1,16}(?:,[0-9]{1,16}){5}))?")


@dataclass(frozen=True, slots=True)
class CumulativeSession:
    """A conversation's id, and what it had used; None where that is unknown, as for one that others began."""

    id: str
    used: ModelUsage | None = None

    def __str__(self) -> str:
        if self.used is None:
            return self.id
        return f"{self.id} used {','.join(str(getattr(self.used, name)) for name in MODEL_COUNTERS)}"


def read_session(text: str | None) -> CumulativeSession | None:
    """The session that the text names, or None: an id never begins like an option."""
    match = None if text is None else _SESSION.fullmatch(text)
    if match is None:
        return None
    if match[2] is None:
        return CumulativeSession(match[1])
    try:
        return CumulativeSession(
            match[1], ModelUsage(**dict(zip(MODEL_COUNTERS, map(int, match[2].split(",")), strict=True)))
        )
    except InvalidNumber:
        return CumulativeSession(match[1])


def used_since(before: ModelUsage, total: ModelUsage) -> ModelUsage:
    """What was used after `before`. A count that fell began anew from 0: then the total is all of it."""
    counts = {name: getattr(total, name) - getattr(before, name) for name in MODEL_COUNTERS}
    try:
        return ModelUsage(**counts)
    except InvalidNumber:
        return total


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
class RecordedResponse:
    """One response of a model, by its identity."""

    identity: str
    usage: ModelUsage


class RecordedResponses:
    """The responses that a turn has added to those that were there when it began, each once."""

    def __init__(self) -> None:
        self._before: set[str] = set()
        self._new: dict[str, ModelUsage] = {}

    def begin(self) -> None:
        """What was taken so far belongs to other turns."""
        self._before |= set(self._new)
        self._new.clear()

    def take(self, response: RecordedResponse) -> None:
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

"""The content hash of a workspace: equal for equal files, different after any change that is not ignored.

In a git repository, and in repositories inside it, it covers tracked and untracked files, ignored ones not; elsewhere,
or where git cannot tell, all files but those of well-known caches. It covers names, content, the executable bit and
targets of links; no times, no owners, no empty folders. What was committed is a hash of its own.
"""

import asyncio
import os
import re
import stat
import threading
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from fnmatch import translate
from hashlib import sha256
from pathlib import Path
from typing import Final

from telic.domain.errors import InvalidNumber, WorkspaceMissing
from telic.loop.agents.process import run_process
from telic.loop.progress import hash_of_commits

DEFAULT_EXCLUDES: Final = (
    ".git",
    ".hg",
    ".svn",
    ".venv",
    "node_modules",
    "__pycache__",
    ".mypy_cache",
    ".pytest_cache",
    ".ruff_cache",
    ".tox",
)
"""Names of folders and files that are left out wherever they are."""

_MISSING: Final = "the workspace is no folder, or gone: {!a}"
_READ_BYTES: Final = 1 << 20
_MAX_LISTING_BYTES: Final = 64 << 20
_MOST_REPOSITORIES: Final = 200
_LIST_FILES: Final = (
    "git",
    # A repository's own settings could name a command to run here, and an agent could have written them.
    *("-c", "core.fsmonitor=false", "-c", "core.hooksPath=/dev/null"),
    *("ls-files", "-z", "--cached", "--others", "--exclude-standard"),
)


class ListedBy(StrEnum):
    """The source of the list of files."""

    GIT = "git"
    WALK = "walk"


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkspaceLimits:
    """The limits on reading a workspace.

    The files are taken in the order of their paths. Beyond `max_files` files or `max_bytes` of content, a file's size
    and time of change stand for its content, and so they do for a file that cannot be read. Git may take
    `timeout_seconds` to list the files of a repository.

    Raises:
        InvalidNumber: a limit is below 1.
    """

    max_files: int = 50_000
    max_bytes: int = 256 << 20
    timeout_seconds: float = 30.0

    def __post_init__(self) -> None:
        if self.max_files < 1 or self.max_bytes < 1 or not self.timeout_seconds > 0:
            raise InvalidNumber("the limits of a workspace are above 0")


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkspaceState:
    """A workspace as it was seen. `stood_in` files are in the hash with size and time in place of their content.

    `commits_hash` is of the branches and tags of its repositories; the hash of nothing where there is none.
    """

    hash: str
    listed_by: ListedBy
    files: int
    content_bytes: int
    stood_in: int
    commits_hash: str

    @property
    def progress_hash(self) -> str:
        """Another one after any change of files, and after a commit."""
        return sha256(f"{self.hash} {self.commits_hash}".encode()).hexdigest()


async def observe_workspace(
    workspace: Path, *, excludes: Sequence[str] = DEFAULT_EXCLUDES, limits: WorkspaceLimits | None = None
) -> WorkspaceState:
    """Return the state of the workspace; nothing in it was changed or run.

    `excludes` are shell patterns for a name anywhere, or for a whole path relative to the workspace.

    Raises:
        WorkspaceMissing: it is not there, or went away meanwhile.
    """
    limits = limits or WorkspaceLimits()
    if not await asyncio.to_thread(workspace.is_dir):
        raise WorkspaceMissing(_MISSING.format(str(workspace)))
    listed, repositories = await _listed(workspace, limits)
    stop = threading.Event()
    try:
        return await asyncio.to_thread(
            _observe, workspace, listed, repositories, _Reading(workspace, _Excludes(excludes), limits, stop)
        )
    finally:
        stop.set()


async def _listed(workspace: Path, limits: WorkspaceLimits) -> tuple[list[str], list[str]]:
    """Return the paths that git lists, also of repositories inside, and the folders of those."""
    listed, inside = await _listed_by_git(workspace, limits), list[str]()
    paths, waiting = set(listed), set(listed)
    while waiting:
        found = set[str]()
        for folder in await asyncio.to_thread(_repositories, workspace, waiting):
            if len(inside) >= _MOST_REPOSITORIES:
                break
            inside.append(folder)
            below = await _listed_by_git(workspace / folder, limits)
            if below:
                # Else it is empty, or no git can tell of it: then its folder is walked.
                paths -= {folder, f"{folder}/"}
                found |= {f"{folder}/{path}" for path in below}
        paths |= found
        waiting = found
    return sorted(paths), inside


def _repositories(workspace: Path, paths: Iterable[str]) -> list[str]:
    # Git lists a repository inside another, or a submodule, as one path: a folder.
    folders = sorted({path.rstrip("/") for path in paths})
    return [path for path in folders if (workspace / path / ".git").exists() and not (workspace / path).is_symlink()]


async def _listed_by_git(workspace: Path, limits: WorkspaceLimits) -> list[str]:
    """Return the paths that git lists; none where git is not there, does not know the folder, or ignores it all."""
    listing = bytearray()

    def take(chunk: bytes) -> None:
        if len(listing) < _MAX_LISTING_BYTES:
            listing.extend(chunk)

    environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    try:
        result = await run_process(
            _LIST_FILES,
            cwd=workspace,
            timeout_seconds=limits.timeout_seconds,
            environment=environment | {"GIT_OPTIONAL_LOCKS": "0"},
            on_chunk=take,
        )
    except OSError:
        return []
    if result.exit_code != 0 or result.output_bytes > _MAX_LISTING_BYTES:
        return []
    return [os.fsdecode(path) for path in bytes(listing).split(b"\0") if path]


def _observe(workspace: Path, listed: list[str], repositories: list[str], reading: "_Reading") -> WorkspaceState:
    reading.take(listed or reading.walk(""))
    if not workspace.is_dir():
        raise WorkspaceMissing(_MISSING.format(str(workspace)))
    return WorkspaceState(
        hash=reading.hash,
        listed_by=ListedBy.GIT if listed else ListedBy.WALK,
        files=reading.files,
        content_bytes=reading.content_bytes,
        stood_in=reading.stood_in,
        commits_hash=hash_of_commits([workspace, *(workspace / folder for folder in (*repositories, *reading.found))]),
    )


class _Reading:
    """A hash over files that is being computed."""

    def __init__(self, workspace: Path, excludes: "_Excludes", limits: WorkspaceLimits, stop: threading.Event) -> None:
        self._root = workspace
        self._excludes = excludes
        self._limits = limits
        self._stop = stop
        self._digest = sha256()
        self.files = 0
        self.content_bytes = 0
        self.stood_in = 0
        self.found: list[str] = []

    @property
    def hash(self) -> str:
        return self._digest.hexdigest()

    def walk(self, folder: str) -> Iterator[str]:
        """Give the files below the folder, in the order of their names; links are not followed."""
        waiting = [folder]
        while waiting:
            below = waiting.pop()
            for entry in sorted(_entries(self._root / below), key=lambda entry: entry.name):
                path = f"{below}/{entry.name}" if below else entry.name
                if entry.name == ".git" and below and len(self.found) < _MOST_REPOSITORIES:
                    self.found.append(below)
                if self._excludes.cover(path):
                    continue
                if entry.is_dir(follow_symlinks=False):
                    waiting.append(path)
                else:
                    yield path

    def take(self, paths: Iterable[str]) -> None:
        """The files are in the hash; a folder among them (a repository that git does not list) is walked."""
        for path in paths:
            if self._stop.is_set():
                return
            if not self._excludes.cover(path):
                self._take_one(path)

    def _take_one(self, path: str) -> None:
        try:
            status = (self._root / path).lstat()
        except OSError:
            return
        if stat.S_ISDIR(status.st_mode):
            self.take(self.walk(path.rstrip("/")))
            return
        self.files += 1
        for part in (os.fsencode(path), *self._content(self._root / path, status)):
            self._digest.update(f"{len(part)}:".encode() + part)

    def _content(self, file: Path, status: os.stat_result) -> tuple[bytes, bytes]:
        try:
            if stat.S_ISLNK(status.st_mode):
                return b"link", os.fsencode(file.readlink())
            if not stat.S_ISREG(status.st_mode):
                return b"other", str(stat.S_IFMT(status.st_mode)).encode()
            is_read = self.files <= self._limits.max_files
            if is_read and self.content_bytes + status.st_size <= self._limits.max_bytes:
                return b"executable" if status.st_mode & stat.S_IXUSR else b"file", self._read(file)
        except OSError:
            pass
        self.stood_in += 1
        return b"stood in", f"{status.st_size} {status.st_mtime_ns}".encode()

    def _read(self, file: Path) -> bytes:
        content = sha256()
        # Between looking and opening, a pipe may have taken the file's place: it must not block.
        opened = os.open(file, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        try:
            while not self._stop.is_set() and (chunk := os.read(opened, _READ_BYTES)):
                content.update(chunk)
                self.content_bytes += len(chunk)
        finally:
            os.close(opened)
        return content.digest()


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return list(entries)
    except OSError:
        return []


class _Excludes:
    """Patterns of what is left out, by name anywhere or by whole path."""

    def __init__(self, patterns: Sequence[str]) -> None:
        is_plain = {pattern: not set(pattern) & set("*?[") for pattern in patterns}
        self._plain = {pattern for pattern, plain in is_plain.items() if plain}
        shapes = [translate(pattern) for pattern, plain in is_plain.items() if not plain]
        self._shapes = re.compile("|".join(shapes)) if shapes else None

    def cover(self, path: str) -> bool:
        """Return whether the path is left out, for itself or for a folder that it is in."""
        names = [*path.split("/"), path]
        if not self._plain.isdisjoint(names):
            return True
        return self._shapes is not None and any(self._shapes.match(name) for name in names)

"""Progress is what can be observed: criteria newly passing, a workspace never seen like this, new tool effects.

An agent's own words are no part of it, so that rewording cannot pass for work (ADR 30). A workspace's state includes
the commits in its repository, read from the repository's own files: git is not asked, so that nothing of it runs.
"""

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from hashlib import sha256
from pathlib import Path
from typing import Final

from telic.domain.limits import check_counter
from telic.domain.verdict import check_sha256

_MOST_BYTES: Final = 16 << 20
_MOST_REFS: Final = 20_000


def hash_of_commits(folders: Iterable[Path]) -> str:
    """Return the hash of the commits that the branches and tags of these folders' repositories name."""
    digest = sha256()
    for name, content in sorted(line for folder in set(folders) for line in _refs_of(folder)):
        digest.update(f"{len(name)}:".encode() + name + f"{len(content)}:".encode() + content)
    return digest.hexdigest()


def _refs_of(folder: Path) -> list[tuple[bytes, bytes]]:
    git = _git_folder(folder)
    if git is None:
        return []
    shared = _shared_folder(git)
    files = [git / "HEAD", shared / "packed-refs", *_loose_refs(shared / "refs")]
    place = os.fsencode(folder)
    return [(place + b"\0" + os.fsencode(file), _content(file)) for file in files]


def _git_folder(folder: Path) -> Path | None:
    """Return the folder in which git keeps the repository of this folder, or None outside any."""
    for place in (folder, *folder.parents):
        git = place / ".git"
        if git.is_dir():
            return git
        if git.is_file():
            # A worktree or a submodule says where.
            named = _content(git)
            return place / os.fsdecode(named[7:].strip()) if named.startswith(b"gitdir:") else None
    return None


def _shared_folder(git: Path) -> Path:
    # Worktrees share the branches of their repository.
    shared = _content(git / "commondir").strip()
    return git / os.fsdecode(shared) if shared else git


def _loose_refs(folder: Path) -> Iterator[Path]:
    count = 0
    for kind in ("heads", "tags"):
        for below, folders, files in os.walk(folder / kind):
            folders.sort()
            for name in sorted(files):
                count += 1
                if count > _MOST_REFS:
                    return
                yield Path(below) / name


def _content(file: Path) -> bytes:
    """Return the file's first bytes; none where it is not there, or is no plain file."""
    try:
        opened = os.open(file, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except (OSError, ValueError):
        return b""
    try:
        return os.read(opened, _MOST_BYTES)
    except OSError:
        return b""
    finally:
        os.close(opened)


class ProgressKind(StrEnum):
    """The kinds of progress."""

    CRITERION = "criterion"
    WORKSPACE = "workspace"
    TOOL_EFFECT = "tool_effect"


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """The observable state after a turn.

    `passed_hashes` are those of the criteria that passed (`Verification.passed_hashes`); `workspace_hash` is None
    where it was not looked at; `tool_effects` counts all of the goal's turns so far, so it never falls.

    Raises:
        InvalidInput: a hash is none, or the count is no count.
    """

    passed_hashes: frozenset[str] = frozenset()
    workspace_hash: str | None = None
    tool_effects: int = 0

    def __post_init__(self) -> None:
        for passed in self.passed_hashes:
            check_sha256(passed)
        if self.workspace_hash is not None:
            check_sha256(self.workspace_hash)
        check_counter("tool_effects", self.tool_effects)


def progress_since(history: Sequence[Observation], now: Observation) -> frozenset[ProgressKind]:
    """Return the kinds of progress in `now` since all of the history; none without a history.

    A criterion that passes again, or a workspace put back to an earlier state, is not new.
    """
    if not history:
        return frozenset()
    passed = frozenset[str]().union(*(past.passed_hashes for past in history))
    workspaces = {past.workspace_hash for past in history} - {None}
    found = {
        ProgressKind.CRITERION: bool(now.passed_hashes - passed),
        ProgressKind.WORKSPACE: bool(workspaces) and now.workspace_hash not in workspaces | {None},
        ProgressKind.TOOL_EFFECT: now.tool_effects > max(past.tool_effects for past in history),
    }
    return frozenset(kind for kind, is_new in found.items() if is_new)

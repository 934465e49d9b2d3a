"""What was committed in a repository, read from its own files: git is not asked, so that nothing of it runs."""

import os
from collections.abc import Iterable, Iterator
from hashlib import sha256
from pathlib import Path
from typing import Final

_MOST_BYTES: Final = 16 << 20
_MOST_REFS: Final = 20_000


def hash_of_commits(folders: Iterable[Path]) -> str:
    """The hash of the commits that the branches and tags of these folders' repositories name."""
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
    """Where the repository that the folder is in keeps its own, or None outside any."""
    for place in (folder, *folder.parents):
        git = place / ".git"
        if git.is_dir():
            return git
        if git.is_file():
            # A worktree or a submodule says where.
            told = _content(git)
            return place / os.fsdecode(told.removeprefix(b"gitdir:").strip()) if told.startswith(b"gitdir:") else None
    return None


def _shared_folder(git: Path) -> Path:
    """Where the branches are: worktrees share those of their repository."""
    told = _content(git / "commondir").strip()
    return git / os.fsdecode(told) if told else git


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
    """The file's first bytes; none where it is not there, or is no plain file."""
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

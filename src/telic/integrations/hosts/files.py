"""A host's file is changed as a whole or not at all, and its former content kept beside it."""

import glob
import os
import stat
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from telic.domain.errors import InvalidInput

_MAX_BYTES: Final = 16 * 1024 * 1024
_NEW_FILE_MODE: Final = 0o600
_COPY: Final = ".before-telic-"


@dataclass(frozen=True, slots=True)
class FileChange:
    """What a file holds, and what it is to hold; None where there is no file.

    `outdated` are copies that are of no more use, since the file holds the same again; `keeps_copy` where the former
    content is to be kept.
    """

    path: Path
    before: str | None
    after: str | None
    outdated: tuple[Path, ...] = ()
    keeps_copy: bool = True

    @property
    def is_needed(self) -> bool:
        """Whether anything differs."""
        return self.before != self.after


def read(path: Path) -> str | None:
    """What the file holds, line endings as they are, or None where there is none.

    Raises:
        InvalidInput: it cannot be read, is no regular file, or no UTF-8.
    """
    try:
        if not path.exists() and not path.is_symlink():
            return None
        if not path.is_file() or path.stat().st_size > _MAX_BYTES:
            raise InvalidInput(f"{path} is no file that could be changed")
        return path.read_bytes().decode("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidInput(f"{path} cannot be read: {getattr(error, 'strerror', None) or error}") from error


def apply(change: FileChange) -> Path | None:
    """The file holds what it should, and here is the copy of what it held before.

    It keeps its mode; where it is a link, what the link leads to is changed. A file that is to be gone, which Telic
    alone had written, leaves no copy, and no folder that it was alone in. Outdated copies are gone.

    Raises:
        InvalidInput: it was changed meanwhile, or cannot be written; nothing is changed.
    """
    if read(change.path) != change.before:
        raise InvalidInput(f"{change.path} was changed meanwhile; try again")
    path = Path(os.path.realpath(change.path))
    try:
        if change.after is None:
            _remove(path)
            return None
        backup = _keep_copy(path, change.before) if change.keeps_copy and change.before is not None else None
        write_whole(path, change.after)
        for copy in change.outdated:
            copy.unlink(missing_ok=True)
    except OSError as error:
        raise InvalidInput(f"{path} cannot be written: {error.strerror}") from error
    return backup


def _remove(path: Path) -> None:
    path.unlink()
    with suppress(OSError):
        path.parent.rmdir()


def copies(path: Path) -> list[Path]:
    """The copies that were kept of the file, the last one first."""
    real = Path(os.path.realpath(path))
    found = real.parent.glob(f"{glob.escape(real.name)}{_COPY}*")
    numbered = [(int(number), each) for each in found if (number := each.name.rpartition("-")[2]).isdecimal()]
    return [each for _, each in sorted(numbered, reverse=True)]


def _keep_copy(path: Path, text: str) -> Path:
    number = 1
    while True:
        backup = path.with_name(f"{path.name}{_COPY}{number}")
        try:
            descriptor = os.open(backup, os.O_WRONLY | os.O_CREAT | os.O_EXCL, stat.S_IMODE(path.stat().st_mode))
        except FileExistsError:
            number += 1
            continue
        with os.fdopen(descriptor, "wb") as copy:
            copy.write(text.encode())
        return backup


def write_whole(path: Path, text: str) -> None:
    """The file holds the text, with the mode that it had; whoever reads it sees this or what was there before.

    Raises:
        OSError: it cannot be written; nothing is changed.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    mode = stat.S_IMODE(path.stat().st_mode) if path.exists() else _NEW_FILE_MODE
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "wb") as unfinished:
            unfinished.write(text.encode())
            os.fchmod(descriptor, mode)
            unfinished.flush()
            os.fsync(descriptor)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise

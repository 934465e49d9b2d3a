"""The folder of a store's journals: private, free of links, and shared by all who account for the store."""

import contextlib
import fcntl
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Final

JOURNAL_SUFFIX: Final = ".journal"
REFUSED_SUFFIX: Final = ".refused"
_FLAGS: Final = os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC
_OTHERS_MAY_WRITE: Final = stat.S_IWGRP | stat.S_IWOTH


def default_base() -> Path:
    """Where journals are kept unless the host says otherwise: in the user's folder for state.

    Raises:
        OSError: nobody knows the user's home.
    """
    given = os.environ.get("XDG_STATE_HOME", "")
    try:
        state = Path(given) if given.startswith("/") else Path.home() / ".local" / "state"
    except RuntimeError as error:
        raise OSError(f"no folder for journals: {error}") from error
    return state / "telic" / "accounting"


class JournalFolder:
    """One store's folder, held open, so that nobody can lead its files elsewhere by renaming a folder.

    Raises:
        OSError: it cannot be made or opened, is a link, belongs to another user, or others may write to it.
    """

    def __init__(self, base: Path, store_id: str) -> None:
        base.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.path = base / store_id
        self.path.mkdir(mode=0o700, exist_ok=True)
        self._handle = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
        state = os.fstat(self._handle)
        if state.st_uid != os.geteuid() or state.st_mode & _OTHERS_MAY_WRITE:
            self.close()
            raise PermissionError(f"{self.path} is not private: others own it or may write to it")

    def create(self, name: str) -> int:
        """A descriptor of a new file, which is locked for as long as its owner lives."""
        handle = os.open(name, _FLAGS | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o600, dir_fd=self._handle)
        if not self._is_locked(handle):
            # Somebody who looks for what the dead left behind was quicker, and is about to remove it as empty.
            os.close(handle)
            raise FileExistsError(f"{name} was taken over while it was made")
        os.fsync(self._handle)
        return handle

    def take_over(self, name: str) -> int | None:
        """A descriptor of a file whose owner is dead, now locked; None where it lives, or the file is gone."""
        with contextlib.suppress(OSError):
            handle = os.open(name, _FLAGS | os.O_APPEND, dir_fd=self._handle)
            if stat.S_ISREG(os.fstat(handle).st_mode) and self._is_locked(handle):
                return handle
            os.close(handle)
        return None

    @staticmethod
    def _is_locked(handle: int) -> bool:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return False
        return os.fstat(handle).st_nlink > 0

    def journals(self) -> Iterator[str]:
        """The names of all journals, those made first before others."""
        with os.scandir(self._handle) as entries:
            yield from sorted(entry.name for entry in entries if entry.name.endswith(JOURNAL_SUFFIX))

    def marker(self, name: str) -> int:
        """Another descriptor of the file, through which its beginning can be written."""
        return os.open(name, _FLAGS, dir_fd=self._handle)

    def remove(self, name: str) -> None:
        """The file is gone."""
        with contextlib.suppress(FileNotFoundError):
            os.unlink(name, dir_fd=self._handle)

    def set_aside(self, name: str, data: bytes) -> None:
        """The data is at the end of the file, on disk."""
        handle = os.open(name, _FLAGS | os.O_CREAT | os.O_APPEND, 0o600, dir_fd=self._handle)
        try:
            os.write(handle, data)
            os.fsync(handle)
        finally:
            os.close(handle)

    def close(self, *, is_kept: bool = True) -> None:
        """The folder is let go, and gone if it is empty and need not be kept. Idempotent."""
        if self._handle < 0:
            return
        os.close(self._handle)
        self._handle = -1
        if not is_kept:
            with contextlib.suppress(OSError):
                self.path.rmdir()

"""A backup of a store: whole, checked, and there only once it is both."""

import errno
import glob
import os
from contextlib import suppress
from pathlib import Path
from typing import Final

from telic.domain.errors import InvalidInput, StoreCorrupt, StoreFull, StoreUnavailable
from telic.domain.findings import Level
from telic.storage.transaction import SIDE_FILES, AsyncDriver, Driver
from telic.store.doctor import examine


def back_up(driver: Driver | AsyncDriver, path: str | Path, *, overwrite: bool, verify: bool) -> Path:
    """The path of the backup, which is on disk. See `GoalStore.backup`."""
    target = _target(path, overwrite)
    part = target.with_name(f"{target.name}.{os.urandom(4).hex()}.part")
    try:
        os.close(os.open(part, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600))
        driver.copy_into(part)
        if verify:
            _verify(part)
        _put_in_place(part, target, overwrite)
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise StoreFull(f"there is no room for the backup {target}") from error
        raise StoreUnavailable(f"the backup {target} cannot be written: {error.strerror}") from error
    finally:
        # With what the checking made beside it.
        for left in part.parent.glob(f"{glob.escape(part.name)}*"):
            with suppress(OSError):
                left.unlink()
    return target


def _target(path: str | Path, overwrite: bool) -> Path:
    if not str(path) or "\0" in str(path) or "://" in str(path):
        raise InvalidInput("a backup is a file: name its path")
    try:
        target = Path(path).parent.resolve(strict=True) / Path(path).name
    except OSError as error:
        raise InvalidInput(f"the folder of {str(path)!a} is not there") from error
    if target.is_dir():
        raise InvalidInput(f"{str(target)!a} is a folder")
    if any(Path(f"{target}{side}").exists() for side in SIDE_FILES):
        raise InvalidInput(f"{str(target)!a} is a store in use: it has a file beside it that says so")
    if target.is_symlink() or (os.path.lexists(target) and not overwrite):
        raise _taken(target)
    if os.path.lexists(target) and not _holds_database(target):
        raise InvalidInput(f"{str(target)!a} is no backup, and is not replaced: name another file, or remove it")
    return target


def _holds_database(target: Path) -> bool:
    """Whether it is a file with a database, or an empty one: neither a device, a pipe, nor anybody's text."""
    if not target.is_file():
        return False
    with target.open("rb") as file:
        return file.read(len(_MAGIC)) in (_MAGIC, b"")


_MAGIC: Final = b"SQLite format 3\0"


def _taken(target: Path) -> InvalidInput:
    return InvalidInput(f"{str(target)!a} is already there; to replace a backup must be asked for (--overwrite)")


def _verify(part: Path) -> None:
    found = [each for each in examine(part) if each.level is Level.PROBLEM]
    if found and found[0].check == "opening":
        raise InvalidInput(f"the backup cannot be checked there: {found[0].message}")
    if found:
        raise StoreCorrupt(f"the backup would not be sound, and was not kept: {found[0].message}")


def _put_in_place(part: Path, target: Path, overwrite: bool) -> None:
    _sync(part, os.O_RDWR)
    if overwrite:
        part.replace(target)
    else:
        try:
            # Unlike a renaming, it never replaces what somebody else has put there meanwhile.
            target.hardlink_to(part)
        except FileExistsError:
            raise _taken(target) from None
        part.unlink()
    _sync(target.parent, os.O_RDONLY)


def _sync(path: Path, flags: int) -> None:
    descriptor = os.open(path, flags | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)

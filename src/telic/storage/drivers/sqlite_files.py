"""The files of an SQLite store: made private, never through a link, never on a network."""

import errno
import os
import stat
import sys
from contextlib import suppress
from pathlib import Path
from typing import Final

from telic.domain.errors import StoreMisconfigured, StoreUnavailable

MEMORY: Final = ":memory:"
_SHARED: Final = frozenset(
    {
        *("nfs", "nfs4", "cifs", "smb2", "smb3", "smbfs", "9p", "afs", "auristorfs", "coda", "ncpfs", "davfs"),
        *("ceph", "lustre", "glusterfs", "gpfs", "beegfs", "orangefs", "pvfs2", "gfs2", "ocfs2"),
        *("virtiofs", "vboxsf", "vmhgfs", "prl_fs", "prl_vmfs", "fakeowner", "osxfs", "drvfs"),
    }
)
"""File systems that several machines, or a virtual machine and its host, have in common."""
_LOCAL_FUSE: Final = frozenset(
    {"fuse-overlayfs", "gocryptfs", "encfs", "ntfs-3g", "ntfs", "exfat", "fuse2fs", "ext2", "ext4"}
)
"""FUSE surely serves these from this machine's own disks, `fuseblk` besides: containers, encrypted folders, disks of
other systems. Of all other kinds nobody knows where the files are, nor whether shared memory works on them."""
_VOLATILE: Final = frozenset({"tmpfs", "ramfs", "devtmpfs"})


def prepare_file(path: Path, *, create: bool) -> Path:
    """Return the database's own path, its file there and private, with every link in the folders resolved.

    An existing file is only looked at: closing a descriptor of it would drop the locks that another store of
    this process holds on it (POSIX; see "How To Corrupt An SQLite Database File", section 2.2).

    Raises:
        StoreMisconfigured: it is a link, a folder, a special file, or on a network file system.
        StoreUnavailable: it may not be read and written.
    """
    try:
        real = path.parent.resolve(strict=True) / path.name
        _require_local(path, real.parent.stat().st_dev)
        if create:
            _make_private(real)
        status = real.lstat()
    except OSError as error:
        raise _explained(path, error) from error
    _check_kind(path, status)
    if not os.access(real, os.R_OK | os.W_OK):
        raise StoreUnavailable(f"{path} may not be read and written by this user")
    return real


def _check_kind(path: Path, status: os.stat_result) -> None:
    if stat.S_ISLNK(status.st_mode):
        raise StoreMisconfigured(f"{path} is a symbolic link; name the file itself")
    if stat.S_ISDIR(status.st_mode):
        raise StoreMisconfigured(f"{path} is a folder, not a database file")
    if not stat.S_ISREG(status.st_mode):
        raise StoreMisconfigured(f"{path} is not a regular file")
    _require_local(path, status.st_dev)


def _require_local(path: Path, device: int) -> None:
    file_system = file_system_of(device)
    if is_shared_file_system(file_system):
        raise StoreMisconfigured(
            f"{path} is on a network file system, or one shared with other machines ({file_system}), "
            "where SQLite's locks do not hold: use a local disk, or PostgreSQL"
        )


def is_shared_file_system(name: str | None) -> bool:
    """Return whether SQLite's locks may not hold there: what is not known to be local counts as shared."""
    kind, dot, served = (name or "").partition(".")
    is_foreign_fuse = kind == "fuse" and not (dot and served in _LOCAL_FUSE)
    return kind in _SHARED or is_foreign_fuse


def is_volatile_file_system(name: str | None) -> bool:
    """Return whether it is kept in memory, so that a restart of the machine empties it."""
    return name in _VOLATILE


def _make_private(path: Path) -> None:
    with suppress(FileExistsError):
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600))
        folder = os.open(path.parent, os.O_RDONLY | os.O_CLOEXEC)
        try:
            # Without this a power cut could take the file's name away, with all that was acknowledged.
            os.fsync(folder)
        finally:
            os.close(folder)


def _explained(path: Path, error: OSError) -> StoreMisconfigured | StoreUnavailable:
    if error.errno in (errno.ENOENT, errno.ENOTDIR):
        return StoreMisconfigured(f"{path} does not exist")
    return StoreUnavailable(f"{path} cannot be opened: {error.strerror}")


def identity(path: Path) -> tuple[int, int] | None:
    """Return an identity of the file that does not depend on its name; None if there is no file."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino


def file_system_of(device: int, mount_table: str | None = None) -> str | None:
    """Return the type of the file system on a device, or None where the platform does not say."""
    if mount_table is None:
        if not sys.platform.startswith("linux"):
            return None
        mount_table = Path("/proc/self/mountinfo").read_text(encoding="utf-8", errors="replace")
    numbers = f"{os.major(device)}:{os.minor(device)}"
    for line in mount_table.splitlines():
        mount, _, source = line.partition(" - ")
        if mount.split()[2:3] == [numbers]:
            return source.split()[0]
    return None

"""The files of an SQLite store: made private, never through a link, never on a network."""

import errno
import os
import stat
import sys
from pathlib import Path
from typing import Final

from telic.domain.errors import StoreMisconfigured, StoreUnavailable

MEMORY: Final = ":memory:"
NETWORK_FILE_SYSTEMS: Final = frozenset(
    {"nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "afs", "ceph", "lustre", "glusterfs", "fuse.sshfs", "fuse.glusterfs"}
)


def prepare_file(path: Path, *, create: bool) -> Path:
    """The database's own path, its file there and private, with every link in the folders resolved.

    Raises:
        StoreMisconfigured: it is a link, a folder, a special file, or on a network file system.
        StoreUnavailable: it may not be opened.
    """
    try:
        real = path.parent.resolve(strict=True) / path.name
        flags = os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC | (os.O_CREAT if create else 0)
        descriptor = os.open(real, flags, 0o600)
    except OSError as error:
        raise _explained(path, error) from error
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise StoreMisconfigured(f"{path} is not a regular file")
        file_system = file_system_of(os.fstat(descriptor).st_dev)
        if file_system in NETWORK_FILE_SYSTEMS:
            raise StoreMisconfigured(f"{path} is on a network file system ({file_system}); use PostgreSQL instead")
    finally:
        os.close(descriptor)
    return real


def _explained(path: Path, error: OSError) -> StoreMisconfigured | StoreUnavailable:
    match error.errno:
        case errno.EISDIR:
            return StoreMisconfigured(f"{path} is a folder, not a database file")
        case errno.ELOOP:
            return StoreMisconfigured(f"{path} is a symbolic link; name the file itself")
        case errno.ENOENT | errno.ENOTDIR:
            return StoreMisconfigured(f"{path} does not exist")
        case _:
            return StoreUnavailable(f"{path} cannot be opened: {error.strerror}")


def file_system_of(device: int, mount_table: str | None = None) -> str | None:
    """The type of the file system on a device, or None where the platform does not tell."""
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

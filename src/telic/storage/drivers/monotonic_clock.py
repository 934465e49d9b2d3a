"""A clock that all processes of one machine share and nobody can set: what SQLite's leases and holds expire by.

It stands still while the machine sleeps, as its workers do, and begins anew when the machine starts.
"""

import ctypes
import sys
import time
from pathlib import Path
from typing import Final

import apsw

_BOOT_ID: Final = Path("/proc/sys/kernel/random/boot_id")
_DARWIN_BOOT_ID: Final = b"kern.bootsessionuuid"
_LONGEST_ID_BYTES: Final = 64


def steady_microseconds(*_: object) -> int:
    """Microseconds since some moment of this machine's present run."""
    return time.monotonic_ns() // 1000


def wall_microseconds(*_: object) -> int:
    """Microseconds since the epoch, by the machine's clock: what the times that people set are compared with."""
    return time.time_ns() // 1000


def boot_id() -> str:
    """What tells this run of the machine from all others."""
    if sys.platform == "darwin":
        text = ctypes.create_string_buffer(_LONGEST_ID_BYTES)
        size = ctypes.c_size_t(_LONGEST_ID_BYTES)
        ctypes.CDLL(None).sysctlbyname(_DARWIN_BOOT_ID, text, ctypes.byref(size), None, 0)
        return text.value.decode()
    return _BOOT_ID.read_text(encoding="ascii").strip() if _BOOT_ID.exists() else ""


def end_former_runs(connection: apsw.Connection) -> None:
    """What was granted before the machine was started has expired: its workers are gone, and its clock is."""
    present = boot_id()
    known = "SELECT count(*) FROM store_identity WHERE boot = ?"
    if connection.execute(known, (present,)).get:
        return
    connection.execute("BEGIN IMMEDIATE")
    try:
        # Looked up again: another process may have been first, and have granted something since.
        if not connection.execute(known, (present,)).get:
            connection.execute("UPDATE goals SET lease_expires_at = 0 WHERE lease_expires_at > 0")
            connection.execute("UPDATE holds SET expires_at = 0 WHERE state = 'open'")
            connection.execute("UPDATE store_identity SET boot = ?", (present,))
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise

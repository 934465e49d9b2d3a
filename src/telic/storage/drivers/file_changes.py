"""Being told by the kernel that a file was written (inotify, on Linux), so that nobody need look again and again."""

import ctypes
import os
import select
import struct
from pathlib import Path
from typing import Final

_MODIFIED: Final = 0x2
_ATTRIBUTES: Final = 0x4
_DELETED: Final = 0x400
_MOVED: Final = 0x800
_ALL: Final = _MODIFIED | _ATTRIBUTES | _DELETED | _MOVED
_EVENT: Final = struct.Struct("iIII")


class FileChanges:
    """Tells whether a file was written since it was last asked; `descriptor` can be read once it was.

    Raises:
        OSError: the platform, the file system or the user's limit of such watches does not allow it.
    """

    def __init__(self, path: Path) -> None:
        library = ctypes.CDLL(None, use_errno=True)
        if not hasattr(library, "inotify_init1"):
            raise OSError("the platform does not tell of written files")
        self.descriptor = int(library.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC))
        if self.descriptor < 0:
            raise OSError(ctypes.get_errno(), "inotify_init1")
        if library.inotify_add_watch(self.descriptor, os.fsencode(path), _ALL) < 0:
            self.close()
            raise OSError(ctypes.get_errno(), "inotify_add_watch")

    def wait(self, seconds: float) -> None:
        """The file was written, or the seconds are over."""
        poll = select.poll()
        poll.register(self.descriptor, select.POLLIN)
        poll.poll(max(0.0, seconds) * 1000)

    def take(self) -> bool:
        """Whether the file was written since this was last called.

        Raises:
            OSError: it was deleted or moved, and nothing more will be told.
        """
        told = b""
        try:
            while part := os.read(self.descriptor, 65536):
                told += part
        except BlockingIOError:
            pass
        position = 0
        while position < len(told):
            _, mask, _, length = _EVENT.unpack_from(told, position)
            if mask & ~(_MODIFIED | _ATTRIBUTES):
                raise OSError("the file was deleted or moved, or too much was told at once")
            position += _EVENT.size + length
        return bool(told)

    def close(self) -> None:
        """Nothing is told any more. Idempotent."""
        if self.descriptor >= 0:
            os.close(self.descriptor)
            self.descriptor = -1

"""What keeps a host's session unharmed by its hook: a log in place of output, and an end to a call that takes long."""

import os
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from telic.integrations.hosts.session_state import private_folder, state_folder
from telic.prompt import visible

_MAX_BYTES: Final = 1024 * 1024
_MAX_LINE_CHARS: Final = 500
_MODE: Final = 0o600


@dataclass(frozen=True, slots=True)
class HookLog:
    """A file that grows to 1 MiB; then it is the former one, and a new one begins."""

    file: Path
    host: str

    def write(self, text: str) -> None:
        """The log ends with this line, unless it cannot be written."""
        with suppress(OSError):
            private_folder(self.file.parent)
            if self.file.exists() and self.file.stat().st_size >= _MAX_BYTES:
                self.file.replace(self.file.with_suffix(".log.1"))
            now = datetime.now(UTC).isoformat(timespec="seconds")
            descriptor = os.open(self.file, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, _MODE)
            os.fchmod(descriptor, _MODE)
            with os.fdopen(descriptor, "a", encoding="utf-8", errors="backslashreplace") as lines:
                lines.write(f"{now} {self.host} {visible(text[:_MAX_LINE_CHARS])}\n")


def log_of(environment: Mapping[str, str], host: str) -> HookLog:
    """The user's log, whose lines name the host."""
    return HookLog(state_folder(environment) / "hooks.log", host)


_ENOUGH: Final = 0


class HookWatchdog:
    """Ends the process, with no answer, when it takes too long: the host then goes on as if there were no hook.

    `before_end` is called then.
    """

    def __init__(self, log: HookLog) -> None:
        self.before_end: Callable[[], None] = _nothing
        self._log = log
        self._timer: threading.Timer | None = None

    def allow(self, seconds: float) -> None:
        """The process may take so long from now on."""
        self.stop()
        self._timer = threading.Timer(seconds, self._end, [seconds])
        self._timer.daemon = True
        self._timer.start()

    def stop(self) -> None:
        """The process is not ended any more."""
        if self._timer is not None:
            self._timer.cancel()

    def _end(self, seconds: float) -> None:
        try:
            self._log.write(f"no answer within {seconds:.1f} seconds")
            self.before_end()
        finally:
            os._exit(_ENOUGH)


def _nothing() -> None:
    pass

"""The log of hooks: the only place where what went wrong is told, since hosts show or obey whatever a hook prints."""

import os
from collections.abc import Mapping
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
class Log:
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


def log_of(environment: Mapping[str, str], host: str) -> Log:
    """The user's log, whose lines name the host."""
    return Log(state_folder(environment) / "hooks.log", host)

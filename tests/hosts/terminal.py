"""A program in a terminal: what it shows, and what is typed."""

import fcntl
import os
import pty
import re
import struct
import subprocess
import termios
import threading
import time
from types import TracebackType

from tests.hosts.world import SECONDS, World

ROWS, COLUMNS = 50, 140
ESCAPE = re.compile(
    r"\x1b\[[0-9;?<>=]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)|\x1b[PX^_].*?\x1b\\|\x1b[ -/]*[0-~]"
)
SPACE = re.compile(r"\s+")
QUESTIONS = {
    b"\x1b[6n": b"\x1b[1;1R",
    b"\x1b[c": b"\x1b[?62c",
    b"\x1b]10;?": b"\x1b]10;rgb:ffff/ffff/ffff\x1b\\",
    b"\x1b]11;?": b"\x1b]11;rgb:0000/0000/0000\x1b\\",
}
"""What programs ask of a terminal, and how this one answers."""


class Terminal:
    def __init__(self, world: World, *command: str) -> None:
        master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
        self._master, self._raw, self._mark = master, b"", 0
        self._process = subprocess.Popen(
            command,
            cwd=world.repository,
            env=world.environment,
            stdin=slave,
            stdout=slave,
            stderr=slave,
            start_new_session=True,
            preexec_fn=_take_terminal,
        )
        os.close(slave)
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        while True:
            try:
                more = os.read(self._master, 65536)
            except OSError:
                return
            self._raw += more
            for question, answer in QUESTIONS.items():
                if question in more:
                    os.write(self._master, answer)

    @property
    def shown(self) -> str:
        """All that was drawn since the mark, without spaces: programs draw those by moving the cursor."""
        return _plain(self._raw[self._mark :])

    def shows(self, text: str) -> bool:
        return SPACE.sub("", text) in self.shown

    def has_shown(self, text: str) -> bool:
        """Whether it was drawn at any time."""
        return SPACE.sub("", text) in _plain(self._raw)

    def wait_for(self, *texts: str) -> str:
        """One of the texts is drawn; return it."""
        deadline = time.monotonic() + SECONDS
        while True:
            found = next((text for text in texts if self.shows(text)), None)
            if found is not None:
                return found
            assert self._process.poll() is None, f"it ended, and never showed {texts}: {self.shown[-6_000:]}"
            assert time.monotonic() < deadline, f"it never showed {texts}: {self.shown[-6_000:]}"
            time.sleep(0.1)

    def mark(self) -> None:
        """From here on, only what is drawn later counts as shown."""
        self._mark = len(self._raw)

    def press(self, keys: str) -> None:
        os.write(self._master, keys.encode())

    def enter(self, line: str) -> None:
        """The line is typed and sent."""
        self.mark()
        self.press(line)
        # A program that takes fast keys for a paste would take a return key at once for a line end within it.
        time.sleep(2)
        self.press("\r")

    def end(self) -> int:
        """Return the program's exit code."""
        return self._process.wait(SECONDS)

    def __enter__(self) -> "Terminal":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process.poll() is None:
            os.killpg(self._process.pid, 9)
            self._process.wait()
        os.close(self._master)


def _plain(raw: bytes) -> str:
    return SPACE.sub("", ESCAPE.sub("", raw.decode(errors="replace")))


def _take_terminal() -> None:
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)

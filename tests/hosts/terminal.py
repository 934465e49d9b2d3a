"""A program in a terminal: what it shows, and what is typed."""

import codecs
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

import pyte

from tests.hosts.world import SECONDS, World

ROWS, COLUMNS = 50, 140
LINES_KEPT = 10_000
UNKNOWN = re.compile(r"\x1b\[[<>=?][0-9;:]*[ -/]*[@-gi-km-~]|\x1b\[[0-9;:]* [@-~]|\x1b[PX^_][^\x1b]*\x1b\\")
"""What a screen does not draw, and `pyte` does not know: private sequences but those that set modes, and strings."""
UNFINISHED = re.compile(r"\x1b(?:|\[[0-9;:<>=? -/]*|[PX^_\]][^\x1b\x07]*\x1b?)\Z")
SPACE = re.compile(r"\s+")
QUESTIONS = {
    b"\x1b[6n": b"\x1b[1;1R",
    b"\x1b[c": b"\x1b[?62c",
    b"\x1b]10;?": b"\x1b]10;rgb:ffff/ffff/ffff\x1b\\",
    b"\x1b]11;?": b"\x1b]11;rgb:0000/0000/0000\x1b\\",
}
"""What programs ask of a terminal, and how this one answers."""


class Screen:
    """What is drawn, with what has left it at its top; programs draw only what differs from what is there already."""

    def __init__(self) -> None:
        self._screen = pyte.HistoryScreen(COLUMNS, ROWS, history=LINES_KEPT)
        self._stream = pyte.Stream(self._screen)
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._held, self._lock = "", threading.Lock()

    def feed(self, more: bytes) -> None:
        with self._lock:
            text = self._held + self._decoder.decode(more)
            unfinished = UNFINISHED.search(text)
            end = len(text) if unfinished is None else unfinished.start()
            self._held = text[end:]
            self._stream.feed(UNKNOWN.sub("", text[:end]))

    def text(self) -> str:
        """Return all of it without spaces, since programs break lines where they like."""
        with self._lock:
            left = ["".join(line[column].data for column in range(COLUMNS)) for line in self._screen.history.top]
            return SPACE.sub("", "".join([*left, *self._screen.display]))


class Terminal:
    def __init__(self, world: World, *command: str) -> None:
        master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
        self._master, self._screen, self._before = master, Screen(), ""
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
            self._screen.feed(more)
            for question, answer in QUESTIONS.items():
                if question in more:
                    os.write(self._master, answer)

    def shows(self, text: str) -> bool:
        """Whether it is on the screen more often than it was when the last line was typed."""
        sought = SPACE.sub("", text)
        return self._screen.text().count(sought) > self._before.count(sought)

    def has_shown(self, text: str) -> bool:
        """Whether it is there, or above."""
        return SPACE.sub("", text) in self._screen.text()

    def wait_for(self, *texts: str) -> str:
        """One of the texts is drawn; return it."""
        deadline = time.monotonic() + SECONDS
        while True:
            found = next((text for text in texts if self.shows(text)), None)
            if found is not None:
                return found
            assert self._process.poll() is None, f"it ended, and never showed {texts}: {self._screen.text()[-6_000:]}"
            assert time.monotonic() < deadline, f"it never showed {texts}: {self._screen.text()[-6_000:]}"
            time.sleep(0.1)

    def press(self, keys: str) -> None:
        os.write(self._master, keys.encode())

    def enter(self, line: str) -> None:
        """The line is typed, shown and sent."""
        self._before = self._screen.text()
        self.press(line)
        self.wait_for(line)
        self._send()

    def choose(self, key: str) -> None:
        """The answer of that key is chosen, whether the key alone chooses it or the return key after it."""
        self.press(key)
        self._send()

    def _send(self) -> None:
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


def _take_terminal() -> None:
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)

"""The installed `telic top` in a real terminal of its own, and where there is none."""

import fcntl
import os
import pty
import select
import signal
import struct
import subprocess
import termios
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

import telic
from tests.interfaces.shell import TELIC, Shell
from tests.prompt.corpus import OTHER_CHANNELS
from tests.support.missing import without_package

POINTER = "\x1b]22;default\x07"
"""Textual's own: the shape of the mouse pointer."""


class Terminal:
    """A pseudo-terminal of 80 by 24 with a command in it."""

    def __init__(self, *arguments: str) -> None:
        self._outer, inner = pty.openpty()
        fcntl.ioctl(inner, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
        self._inner = inner
        self.before = termios.tcgetattr(inner)
        self.output = b""
        environment = os.environ | {"TERM": "xterm-256color", "COLUMNS": "80", "LINES": "24"}
        self.process = subprocess.Popen(
            [TELIC, *arguments], stdin=inner, stdout=inner, stderr=inner, env=environment, start_new_session=True
        )

    @property
    def is_restored(self) -> bool:
        """Whether the terminal is set as it was, on its ordinary screen, with its cursor."""
        shown = self.output.rfind(b"\x1b[?1049l") > self.output.rfind(b"\x1b[?1049h") >= 0
        return shown and b"\x1b[?25h" in self.output and termios.tcgetattr(self._inner) == self.before

    def read_until(self, text: bytes, *, seconds: float = 240.0) -> None:
        """The text was written; of what was read before, none counts."""
        start, deadline = len(self.output), time.monotonic() + seconds
        while text not in self.output[start:]:
            assert time.monotonic() < deadline, self.output[start:]
            self._read(0.1)

    def type(self, keys: bytes) -> None:
        os.write(self._outer, keys)

    def end(self, *, seconds: float = 240.0) -> int:
        """The exit code."""
        deadline = time.monotonic() + seconds
        while self.process.poll() is None:
            assert time.monotonic() < deadline, self.output
            self._read(0.1)
        self._read(0.1)
        return self.process.returncode

    def _read(self, seconds: float) -> None:
        if select.select([self._outer], [], [], seconds)[0]:
            self.output += os.read(self._outer, 65_536)

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        os.close(self._outer)
        os.close(self._inner)


@pytest.fixture
def place(tmp_path: Path) -> str:
    path = str(tmp_path / "goals.db")
    with telic.connect(path) as store:
        store.create("move billing")
    return path


@pytest.fixture
def terminal(place: str) -> Iterator[Terminal]:
    opened = Terminal("top", "--store", place, "--allow-write", "--as", "ada")
    yield opened
    opened.close()


def test_it_starts_shows_and_quits(place: str, terminal: Terminal) -> None:
    """A goal is shown, a change of another process appears, `q` ends it with 0, and the terminal is as before."""
    terminal.read_until(b"move billing")
    with telic.connect(place) as store:
        store.create("water plants", scope="home")
    terminal.read_until(b"water plants")
    terminal.type(b"q")
    assert terminal.end() == 0
    assert terminal.is_restored


def test_ctrl_c_quits(terminal: Terminal) -> None:
    """As everywhere."""
    terminal.read_until(b"move billing")
    terminal.type(b"\x03")
    assert terminal.end() == 0
    assert terminal.is_restored


def test_a_signal_gives_the_terminal_back(terminal: Terminal) -> None:
    """SIGTERM ends it with 143, and not in the middle of its screen."""
    terminal.read_until(b"move billing")
    terminal.process.send_signal(signal.SIGTERM)
    assert terminal.end() == 143
    assert terminal.is_restored


def test_no_word_reaches_the_terminal_as_an_order(place: str) -> None:
    """No title is set, nothing is copied, no link made, no bell rung: of escape sequences only Textual's own come."""
    with telic.connect(place) as store:
        for number, text in enumerate(OTHER_CHANNELS):
            store.create(text, scope=f"{number}{text}"[:200])
    terminal = Terminal("top", "--store", place)
    try:
        terminal.read_until(b"\\x1b]0;title")
        terminal.type(b"q")
        assert terminal.end() == 0
    finally:
        terminal.close()
    written = terminal.output.decode().replace(POINTER, "")
    for order in ("\x1b]0;title", "\x1b]8;;", "\x1b]52", "\x9b", "\x9d", "\x07"):
        assert order not in written


def test_without_a_terminal(place: str) -> None:
    """One line says what to use instead."""
    result = Shell(place)("top", expect=2)
    assert result.stderr.splitlines()[0] == "telic: telic top needs a terminal; telic list and telic show write text"


def test_a_name_without_leave_to_act(place: str) -> None:
    """Nobody is left to believe that they may."""
    assert "--allow-write" in Shell(place)("top", "--as", "ada", expect=2).stderr


def test_without_the_extra(place: str, tmp_path: Path) -> None:
    """One line says what to install."""
    result = Shell(place)("top", expect=2, **without_package("textual", tmp_path))
    assert result.stderr.splitlines()[0] == "telic: telic top needs its extra: pip install 'telic[top]'"


def test_a_store_that_is_not_there(tmp_path: Path) -> None:
    """One line, before the screen is taken."""
    terminal = Terminal("top", "--store", str(tmp_path / "none.db"))
    try:
        assert terminal.end() == 9
    finally:
        terminal.close()
    assert b"\x1b[?1049h" not in terminal.output
    assert terminal.output.startswith(b"telic: ")

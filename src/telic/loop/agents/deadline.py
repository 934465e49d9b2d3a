"""Until when a worker's commands may run, and the watchdog that ends them where the worker itself no longer can.

When a lease ends, another worker may be at work in the same folder. A command whose runner was killed or stands still
would work on beside it. So a tiny process of its own waits for the end of a pipe that only the runner holds open, or
for the moment until which the command may run, which the runner moves on with each renewal of its lease. It needs
nothing else of the runner, which may be stopped (SIGSTOP, a debugger, a swapping machine). That a kernel signals a
child when its parent dies is no remedy: it does so when the thread ends, on one system only, and for the leader alone.
"""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from typing import IO, Final


class Deadline:
    """A moment of the monotonic clock, which all processes of a machine share; each renewal of a lease moves it."""

    def __init__(self, at: float = float("inf")) -> None:
        self.at = at
        self._listeners: set[Callable[[float], None]] = set()

    @property
    def has_passed(self) -> bool:
        """Whether nothing may run any more."""
        return time.monotonic() >= self.at

    def move(self, at: float) -> None:
        """What runs may run until this moment; whoever sees to it was told."""
        self.at = at
        for tell in list(self._listeners):
            tell(at)

    @contextmanager
    def told_to(self, tell: Callable[[float], None]) -> Generator[None]:
        """Inside, each move is told."""
        self._listeners.add(tell)
        try:
            yield
        finally:
            self._listeners.discard(tell)

    def apply(self) -> None:
        """It holds for every command that the present context starts from now on."""
        _PRESENT.set(self)


_PRESENT: Final[ContextVar[Deadline | None]] = ContextVar("telic_deadline", default=None)


def present_deadline() -> Deadline:
    """The one that was applied in this context; one that never passes where none was."""
    return _PRESENT.get() or Deadline()


_SCRIPT: Final = """\
import os, select, signal, sys, time
group, grace, rest = int(sys.argv[1]), float(sys.argv[2]), b""
deadline = float(sys.argv[3])
try:
    while (left := deadline - time.monotonic()) > 0:
        if not select.select([0], [], [], min(left, 3600))[0]:
            continue
        told = os.read(0, 4096)
        if not told:
            os.killpg(group, signal.SIGTERM)
            time.sleep(max(0, min(grace, deadline - time.monotonic())))
            break
        *moments, rest = (rest + told).split(b"\\n")
        deadline = float(moments[-1]) if moments else deadline
    os.killpg(group, signal.SIGKILL)
except (ProcessLookupError, PermissionError):
    pass
"""


@contextmanager
def kept(group: int, grace_seconds: float, deadline: Deadline) -> Generator[None]:
    """Inside, the process group does not outlive the deadline, nor this process by more than `grace_seconds`.

    Raises:
        OSError: no process could be started to see to it.
    """
    keeper = subprocess.Popen(
        [sys.executable, "-I", "-S", "-c", _SCRIPT, str(group), str(grace_seconds), repr(deadline.at)],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        bufsize=0,
    )
    assert keeper.stdin is not None
    os.set_blocking(keeper.stdin.fileno(), False)
    pipe = keeper.stdin
    try:
        with deadline.told_to(lambda at: _tell(pipe, at)):
            yield
    finally:
        # Before its pipe is closed, which would tell it that this process is dead.
        keeper.kill()
        keeper.wait()
        pipe.close()


def _tell(pipe: IO[bytes], at: float) -> None:
    # One that does not listen is as good as one that was told: it ends the command at the moment it knows.
    with suppress(OSError):
        pipe.write(f"{at!r}\n".encode())

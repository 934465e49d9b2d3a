"""Ends a command whose runner was killed or stands still: nobody else would, and it would work on beside the one who
takes over.

A tiny process of its own waits for the end of a pipe that only the runner holds open, or for the moment until which
the command may run, which the runner moves on with each renewal of its lease. It needs nothing else of the runner,
which may be stopped (SIGSTOP, a debugger, a swapping machine). That a kernel signals a child when its parent dies is
no remedy: it does so when the thread ends, on one system only, and for the leader alone.
"""

import os
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager, suppress
from typing import IO, Final

from telic.loop.agents.deadline import Deadline

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

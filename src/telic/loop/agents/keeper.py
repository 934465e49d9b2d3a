"""Ends a command whose runner was killed: nobody else would, and it would work on beside the one who takes over.

A tiny process of its own waits for the end of a pipe that only the runner holds open. That a kernel signals a child
when its parent dies is no remedy: it does so when the thread ends, on one system only, and for the leader alone.
"""

import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from typing import Final

_SCRIPT: Final = """\
import os, signal, sys, time
os.read(0, 1)
try:
    os.killpg(int(sys.argv[1]), signal.SIGTERM)
    time.sleep(float(sys.argv[2]))
    os.killpg(int(sys.argv[1]), signal.SIGKILL)
except (ProcessLookupError, PermissionError):
    pass
"""


@contextmanager
def kept(group: int, grace_seconds: float) -> Generator[None]:
    """Inside, the process group does not outlive this process by more than `grace_seconds`, however that ends.

    Raises:
        OSError: no process could be started to see to it.
    """
    keeper = subprocess.Popen(
        [sys.executable, "-I", "-S", "-c", _SCRIPT, str(group), str(grace_seconds)],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        yield
    finally:
        # Before its pipe is closed, which would tell it that this process is dead.
        keeper.kill()
        keeper.wait()
        if keeper.stdin is not None:
            keeper.stdin.close()

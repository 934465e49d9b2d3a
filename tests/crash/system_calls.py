"""Faults in a running process's system calls, injected by strace, which attaches to it within milliseconds."""

import os
import re
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from tests.crash.support import Crew, StartingLine, Worker
from tests.left_out import require
from tests.support.needs import program

MEMORY_AND_WAITING: Final = frozenset({"brk", "futex", "getpid", "kill", "madvise", "mmap", "mremap", "munmap", "read"})
"""System calls that touch no file, or that happen now and then only."""


def require_strace() -> str:
    """Return the path of a strace that may trace; leave the test out where there is none."""
    require("strace")
    return program("strace") or ""


def _is_traced(pid: int) -> bool:
    threads = list(Path(f"/proc/{pid}/task").iterdir())
    return all("TracerPid:\t0\n" not in (thread / "status").read_text() for thread in threads)


@contextmanager
def traced(worker: Worker, *arguments: str) -> Iterator[None]:
    """Inside, strace with these arguments watches the worker; it must end before the block does."""
    command = [require_strace(), "-f", "-q", *arguments, "-p", str(worker.pid)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        deadline = time.monotonic() + 240
        while not _is_traced(worker.pid):
            assert time.monotonic() < deadline, "strace did not attach"
            time.sleep(0.001)
        yield
        process.wait(240)


def marked(line: StartingLine, body: Callable[..., Any], *arguments: Any) -> Any:
    """In a child: `body`, between two harmless system calls that stand out in a trace."""
    line.wait()
    os.kill(os.getpid(), 0)
    result = body(*arguments)
    os.kill(os.getpid(), 0)
    return result


Point = tuple[str, int]
"""The name of a system call, and its how many-th occurrence since strace attached."""


def points_between_marks(log: Path) -> list[Point]:
    """Every system call that touched a file between the two marks of `marked`, in order."""
    names = re.findall(r"^\d+ +(\w+)\(", log.read_text(errors="replace"), re.MULTILINE)
    first, last = (position for position, name in enumerate(names) if name == "kill")
    points = [(name, names[: position + 1].count(name)) for position, name in enumerate(names)]
    return [point for point in points[first:last] if point[0] not in MEMORY_AND_WAITING]


def run_killed_at(crew: Crew, point: Point, body: Callable[[StartingLine], Any]) -> bool:
    """Whether the process that ran the body was killed as it entered the system call."""
    line = StartingLine()
    worker = crew.start(body, line)
    line.wait_until_ready(1)
    name, occurrence = point
    with traced(
        worker, "-o", os.devnull, "-e", f"trace={name}", "-e", f"inject={name}:signal=SIGKILL:when={occurrence}"
    ):
        line.start()
        was_killed = worker.wait()
    worker.close()
    return was_killed


def run_logged(crew: Crew, log: Path, body: Callable[[StartingLine], Any]) -> list[Point]:
    """The system calls of the body, which `marked` its beginning and end."""
    line = StartingLine()
    worker = crew.start(body, line)
    line.wait_until_ready(1)
    with traced(worker, "-o", str(log)):
        line.start()
        worker.wait()
    worker.close()
    return points_between_marks(log)

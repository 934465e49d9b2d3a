"""Processes and their groups: which live, who started them, and how a group is ended, by its deadline at the latest."""

import contextlib
import os
import signal
import sys
import time
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import IO, Final

TURN_VARIABLE: Final = "TELIC_TURN_KEY"
GOAL_VARIABLE: Final = "TELIC_GOAL_ID"

_PROCESSES: Final = Path("/proc")
_LIST_PROCESSES: Final = ("/bin/ps", "-A", "-o", "pid=,ppid=")
_DEAD: Final = (b"Z", b"X")
_MOST_ANCESTORS: Final = 64


def signal_group(group: int, number: int) -> bool:
    """Return whether a process was there to take the signal."""
    try:
        os.killpg(group, number)
    # macOS forbids to signal a group in which only zombies are left.
    except (ProcessLookupError, PermissionError):
        return False
    return True


def group_lives(group: int) -> bool:
    """Return whether the group has a member that is more than a zombie."""
    # In a container whose first process adopts orphans and never reaps them, zombies stay for ever.
    if not signal_group(group, 0):
        return False
    states = [state for state, _, member_of in _all_states() if int(member_of) == group]
    return not states or any(state not in _DEAD for state in states)


def _all_states() -> Iterator[list[bytes]]:
    """Give the state, parent and group of every process; of none where the system has no files for them."""
    for folder in _PROCESSES.glob("[0-9]*"):
        with contextlib.suppress(OSError):
            yield _state(folder)


def _state(folder: Path) -> list[bytes]:
    # The name in parentheses may itself hold parentheses and spaces.
    return (folder / "stat").read_bytes().rpartition(b") ")[2].split(maxsplit=3)[:3]


def process_lives(process_id: int) -> bool:
    """Return whether there is such a process that is more than a zombie, of whatever user."""
    try:
        os.kill(process_id, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    try:
        return _state(_PROCESSES / str(process_id))[0] not in _DEAD
    except OSError:
        return not _PROCESSES.joinpath("self").exists()


def kill_children() -> None:
    """Every process that this one has started is killed, with the group that it leads. It is not waited for."""
    for child in _children():
        if not signal_group(child, signal.SIGKILL):
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(child, signal.SIGKILL)


def _children() -> list[int]:
    if not _PROCESSES.joinpath("self").exists():
        # Only here: the hooks of coding hosts load this module, and should load little.
        import subprocess

        listed = subprocess.run(_LIST_PROCESSES, capture_output=True, text=True, check=False).stdout.split()
        pairs = zip(map(int, listed[::2]), map(int, listed[1::2]), strict=False)
        return [child for child, parent in pairs if parent == os.getpid()]
    found: list[int] = []
    for folder in _PROCESSES.glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if int(_state(folder)[1]) == os.getpid():
                found.append(int(folder.name))
    return found


def groups_started_with(variables: Mapping[str, str]) -> list[int]:
    """Return the groups whose leaders were started with all of these environment variables, without this one's.

    Only Linux shows the variables, and only of processes of this user: elsewhere the list is empty.
    """
    wanted = variables.items()
    found: list[int] = []
    for folder in _PROCESSES.glob("[0-9]*"):
        leader = int(folder.name)
        with contextlib.suppress(OSError):
            if wanted <= _environment(folder).items() and os.getpgid(leader) == leader != os.getpgrp():
                found.append(leader)
    return found


def is_inside_turn(environment: Mapping[str, str], *, processes: Path = _PROCESSES, process: int | None = None) -> bool:
    """Return whether a loop's turn has started the process, itself or an ancestor of it.

    The loop then counts what the process uses, and decides how the goal goes on.
    """
    # Agents can drop variables for what they start, but not their own: the nearest process that has them decides.
    for variables in (environment, *_ancestors(processes, os.getppid() if process is None else process)):
        if TURN_VARIABLE in variables:
            return bool(variables[TURN_VARIABLE] and variables.get(GOAL_VARIABLE))
    return False


def _ancestors(processes: Path, process: int) -> Iterator[Mapping[str, str]]:
    """Give the environments with which the process and those above it were started, as far as they may be read."""
    for _ in range(_MOST_ANCESTORS):
        if process <= 1:
            return
        folder = processes / str(process)
        yield _environment(folder)
        try:
            process = int(_state(folder)[1])
        except (OSError, ValueError, IndexError):
            return


def _environment(folder: Path) -> Mapping[str, str]:
    try:
        lines = (folder / "environ").read_bytes().split(b"\0")
    except OSError:
        return {}
    variables = (os.fsdecode(line).partition("=") for line in lines)
    return {name: value for name, _, value in variables}


class Deadline:
    """A moment of the monotonic clock, which all processes of a machine share; each renewal of a lease moves it."""

    def __init__(self, at: float = float("inf")) -> None:
        self.at = at
        self._listeners: set[Callable[[float], None]] = set()

    @property
    def has_passed(self) -> bool:
        """Return whether the moment has passed, so that nothing may run any more."""
        return time.monotonic() >= self.at

    def move(self, at: float) -> None:
        """Commands may run until this moment, and every listener was called with it."""
        self.at = at
        for listener in list(self._listeners):
            listener(at)

    @contextmanager
    def calling(self, listener: Callable[[float], None]) -> Generator[None]:
        """Inside the context, the listener is called with each new deadline."""
        self._listeners.add(listener)
        try:
            yield
        finally:
            self._listeners.discard(listener)

    def apply(self) -> None:
        """The deadline holds for every command that the present context starts from now on."""
        _PRESENT.set(self)


_PRESENT: Final[ContextVar[Deadline | None]] = ContextVar("telic_deadline", default=None)


def present_deadline() -> Deadline:
    """Return the deadline that was applied in this context; one that never passes where none was."""
    return _PRESENT.get() or Deadline()


_SCRIPT: Final = """\
import os, select, signal, sys, time
group, grace, rest = int(sys.argv[1]), float(sys.argv[2]), b""
deadline = float(sys.argv[3])
try:
    while (left := deadline - time.monotonic()) > 0:
        if not select.select([0], [], [], min(left, 3600))[0]:
            continue
        moments = os.read(0, 4096)
        if not moments:
            os.killpg(group, signal.SIGTERM)
            time.sleep(max(0, min(grace, deadline - time.monotonic())))
            break
        *moments, rest = (rest + moments).split(b"\\n")
        deadline = float(moments[-1]) if moments else deadline
    os.killpg(group, signal.SIGKILL)
except (ProcessLookupError, PermissionError):
    pass
"""


@contextmanager
def watchdog(group: int, grace_seconds: float, deadline: Deadline) -> Generator[None]:
    """Inside, the process group does not outlive the deadline, nor this process by more than `grace_seconds`.

    When a lease ends, another worker may be at work in the same folder, beside a command whose runner was killed or
    stands still. So a tiny process waits for the end of a pipe that only the runner holds open, or for the deadline,
    which the runner moves with each renewal of its lease. It needs nothing else of the runner, which may be stopped
    (SIGSTOP, a debugger, a swapping machine).

    Raises:
        OSError: the watchdog could not be started.
    """
    # That a kernel signals a child when its parent dies (Linux alone) is no remedy: it does so when the thread ends,
    # and for the leader of the group alone.
    import subprocess

    dog = subprocess.Popen(
        [sys.executable, "-I", "-S", "-c", _SCRIPT, str(group), str(grace_seconds), repr(deadline.at)],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        bufsize=0,
    )
    assert dog.stdin is not None
    os.set_blocking(dog.stdin.fileno(), False)
    pipe = dog.stdin
    try:
        with deadline.calling(lambda at: _move(pipe, at)):
            yield
    finally:
        # Before its pipe is closed, which would mean that this process is dead.
        dog.kill()
        dog.wait()
        pipe.close()


def _move(pipe: IO[bytes], at: float) -> None:
    # A watchdog that does not read ends the command at the moment it knows, which is early enough.
    with contextlib.suppress(OSError):
        pipe.write(f"{at!r}\n".encode())

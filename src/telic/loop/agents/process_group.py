"""Processes and their groups: which live, who started them, and signals to all of them."""

import contextlib
import os
import signal
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

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

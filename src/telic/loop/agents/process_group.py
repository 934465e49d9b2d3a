"""Processes and their groups: which live, which were started by whom, and signals to all of them."""

import contextlib
import os
import signal
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

_PROCESSES: Final = Path("/proc")
_LIST_PROCESSES: Final = ("/bin/ps", "-A", "-o", "pid=,ppid=")
_DEAD: Final = (b"Z", b"X")


def signal_group(group: int, number: int) -> bool:
    """Whether somebody was there to be signalled; macOS forbids it where only zombies are left."""
    try:
        os.killpg(group, number)
    except (ProcessLookupError, PermissionError):
        return False
    return True


def group_lives(group: int) -> bool:
    """Whether the group has a member that is more than a zombie.

    In a container whose first process adopts orphans and never reaps them, zombies stay for ever.
    """
    if not signal_group(group, 0):
        return False
    states = list(_states(group))
    return not states or any(state not in _DEAD for state in states)


def _states(group: int) -> Iterator[bytes]:
    """The states of the group's members, on systems that tell them in files."""
    for path in _PROCESSES.glob("[0-9]*/stat"):
        try:
            text = path.read_bytes()
        except OSError:
            continue
        state, _, member_of = _fields(text)
        if int(member_of) == group:
            yield state


def _fields(text: bytes) -> list[bytes]:
    """A process's state, parent and group."""
    # The name in parentheses may itself hold parentheses and spaces.
    return text.rpartition(b") ")[2].split(maxsplit=3)[:3]


def process_lives(process_id: int) -> bool:
    """Whether there is such a process that is more than a zombie, whoever owns it."""
    try:
        os.kill(process_id, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    try:
        return _fields((_PROCESSES / str(process_id) / "stat").read_bytes())[0] not in _DEAD
    except OSError:
        return not _PROCESSES.joinpath("self").exists()


def kill_children() -> None:
    """Whatever this process has started is killed, with the groups that its children lead. Nobody waits for them."""
    for child in _children():
        if not signal_group(child, signal.SIGKILL):
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(child, signal.SIGKILL)


def _children() -> list[int]:
    if not _PROCESSES.joinpath("self").exists():
        listed = subprocess.run(_LIST_PROCESSES, capture_output=True, text=True, check=False).stdout.split()
        return [
            int(child) for child, parent in zip(listed[::2], listed[1::2], strict=False) if int(parent) == os.getpid()
        ]
    found: list[int] = []
    for path in _PROCESSES.glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            if int(_fields(path.read_bytes())[1]) == os.getpid():
                found.append(int(path.parent.name))
    return found


def groups_started_with(variables: Mapping[str, str]) -> list[int]:
    """The groups, other than this process's own, whose leaders were started with all of these environment variables.

    Only systems that tell it in files tell it, of processes of this user: elsewhere there are none.
    """
    wanted = {os.fsencode(f"{name}={value}") for name, value in variables.items()}
    found: list[int] = []
    for path in _PROCESSES.glob("[0-9]*/environ"):
        with contextlib.suppress(OSError):
            leader = int(path.parent.name)
            if wanted <= set(path.read_bytes().split(b"\0")) and os.getpgid(leader) == leader != os.getpgrp():
                found.append(leader)
    return found

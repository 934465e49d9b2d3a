"""Whether anyone of a process group lives, and signals to all of it."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

_PROCESSES: Final = Path("/proc")
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
        # The name in parentheses may itself hold parentheses and spaces.
        state, _, member_of = text.rpartition(b") ")[2].split(maxsplit=3)[:3]
        if int(member_of) == group:
            yield state

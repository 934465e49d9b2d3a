"""Whether this process works inside a turn of a loop, which then counts what it uses and decides how it goes on."""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

TURN_VARIABLE: Final = "TELIC_TURN_KEY"
GOAL_VARIABLE: Final = "TELIC_GOAL_ID"

_PROCESSES: Final = Path("/proc")
_MOST_ANCESTORS: Final = 64


def is_inside_turn(environment: Mapping[str, str], *, processes: Path = _PROCESSES, process: int | None = None) -> bool:
    """Return whether a loop's turn has started the process, itself or an ancestor of it.

    Agents can drop variables for what they start, but not their own: the nearest process that has the turn's says.
    Ancestors are known on systems that tell of processes in files.
    """
    for variables in (environment, *_ancestors(processes, os.getppid() if process is None else process)):
        if TURN_VARIABLE in variables:
            return bool(variables[TURN_VARIABLE] and variables.get(GOAL_VARIABLE))
    return False


def _ancestors(processes: Path, process: int) -> Iterator[Mapping[str, str]]:
    """The environments with which the process and those above it were started, as far as they may be read."""
    for _ in range(_MOST_ANCESTORS):
        if process <= 1:
            return
        yield _environment(processes / str(process))
        try:
            # The name in parentheses may itself hold parentheses and spaces.
            process = int((processes / str(process) / "stat").read_bytes().rpartition(b") ")[2].split()[1])
        except (OSError, ValueError, IndexError):
            return


def _environment(folder: Path) -> Mapping[str, str]:
    try:
        lines = (folder / "environ").read_bytes().split(b"\0")
    except OSError:
        return {}
    variables = (os.fsdecode(line).partition("=") for line in lines)
    return {name: value for name, _, value in variables}

"""Programs and rights of the machine that some tests need and pip cannot install: how to tell, and how to get them.

Run as a program, it installs what a package manager of this machine has: `make system-packages`.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

_MORE_FOLDERS: Final = "/usr/sbin:/usr/local/sbin:/opt/homebrew/bin"
"""Where servers are installed that are on nobody's PATH."""


@dataclass(frozen=True)
class Need:
    """Something of the machine; `package` is its name for package managers, where they have it."""

    name: str
    advice: str
    is_met: Callable[[], bool]
    package: str | None = None


def program(name: str) -> str | None:
    """Return the program's path, or None where it is not installed."""
    return shutil.which(name) or shutil.which(name, path=_MORE_FOLDERS)


@cache
def can_trace() -> bool:
    """Return whether strace is installed and may trace processes here."""
    path = program("strace")
    return path is not None and subprocess.run([path, "-o", os.devnull, "true"], capture_output=True).returncode == 0


@cache
def can_mount() -> bool:
    """Return whether a small file system can be mounted here."""
    with tempfile.TemporaryDirectory() as folder, mounted(Path(folder), "size=64k") as is_mounted:
        return is_mounted


@contextmanager
def mounted(folder: Path, options: str) -> Iterator[bool]:
    """Inside, a file system in memory is mounted at the folder; False where that was not possible."""
    mount = program("mount")
    command = [mount or "mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)]
    is_mounted = mount is not None and subprocess.run(command, capture_output=True).returncode == 0
    try:
        yield is_mounted
    finally:
        if is_mounted:
            subprocess.run(["umount", "-l", str(folder)], check=True)


NEEDS: Final = {
    need.name: need
    for need in (
        Need("pgbouncer", "make system-packages", lambda: bool(program("pgbouncer")), "pgbouncer"),
        Need("strace", "make system-packages, and the right to trace processes (Linux)", can_trace, "strace"),
        Need("a small disk", "run as root, with the right to mount", can_mount, "mount"),
    )
}


def _installer() -> list[str] | None:
    """Return the command that installs packages here without asking; None where there is none."""
    if program("brew"):
        return ["brew", "install"]
    if not program("apt-get"):
        return None
    if os.getuid() == 0:
        return ["apt-get", "install", "--yes"]
    return ["sudo", "-n", "apt-get", "install", "--yes"] if program("sudo") else None


def _install(packages: list[str], command: list[str]) -> None:
    if "apt-get" in command:
        subprocess.run([*command[: command.index("apt-get") + 1], "update"])
    # One by one: on a machine whose package manager lacks one of them, the others are still installed.
    for package in packages:
        subprocess.run([*command, package])


def main() -> int:
    """Install what is missing, say what is missing still, and return 1 if anything is."""
    packages = [need.package for need in NEEDS.values() if need.package and not need.is_met()]
    command = _installer()
    if packages and command is not None:
        _install(packages, command)
    can_trace.cache_clear()
    can_mount.cache_clear()
    missing = [need for need in NEEDS.values() if not need.is_met()]
    for need in missing:
        print(f"still missing: {need.name}: {need.advice}")
    if not missing:
        print("every test of `make check` can run here")
    return 1 if missing else 0


if __name__ == "__main__":
    sys.exit(main())

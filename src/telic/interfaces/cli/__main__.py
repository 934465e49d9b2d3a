"""The entry point, which works, and says what is missing, without the `cli` extra."""

import os
import sys
from typing import TextIO, cast

_EXTRA = "cli"
_LIBRARIES = ("click", "rich", "platformdirs")


def main() -> None:
    """The command has run, and the process ends with its exit code."""
    is_hook = sys.argv[1:2] == ["hook"]
    _open_standard_streams()
    try:
        # A hook delays somebody's session: it loads nothing but itself.
        if is_hook:
            from telic.interfaces.cli.hook import main as run
        else:
            from telic.interfaces.cli.app import run
    except ModuleNotFoundError as error:
        if error.name not in _LIBRARIES:
            raise
        if is_hook:
            # A host shows what a hook prints, and counts its exit code.
            from telic.integrations.hosts.session_state import log_of

            log_of(os.environ, "hook").write(f"{error}: pip install 'telic[cli]'")
            sys.exit(0)
        sys.exit(_say_what_is_missing())
    sys.exit(run(sys.argv[2:] if is_hook else sys.argv[1:]))


def _open_standard_streams() -> None:
    # A file that is opened later must not take the number of a closed stream: it would be written into.
    closed = [number for number in range(3) if not _is_open(number)]
    for _ in closed:
        # The lowest number that is free is taken.
        os.open(os.devnull, os.O_RDWR)
    if 0 in closed:
        sys.stdin = os.fdopen(0, closefd=False)
    if 1 in closed:
        sys.stdout = os.fdopen(1, "w", closefd=False)
    if 2 in closed:
        sys.stderr = os.fdopen(2, "w", closefd=False)
    # A terminal whose encoding lacks a character shows its number instead.
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(cast("TextIO", stream), "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="backslashreplace")


def _is_open(number: int) -> bool:
    try:
        os.fstat(number)
    except OSError:
        return False
    return True


def _say_what_is_missing() -> int:
    # In the form of every other error, so that a program that reads JSON gets JSON here too.
    from telic.domain.errors import MissingExtra
    from telic.interfaces.cli.terminal import Terminal

    error = MissingExtra("the telic command", _EXTRA)
    Terminal(as_json="--json" in sys.argv).error(error.code, str(error), retryable=False, hint=None)
    return 2


if __name__ == "__main__":
    main()

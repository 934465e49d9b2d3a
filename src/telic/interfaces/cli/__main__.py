"""The entry point, which works, and says what is missing, without the `cli` extra."""

import os
import sys

from telic.interfaces.cli.terminal import open_standard_streams

_EXTRA = "cli"
_LIBRARIES = ("click", "rich", "platformdirs")


def main() -> None:
    """The command has run, and the process ends with its exit code."""
    is_hook = sys.argv[1:2] == ["hook"]
    open_standard_streams()
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


def _say_what_is_missing() -> int:
    # In the form of every other error, so that a program that reads JSON gets JSON here too.
    from telic.domain.errors import MissingExtra
    from telic.interfaces.cli.terminal import Terminal

    error = MissingExtra("the telic command", _EXTRA)
    Terminal(as_json="--json" in sys.argv).error(error.code, str(error), retryable=False, hint=None)
    return 2


if __name__ == "__main__":
    main()

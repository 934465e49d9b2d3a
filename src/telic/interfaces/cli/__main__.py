"""The entry point, which works, and says what is missing, without the `cli` extra."""

import os
import sys


def main() -> None:
    """The command has run, and the process ends with its exit code."""
    is_hook = sys.argv[1:2] == ["hook"]
    try:
        # A hook delays somebody's session: it loads nothing but itself.
        if is_hook:
            from telic.interfaces.cli.hook import main as run
        else:
            from telic.interfaces.cli.app import run
    except ModuleNotFoundError as error:
        if is_hook:
            # A host shows what a hook prints, and counts its exit code.
            from telic.integrations.hooks.log import log_of

            log_of(os.environ, "hook").write(f"{error}: pip install 'telic[cli]'")
            sys.exit(0)
        if error.name not in ("click", "rich", "platformdirs"):
            raise
        sys.exit("the telic command needs its extra: pip install 'telic[cli]'")
    sys.exit(run(sys.argv[2:] if is_hook else sys.argv[1:]))


if __name__ == "__main__":
    main()

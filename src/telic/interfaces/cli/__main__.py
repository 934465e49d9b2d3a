"""The entry point, which works, and says what is missing, without the `cli` extra."""

import sys


def main() -> None:
    """The command has run, and the process ends with its exit code."""
    try:
        from telic.interfaces.cli.app import run
    except ModuleNotFoundError as error:
        if error.name not in ("click", "rich", "platformdirs"):
            raise
        sys.exit("the telic command needs its extra: pip install 'telic[cli]'")
    sys.exit(run(sys.argv[1:]))


if __name__ == "__main__":
    main()

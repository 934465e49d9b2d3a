"""The installed `telic` command, run as a script runs it."""

import json
import os
import subprocess
import sysconfig
from pathlib import Path
from typing import Any

from tests.support.warm_command import run_telic

TELIC = Path(sysconfig.get_path("scripts")) / "telic"


class Shell:
    """Runs the installed command on a store of its own."""

    def __init__(self, store: str) -> None:
        self.store = store

    def __call__(self, *arguments: str, expect: int = 0, **variables: str) -> subprocess.CompletedProcess[str]:
        result = self.run(*arguments, **variables)
        assert result.returncode == expect, result.stdout + result.stderr
        return result

    def run(self, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
        """The command's end, whatever it is; a traceback it never is."""
        environment = os.environ | {"TELIC_STORE": self.store, "NO_COLOR": "1"} | variables
        if any(name.startswith(("PYTHON", "OTEL")) for name in variables):
            # They change how Python itself starts, or ends.
            result = subprocess.run([TELIC, *arguments], capture_output=True, env=environment, timeout=240)
        else:
            result = run_telic(arguments, environment=environment)
        shown = subprocess.CompletedProcess(
            result.args, result.returncode, result.stdout.decode(), result.stderr.decode()
        )
        assert "Traceback" not in shown.stderr
        return shown

    def json(self, *arguments: str, expect: int = 0) -> Any:
        return json.loads(self(*arguments, "--json", expect=expect).stdout)

    def error(self, *arguments: str, expect: int) -> dict[str, Any]:
        return json.loads(self(*arguments, "--json", expect=expect).stderr)["error"]

"""Agents that are real programs, and `telic run` and `telic worker` as processes of their own."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.interfaces.shell import TELIC

AGENT = """
import json, os, sys, time
from pathlib import Path

def tell(type, **fields):
    print(json.dumps({"type": type, **fields}), flush=True)

sys.stdin.read()
number = int(os.environ["TELIC_TURN_NUMBER"])
with open("started", "a") as log:
    log.write(f"{number} {os.getpid()}\\n")
time.sleep(float(os.environ.get(f"AGENT_SECONDS_{number}") or os.environ.get("AGENT_SECONDS", "0")))
while "AGENT_UNTIL" in os.environ and not Path(os.environ["AGENT_UNTIL"]).exists():
    time.sleep(0.05)
Path(f"step-{number}").write_text("done")
tell("tool", name="write_file", changed=True, output=f"wrote step-{number}")
tell("usage", input_tokens=900, output_tokens=100, model="scripted")
last = int(os.environ.get("AGENT_TURNS", "2"))
tell("claim", **json.loads(os.environ.get("AGENT_CLAIM", '{"claim": "complete"}'))) if number >= last else None
"""


class Runs:
    """Runs `telic` in a workspace, on a store, with the agent above."""

    def __init__(self, store: str, workspace: Path) -> None:
        self.store = store
        self.workspace = workspace
        (workspace / "agent.py").write_text(AGENT)
        self.agent = ["--agent", f"{sys.executable} {workspace / 'agent.py'}", "--format", "json-lines"]

    def environment(self, **variables: str) -> dict[str, str]:
        return os.environ | {"TELIC_STORE": self.store, "NO_COLOR": "1"} | variables

    def start(self, *arguments: str, **variables: str) -> "subprocess.Popen[str]":
        """A `telic` command at work."""
        return subprocess.Popen(
            [TELIC, *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=self.workspace,
            env=self.environment(**variables),
        )

    def run(self, *arguments: str, expect: int = 0, **variables: str) -> list[dict[str, Any]]:
        """What `telic run … --json` told, line by line."""
        return self.end(self.start("run", *arguments, *self.agent, "--json", **variables), expect=expect)

    def end(self, process: "subprocess.Popen[str]", *, expect: int) -> list[dict[str, Any]]:
        output, errors = process.communicate(timeout=240)
        assert process.returncode == expect, output + errors
        assert "Traceback" not in errors
        return [json.loads(line) for line in output.splitlines()]

    def json(self, *arguments: str) -> Any:
        result = subprocess.run(
            [TELIC, *arguments, "--json"], capture_output=True, text=True, env=self.environment(), timeout=60
        )
        assert result.returncode == 0, result.stderr
        return json.loads(result.stdout)

    def newest(self) -> dict[str, Any]:
        return self.json("list", "--all-scopes")["goals"][0]

    def reason(self) -> str | None:
        """Why the newest goal rests, if there is one and it does."""
        return self.newest()["reason"] if Path(self.store).exists() and self.json("list")["goals"] else None

    def started(self) -> list[tuple[int, int]]:
        """The number and process of each turn that has begun."""
        log = self.workspace / "started"
        lines = log.read_text().splitlines() if log.exists() else []
        return [(int(number), int(process)) for number, process in (line.split() for line in lines)]

    def until_started(self, count: int = 1) -> int:
        """The process of the turn that began then."""
        until(lambda: len(self.started()) >= count)
        return self.started()[count - 1][1]


def until(holds: Callable[[], bool], *, seconds: float = 240.0) -> None:
    """It holds before the seconds have passed."""
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, "it did not come true in time"
        time.sleep(0.02)


def lives(process_id: int) -> bool:
    """Whether there is such a process that is more than a zombie."""
    try:
        os.kill(process_id, 0)
        return Path(f"/proc/{process_id}/stat").read_text().rpartition(") ")[2][0] not in "ZX"
    except (ProcessLookupError, FileNotFoundError):
        return False


def interrupt(process: "subprocess.Popen[str]") -> None:
    process.send_signal(signal.SIGINT)

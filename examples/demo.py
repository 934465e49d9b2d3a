"""An agent works on a goal until its tests pass; killed with SIGKILL in the middle, the same command goes on.

Everything is real but the model: a scripted agent stands in for one, so that this runs offline. Put `claude` or
`codex` in its place, and the same commands drive those.
"""

import os
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).parent / "demo"
PYTHON = sys.executable
RUN = [
    "run",
    "Make all tests pass",
    *("--agent", shlex.join([PYTHON, str(HERE / "scripted_agent.py")])),
    *("--format", "json-lines"),
    *("--check", shlex.join([PYTHON, "-m", "unittest"])),
    *("--budget", "50k"),
    *("--turns", "10"),
]


def start(workspace: Path, *arguments: str) -> "subprocess.Popen[str]":
    shown = shlex.join(["telic", *arguments]).replace(PYTHON, "python3").replace(str(HERE) + "/", "")
    print(f"\n$ {shown}", flush=True)
    environment = os.environ | {"TELIC_STORE": str(workspace.parent / "goals.db"), "PYTHONDONTWRITEBYTECODE": "1"}
    command = [PYTHON, "-m", "telic.interfaces.cli", *arguments]
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=workspace, env=environment
    )


def show(workspace: Path, *arguments: str, kill_at: str | None = None) -> int:
    """The command's exit code, its output shown as it comes; with `kill_at`, it is killed after that line."""
    process = start(workspace, *arguments)
    assert process.stdout is not None
    for line in process.stdout:
        print("  " + line.replace(PYTHON, "python3").replace(str(workspace.parent), "…"), end="", flush=True)
        if kill_at is not None and kill_at in line:
            time.sleep(0.3)
            process.kill()
            print("  *** kill -9 ***", flush=True)
    code = process.wait()
    process.stdout.close()
    return code


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        workspace = Path(folder) / "shop"
        shutil.copytree(HERE / "shop", workspace)
        print("1. A repository with failing tests, and a goal. The runner is killed in the second turn:")
        assert show(workspace, *RUN, kill_at="turn 2 begins") == -9
        print("\n2. The same command goes on where it was left; no turn is counted twice:")
        assert show(workspace, *RUN) == 0
        goal_id = newest(workspace)
        print("\n3. The goal is verified: its tests ran, and passed, at this revision:")
        assert show(workspace, "show", goal_id) == 0
        assert show(workspace, "turns", goal_id) == 0
        assert show(workspace, "events", goal_id) == 0
        print("\n4. The whole database is checked:")
        assert show(workspace, "doctor") == 0


def newest(workspace: Path) -> str:
    process = start(workspace, "list")
    output, _ = process.communicate()
    print("".join(f"  {line}\n" for line in output.splitlines()), end="")
    return output.splitlines()[1].split("\t")[0]


if __name__ == "__main__":
    main()

"""`telic backup`, and the commands of the page about backups."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import telic

PAGE = Path(__file__).parents[2] / "docs" / "howto" / "backup.md"


@pytest.fixture
def shell(tmp_path: Path) -> dict[str, str]:
    """An environment in which `telic` is this one, and the store has a goal."""
    commands = tmp_path / "bin"
    commands.mkdir()
    script = commands / "telic"
    script.write_text(f'#!/bin/sh\nexec {sys.executable} -m telic.interfaces.cli "$@"\n')
    script.chmod(0o755)
    with telic.connect(tmp_path / "goals.db") as store:
        store.record_turn(store.create("keep").id, tokens=5)
    return os.environ | {"PATH": f"{commands}:{os.environ['PATH']}", "TELIC_STORE": str(tmp_path / "goals.db")}


def run(command: str, folder: Path, environment: dict[str, str]) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        ["sh", "-ec", command], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )


def test_the_commands_of_the_page_back_up_and_restore(tmp_path: Path, shell: dict[str, str]) -> None:
    """In the order in which they stand there; the restored store is healthy and whole."""
    blocks = [each for each in re.findall(r"```sh\n(.*?)```", PAGE.read_text(), re.DOTALL) if "pg_" not in each]
    assert len(blocks) == 2
    for block in blocks:
        done = run(block, tmp_path, shell)
        assert done.returncode == 0, done.stderr
    with telic.connect(tmp_path / "restored.db", create=False) as restored:
        (goal,) = restored.list().goals
        assert goal.tokens_used == 5


def test_the_command_says_what_it_made(tmp_path: Path, shell: dict[str, str]) -> None:
    """To people and to programs; an existing file is refused with exit code 2, unless it may be replaced."""
    target = tmp_path / "backup.db"
    first = run("telic backup backup.db", tmp_path, shell)
    assert (first.returncode, str(target) in first.stdout) == (0, True)
    again = run("telic backup backup.db", tmp_path, shell)
    assert (again.returncode, "--overwrite" in again.stderr) == (2, True)
    replaced = run("telic backup backup.db --overwrite --no-verify --json", tmp_path, shell)
    assert json.loads(replaced.stdout) == {"file": str(target), "bytes": target.stat().st_size, "verified": False}


@pytest.mark.parametrize(
    ("option", "said"),
    [
        ("--lease 1s", "--lease"),
        ("--lease 25h", "--lease"),
        ("--connections 0", "--connections"),
        ("--timeout 0", "--timeout"),
    ],
)
def test_an_option_out_of_its_range_is_refused_first(
    tmp_path: Path, shell: dict[str, str], option: str, said: str
) -> None:
    """Nothing is made or resumed for it."""
    done = run(f"telic run 'another goal' --agent true {option}", tmp_path, shell)
    assert (done.returncode, said in done.stderr) == (2, True)
    assert "another goal" not in run("telic list", tmp_path, shell).stdout

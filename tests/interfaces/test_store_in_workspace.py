"""A store may lie in the folder that its agent works in."""

import subprocess
from pathlib import Path

import pytest

from tests.interfaces.shell import TELIC


@pytest.mark.parametrize("in_git", [False, True])
@pytest.mark.parametrize("name", ["goals.db", "kept/[a] store.db"])
def test_what_the_store_writes_is_no_progress(name: str, in_git: bool, tmp_path: Path) -> None:
    """An agent that changes nothing is stopped, though every turn changes the store."""
    (tmp_path / "kept").mkdir()
    if in_git:
        subprocess.run(["git", "init", "--quiet", tmp_path], check=True)
    run = [TELIC, "run", "Do it", "--agent", "echo thinking", "--turns", "20", "--max-idle", "2", "--store", name]
    result = subprocess.run(run, cwd=tmp_path, capture_output=True, text=True, timeout=240)
    assert "stalled" in result.stdout + result.stderr
    assert (tmp_path / name).exists()

"""A store of its own for each test of the command."""

from pathlib import Path

import pytest

from tests.interfaces.running import Runs
from tests.interfaces.shell import Shell


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    return Shell(str(tmp_path / "goals.db"))


@pytest.fixture
def runs(tmp_path: Path) -> Runs:
    workspace = tmp_path / "workspace"
    workspace.mkdir()
    return Runs(str(tmp_path / "goals.db"), workspace)

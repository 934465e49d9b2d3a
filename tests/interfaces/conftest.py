"""A store of its own for each test of the command."""

from pathlib import Path

import pytest

from tests.interfaces.shell import Shell


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    return Shell(str(tmp_path / "goals.db"))

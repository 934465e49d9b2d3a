"""Goals to verify, and the model server that judges."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import telic
from tests.support.model_server import ModelServer, running_model_server

MakeGoal = Callable[..., telic.Goal]


@pytest.fixture
def model_server() -> Iterator[ModelServer]:
    with running_model_server() as server:
        yield server


@pytest.fixture
def goal_with(tmp_path: Path) -> Iterator[MakeGoal]:
    """Makes a goal with the given criteria, in a real store."""
    with telic.connect(tmp_path / "goals.db") as store:
        yield lambda *criteria, **parts: store.create("Mend the parser", criteria=criteria, **parts)


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    folder = tmp_path / "workspace"
    folder.mkdir()
    return folder

"""Both colours, a folder for journals, and processes."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.crash.support import COLOURS, Crew


@pytest.fixture(params=COLOURS)
def colour(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "journals"


@pytest.fixture
def crew() -> Iterator[Crew]:
    """Starts processes; none of them outlives the test."""
    crew = Crew()
    yield crew
    crew.close()

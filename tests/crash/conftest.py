"""The processes of a test."""

from collections.abc import Iterator

import pytest

from tests.crash.support import Crew


@pytest.fixture
def crew() -> Iterator[Crew]:
    """Starts processes; none of them outlives the test."""
    crew = Crew()
    yield crew
    crew.close()

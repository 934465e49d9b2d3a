"""The world on both databases, with the real clock and with one that the test sets."""

from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

import telic
from telic.domain.clock import SystemClock
from telic.testing import FakeClock
from tests.conftest import DATABASES
from tests.loop_driver.world import World


@pytest.fixture(scope="module")
def shared_url(new_postgres_database: Callable[[], str]) -> str:
    """One database for a module: to make one takes longer than most of these tests."""
    return new_postgres_database()


@pytest.fixture(params=DATABASES)
def location(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The path of an empty store, and the URL of one that other tests of the module have used."""
    return str(tmp_path / "goals.db") if request.param == "sqlite" else request.getfixturevalue("shared_url")


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    folder = tmp_path / "workspace"
    folder.mkdir()
    return folder


@pytest.fixture
async def world(location: str, workspace: Path) -> AsyncIterator[World]:
    async with telic.connect_async(location) as store:
        yield World(store, workspace, SystemClock())


@pytest.fixture
async def timed_world(location: str, workspace: Path, clock: FakeClock) -> AsyncIterator[World]:
    """Its clock is `clock`."""
    async with telic.connect_async(location, clock=clock) as store:
        yield World(store, workspace, clock)

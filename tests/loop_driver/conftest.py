"""The world on both databases, and how time passes for those who wait in it."""

from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

import telic
from telic.domain.clock import SystemClock
from tests.conftest import DATABASES
from tests.loop_driver.world import World
from tests.support.raw import execute


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


PassTime = Callable[[float], None]


@pytest.fixture
def pass_time(world: World, location: str) -> PassTime:
    """So many seconds have passed for the test's own goals: no worker can set the clock that waits go by."""
    [(before,)] = execute(location, "SELECT COALESCE(MAX(sequence), 0) FROM goals")

    def pass_time(seconds: float) -> None:
        passed = f"wake_at = wake_at - {round(seconds * 1_000_000)}"
        execute(location, f"UPDATE goals SET {passed} WHERE wake_at IS NOT NULL AND sequence > {before}")

    return pass_time

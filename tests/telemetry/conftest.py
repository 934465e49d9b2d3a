"""Observed stores: one for each database and colour."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

import telic
from telic.domain.clock import SystemClock
from telic.testing import FakeClock, SyncToAsyncStore
from tests.conftest import DATABASES, STORES, new_location
from tests.loop_driver.world import World
from tests.telemetry.telescope import Telescope


@pytest.fixture
def telescope() -> Telescope:
    return Telescope()


@pytest.fixture(params=STORES)
async def store(
    request: pytest.FixtureRequest, tmp_path: Path, clock: FakeClock, telescope: Telescope
) -> AsyncIterator[Any]:
    """As everywhere, but observed."""
    database, colour = request.param.split("-")
    place = new_location(request, database, tmp_path)
    if colour == "async":
        async with telic.connect_async(place, clock=clock, observer=telescope.observer) as opened:
            yield opened
    else:
        with telic.connect(place, clock=clock, observer=telescope.observer) as blocking:
            yield SyncToAsyncStore(blocking)


@pytest.fixture(params=DATABASES)
async def world(request: pytest.FixtureRequest, tmp_path: Path, telescope: Telescope) -> AsyncIterator[World]:
    """What a loop needs, on an observed store."""
    workspace = tmp_path / "workspace"
    workspace.mkdir()
    place = new_location(request, request.param, tmp_path)
    async with telic.connect_async(place, observer=telescope.observer) as opened:
        yield World(opened, workspace, SystemClock())

"""A model server, and a place to work in."""

import gc
import sys
import warnings
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

import telic
from tests.integrations.place import Place
from tests.support.wire_server import WireServer, running_wire_server


@pytest.fixture(autouse=True)
def _finalizers_of_libraries() -> Iterator[None]:
    """Clients of model providers close themselves when they are collected, on an event loop that is gone by then."""
    # Only what the test makes is looked through afterwards: the frameworks themselves are a million objects.
    gc.freeze()
    yield
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        hook, sys.unraisablehook = sys.unraisablehook, lambda _: None
        try:
            gc.collect()
        finally:
            sys.unraisablehook = hook


@pytest.fixture
def server() -> Iterator[WireServer]:
    with running_wire_server() as state:
        yield state


@pytest.fixture
def place(tmp_path: Path, server: WireServer) -> Place:
    found = Place(str(tmp_path / "goals.db"), server.url, str(tmp_path))
    found.workspace.mkdir()
    return found


@pytest.fixture
async def goals(place: Place) -> AsyncIterator[telic.AsyncGoalStore]:
    async with telic.connect_async(place.store) as store:
        yield store

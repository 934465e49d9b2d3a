"""The API over a store, on each database or on SQLite alone."""

from collections.abc import Iterator
from pathlib import Path

import pytest

import telic
from tests.interfaces.api.serving import Client, serving


@pytest.fixture
def api(location: str) -> Iterator[Client]:
    """Over an empty store, once for each database."""
    with serving(location) as client:
        yield client


@pytest.fixture
def place(tmp_path: Path) -> str:
    """A SQLite store that is there already."""
    telic.connect(tmp_path / "goals.db").close()
    return str(tmp_path / "goals.db")


@pytest.fixture
def client(place: str) -> Iterator[Client]:
    """Over that store."""
    with serving(place) as client:
        yield client

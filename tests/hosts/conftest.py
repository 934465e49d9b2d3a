"""A world for each test, in which one host is ready; and the results, for the page of hosts."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.hosts.install import HOSTS, PROGRAMS
from tests.hosts.world import World
from tests.support.wire_server import running_wire_server

TIMEOUT_SECONDS = 1_800


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Hosts are slow, and a busy machine makes them slower."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.timeout(TIMEOUT_SECONDS))


@pytest.fixture(scope="session", autouse=True)
def _installed() -> None:
    missing = [program for program in HOSTS if not (PROGRAMS / program).exists()]
    if missing:
        pytest.exit(f"not installed: {', '.join(missing)}; run `make test-hosts`", returncode=1)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with running_wire_server() as server:
        yield World(tmp_path, server)

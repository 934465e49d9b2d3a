"""A world for each test, in which one host is ready; and the results, for the page of hosts."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest

from tests.hosts.install import FOLDER, HOSTS, PROGRAMS, pinned_versions
from tests.hosts.page import TELIC
from tests.hosts.world import World
from tests.support.wire_server import running_wire_server

TIMEOUT_SECONDS = 1_800
RESULTS = FOLDER / "results.json"
FIGURES = "figures"


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
def world(tmp_path: Path, record_property: Any) -> Iterator[World]:
    with running_wire_server() as server:
        made = World(tmp_path, server)
        yield made
        made.end_what_was_left()
        record_property(FIGURES, made.noted)


class Results:
    """The newest result of each test, kept beside the hosts."""

    def __init__(self) -> None:
        self.begun: dict[str, dict[str, Any]] = {}
        self.tests: dict[str, dict[str, Any]] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        outcome = self.begun.setdefault(report.nodeid, {"outcome": "passed"})
        if report.outcome != "passed":
            outcome["outcome"] = report.outcome
        if report.when == "teardown":
            figures = dict(report.user_properties).get(FIGURES, {})
            self.tests[report.nodeid] = outcome | {"on": f"{datetime.now(UTC):%Y-%m-%d}"} | figures
            self._keep()

    def _keep(self) -> None:
        """Keep them now: a run that is broken off loses none."""
        former = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
        versions = pinned_versions() | {TELIC: version("telic")}
        tests = (former["tests"] if former.get("versions") == versions else {}) | self.tests
        RESULTS.write_text(json.dumps({"versions": versions, "tests": tests}, indent=1))


def pytest_configure(config: pytest.Config) -> None:
    """Only the process that sees all reports keeps them."""
    if not hasattr(config, "workerinput"):
        config.pluginmanager.register(Results(), "results-of-hosts")

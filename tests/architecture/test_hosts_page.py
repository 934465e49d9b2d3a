"""The page of hosts says what the tests with real hosts say; neither needs a host here."""

import json
import re
import runpy
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = runpy.run_path(str(ROOT / "tests" / "hosts" / "page.py"))
TEXT = PAGE["PAGE"].read_text()
CELL = re.compile(r"(?<=\| )(exact|yes|\*\*no\*\*|\?|[\d,]+( of \d+)?)(?= \|)")
DAYS = re.compile(r"(?<=results of ).*(?=, and these)")


def test_the_page_has_a_row_for_each_test_with_a_real_host() -> None:
    """And a cell for each of its hosts; nothing else."""
    packages = json.loads((ROOT / "tests" / "hosts" / "package.json").read_text())["dependencies"]
    pins = runpy.run_path(str(ROOT / "tests" / "hosts" / "install.py"))["pinned_versions"]()
    assert set(pins.values()) == set(packages.values())
    versions = pins | {PAGE["TELIC"]: "1.2.3"}
    assert _shape(PAGE["draw"]({"tests": {}, "versions": versions}, PAGE["collected"]())) == _shape(TEXT)


def _shape(page: str) -> list[str]:
    """Return its lines without what the results were."""
    return [CELL.sub("…", DAYS.sub("…", line)) for line in page.splitlines()]


def test_the_gate_runs_each_host_and_something_of_each_kind() -> None:
    """The fast tests: usage with every host, and a budget, hooks and the MCP server with one or more."""
    rows = PAGE["cases"](PAGE["collected"]("-m", "fast"))
    assert {area for area, _ in rows} >= {"test_runs", "test_budgets", "test_hooks", "test_mcp"}
    runs = {host for (area, _), by_host in rows.items() if area == "test_runs" for host in by_host}
    assert runs == {host for host in PAGE["HOSTS"] if host != "mcp-inspector-cli"}


def test_the_lock_names_no_address_and_has_every_hash() -> None:
    """Whatever registry is in use serves the same bytes."""
    lock = json.loads((ROOT / "tests" / "hosts" / "package-lock.json").read_text())
    packages = {name: package for name, package in lock["packages"].items() if name}
    assert all("resolved" not in package for package in packages.values())
    assert all(package["integrity"].startswith("sha512-") for package in packages.values())

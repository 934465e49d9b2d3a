"""The page of hosts says what the tests with real hosts say; neither needs a host here."""

import json
import re
import runpy
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = runpy.run_path(str(ROOT / "tests" / "hosts" / "page.py"))
TEXT = PAGE["PAGE"].read_text()
CELL = re.compile(r"(?<=\| )(exact|yes|\*\*no\*\*|\?)(?= \|)")


def test_the_page_has_a_row_for_each_test_with_a_real_host() -> None:
    """And a cell for each of its hosts; nothing else."""
    versions = json.loads((ROOT / "tests" / "hosts" / "package.json").read_text())["dependencies"]
    pins = runpy.run_path(str(ROOT / "tests" / "hosts" / "install.py"))["pinned_versions"]()
    assert set(pins.values()) == set(versions.values())
    assert _shape(PAGE["draw"]({"tests": {}, "versions": pins}, PAGE["collected"]())) == _shape(TEXT)


def _shape(page: str) -> list[str]:
    """Return its lines without what the results were."""
    return [CELL.sub("…", line) for line in page.splitlines()]


def test_the_lock_names_no_address_and_has_every_hash() -> None:
    """Whatever registry is in use serves the same bytes."""
    lock = json.loads((ROOT / "tests" / "hosts" / "package-lock.json").read_text())
    packages = {name: package for name, package in lock["packages"].items() if name}
    assert all("resolved" not in package for package in packages.values())
    assert all(package["integrity"].startswith("sha512-") for package in packages.values())

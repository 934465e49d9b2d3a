"""A test that the machine cannot run is named at the end, with how to get what it needs, and fails the gate."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.left_out import REQUIRES_ALL

ROOT = Path(__file__).parents[2]
MODULE = """
import pytest
from tests.left_out import needs, require
from tests.support.needs import NEEDS, Need

NEEDS["a unicorn"] = Need("a unicorn", "look in the forest", lambda: False)

@needs("a unicorn")
def test_a_ride():
    raise AssertionError

def test_a_stable():
    require("a unicorn")
    raise AssertionError

def test_a_walk():
    pass
"""


@pytest.mark.parametrize("processes", ["0", "2"])
@pytest.mark.parametrize(("required", "code"), [("", 0), ("1", 1)])
def test_what_was_left_out_is_listed_and_fails_the_gate(
    required: str, code: int, processes: str, tmp_path: Path
) -> None:
    """`make test` ends well and lists it; `make check` fails."""
    module = tmp_path / "test_outing.py"
    module.write_text(MODULE)
    # Nobody else's plug-ins: they take longer to load than this test to run.
    plugins = ["-p", "xdist", "-p", "tests.left_out", "-p", "no:cacheprovider"]
    result = subprocess.run(
        [sys.executable, "-m", "pytest", *plugins, "-c", os.devnull, "-n", processes, str(module)],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env=os.environ | {REQUIRES_ALL: required, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
    )
    assert "2 tests: needs a unicorn: look in the forest" in result.stdout
    assert result.returncode == code, result.stdout

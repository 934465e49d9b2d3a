"""Tests that were left out are listed at the end, with how to get what they need; in the gate they are failures."""

import os
from collections import Counter
from typing import Any

import pytest

from tests.support.needs import NEEDS, Need

REQUIRES_ALL = "TELIC_TEST_REQUIRE_ALL"
"""The variable that makes a test that is left out a failure; `make check` sets it."""


def _reason_of(need: Need) -> str:
    return f"needs {need.name}: {need.advice}"


def require(need_name: str) -> None:
    """Leave the running test out where the machine does not have what it needs."""
    need = NEEDS[need_name]
    if not need.is_met():
        pytest.skip(_reason_of(need))


def needs(need_name: str) -> Any:
    """Mark a test or a module that is left out where the machine does not have what it needs."""
    need = NEEDS[need_name]
    return pytest.mark.skipif(not need.is_met(), reason=_reason_of(need))


def _told_by(report: Any) -> str:
    text = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
    return str(text).removeprefix("Skipped: ")


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """List what was left out, and why."""
    left_out = Counter(_told_by(report) for report in terminalreporter.stats.get("skipped", ()))
    if terminalreporter.config.option.markexpr == "not long":
        terminalreporter.write_line("Tests that take minutes were not asked for: make test-long")
    if left_out:
        terminalreporter.section("left out")
    for reason, count in sorted(left_out.items()):
        terminalreporter.write_line(f"{count} tests: {reason}")


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Fail where a test was left out and the gate wants them all."""
    reporter: Any = session.config.pluginmanager.get_plugin("terminalreporter")
    if os.environ.get(REQUIRES_ALL) and reporter is not None and reporter.stats.get("skipped"):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED

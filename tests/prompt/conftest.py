"""A goal from a real store, for tests to vary."""

import pytest

import telic


@pytest.fixture(scope="session")
def goal() -> telic.Goal:
    with telic.connect(":memory:") as store:
        return store.create("Move billing to the new API", criteria=[telic.Criterion.command(["pytest", "-q"])])

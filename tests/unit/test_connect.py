"""From locations to drivers."""

from pathlib import Path

import pytest

from telic import connect
from telic.errors import StoreMisconfigured
from telic.storage.connect import sqlite_path


@pytest.mark.parametrize(
    ("location", "path"),
    [
        ("goals.db", "goals.db"),
        ("sqlite:///goals.db", "goals.db"),
        ("sqlite:////var/lib/goals.db", "/var/lib/goals.db"),
        ("sqlite:///a%20b.db", "a b.db"),
        (":memory:", ":memory:"),
        ("sqlite:///:memory:", ":memory:"),
        (Path("x"), Path("x")),
    ],
)
def test_a_location_names_a_path(location: str | Path, path: str | Path) -> None:
    """Three slashes are relative, four absolute; percent escapes are decoded."""
    assert sqlite_path(location) == path


@pytest.mark.parametrize(
    "location",
    [
        "",
        "a\0b",
        None,
        7,
        "mysql://u:hunter2@h/x",
        "sqlite://goals.db",
        "sqlite:///x?mode=ro",
        "sqlite:///",
        "postgresql:/me:hunter2@h/x",
        "sqlite:x",
        "mysql://u:hunter2@[bad/x",
    ],
)
def test_a_location_that_names_nothing_is_refused(location: object) -> None:
    """The typed error, without repeating what may be a password."""
    with pytest.raises(StoreMisconfigured) as refusal:
        connect(location)  # type: ignore[arg-type]
    assert "hunter2" not in str(refusal.value)

"""Backups of a PostgreSQL store, by the commands of the page about them."""

import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest

import telic
from telic.store.doctor import Level, examine
from tests.crash.support import COLOURS, opened
from tests.support.postgres_server import binaries

PAGE = Path(__file__).parents[2] / "docs" / "howto" / "backup.md"


async def test_postgresql_names_its_own_tool(database: str, tmp_path: Path) -> None:
    """And no password."""
    for colour in COLOURS:
        async with opened(database, colour) as store:
            with pytest.raises(telic.InvalidInput, match="pg_dump --format=custom"):
                await store.backup(tmp_path / "backup.db")
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def empty(database: str) -> Iterator[str]:
    """The URL of a database that nobody has connected Telic to yet."""
    name = f"restored_{os.urandom(4).hex()}"
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name} TEMPLATE template0".encode())
        yield urlsplit(database)._replace(path=f"/{name}").geturl()
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())


def test_the_commands_of_the_page_back_up_and_restore(database: str, empty: str, tmp_path: Path) -> None:
    """Into a database of their own, in which every goal's history holds."""
    with telic.connect(database) as store:
        goal = store.create("keep", token_budget=100)
        store.record_turn(goal.id, tokens=5, key="t")
    block = next(each for each in re.findall(r"```sh\n(.*?)```", PAGE.read_text(), re.DOTALL) if "pg_restore" in each)
    environment = os.environ | {
        "TELIC_STORE": database,
        "RESTORED": empty,
        "PATH": f"{binaries()}:{os.environ['PATH']}",
    }
    subprocess.run(["sh", "-ec", block], cwd=tmp_path, env=environment, check=True)
    assert [each.message for each in examine(empty) if each.level is Level.PROBLEM] == []
    with telic.connect(empty, create=False) as copy:
        assert copy.get(goal.id).tokens_used == 5

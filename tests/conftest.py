"""The four stores, and the real PostgreSQL server behind two of them."""

import itertools
import os
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import psycopg
import pytest

import telic
from telic.testing import Awaited, FakeClock
from tests.support.postgres_server import PostgresServer, running_server

pytest.register_assert_rewrite("telic.testing.contract")
pytest_plugins = ["tests.left_out"]

collect_ignore = ["hosts"]
"""They need real coding hosts: `make test-hosts` names the folder, and so collects them."""

COLOURS = ("blocking", "async")
DATABASES = ("sqlite", "postgres")
STORES = [f"{database}-{colour}" for database in DATABASES for colour in COLOURS]


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """The URL of a server's maintenance database: `TELIC_TEST_POSTGRES_URL`, or a server started for the tests."""
    given = os.environ.get("TELIC_TEST_POSTGRES_URL")
    if given:
        yield given
        return
    with running_server() as server:
        yield server.url()


def _with_database(url: str, name: str) -> str:
    return urlunsplit(urlsplit(url)._replace(path=f"/{name}"))


@pytest.fixture(scope="session")
def new_postgres_database(postgres_url: str) -> Iterator[Callable[[], str]]:
    """Makes a fresh database with Telic's schema, copied from a template, and gives its URL."""
    names = (f"telic_test_{os.getpid()}_{number}" for number in itertools.count())
    made: list[str] = []

    def admin(statement: str) -> None:
        with psycopg.connect(postgres_url, autocommit=True) as connection:
            connection.execute(statement.encode())

    def make(template: str | None = None) -> str:
        name = next(names)
        admin(f"CREATE DATABASE {name} TEMPLATE {template or 'template0'}")
        made.append(name)
        return _with_database(postgres_url, name)

    template_url = make()
    telic.connect(template_url).close()
    yield lambda: make(made[0])
    # A server of the tests' own goes away with all its databases.
    for name in made if "TELIC_TEST_POSTGRES_URL" in os.environ else ():
        admin(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture(params=DATABASES)
def location(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The path or URL of an empty store, once for each database."""
    return new_location(request, request.param, tmp_path)


def new_location(request: pytest.FixtureRequest, database: str, folder: Path) -> str:
    if database == "sqlite":
        return str(folder / "goals.db")
    make: Callable[[], str] = request.getfixturevalue("new_postgres_database")
    return make()


@pytest.fixture(params=STORES)
async def store(request: pytest.FixtureRequest, tmp_path: Path, clock: FakeClock) -> AsyncIterator[Any]:
    """An empty store behind the async face, once for each database and colour."""
    database, colour = request.param.split("-")
    place = new_location(request, database, tmp_path)
    if colour == "async":
        async with telic.connect_async(place, clock=clock) as opened:
            yield opened
    else:
        with telic.connect(place, clock=clock) as blocking:
            yield Awaited(blocking)


@pytest.fixture
def own_server() -> Iterator[PostgresServer]:
    """A server of the test's own, to stop and to kill."""
    with running_server() as server:
        yield server

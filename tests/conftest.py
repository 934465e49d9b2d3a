"""The four stores, and the real PostgreSQL server behind two of them."""

import gc
import itertools
import os
from collections.abc import AsyncIterator, Generator, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import psycopg
import pytest

import telic
from telic.testing import FakeClock, SyncToAsyncStore
from tests.support.postgres_server import PostgresServer, running_server

pytest.register_assert_rewrite("telic.testing.contract")
pytest_plugins = ["tests.left_out"]

# The environment of the oldest frameworks has no Hypothesis.
with suppress(ModuleNotFoundError):
    import hypothesis

    # No test knows how fast the machine is, or how loaded.
    hypothesis.settings.register_profile(
        "any machine", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
    )
    hypothesis.settings.load_profile("any machine")

collect_ignore = ["hosts"]
"""They need real coding hosts: `make test-hosts` names the folder, and so collects them."""


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """What is imported lives until the end: no collection of garbage looks at its million objects, now or later."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


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


class Databases:
    """Fresh databases with Telic's schema, copied from a template."""

    def __init__(self, server: str) -> None:
        self._server = server
        self._names = (f"telic_test_{os.getpid()}_{number}" for number in itertools.count())
        self._kept: set[str] = set()
        self._template = self._make("template0")
        telic.connect(_with_database(server, self._template)).close()

    def __call__(self) -> str:
        """Return the URL of a new one."""
        return _with_database(self._server, self._make(self._template))

    def drop(self, url: str) -> None:
        """The database is gone, whoever still uses it: thousands of them would fill the disk, and be slow to delete."""
        name = urlsplit(url).path[1:]
        self._admin(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
        self._kept.discard(name)

    def drop_all(self) -> None:
        """Nothing of them is left."""
        for name in list(self._kept):
            self.drop(f"postgresql:///{name}")

    def _make(self, template: str) -> str:
        name = next(self._names)
        self._admin(f"CREATE DATABASE {name} TEMPLATE {template}")
        self._kept.add(name)
        return name

    def _admin(self, statement: str) -> None:
        with psycopg.connect(self._server, autocommit=True) as connection:
            connection.execute(statement.encode())


@pytest.fixture(scope="session")
def new_postgres_database(postgres_url: str) -> Iterator[Databases]:
    """Makes a fresh database with Telic's schema, and gives its URL."""
    databases = Databases(postgres_url)
    yield databases
    # A server of the tests' own goes away with all its databases.
    if "TELIC_TEST_POSTGRES_URL" in os.environ:
        databases.drop_all()


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
    databases: Databases = request.getfixturevalue("new_postgres_database")
    url = databases()
    request.addfinalizer(lambda: databases.drop(url))
    return url


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
            yield SyncToAsyncStore(blocking)


@pytest.fixture
def own_server() -> Iterator[PostgresServer]:
    """A server of the test's own, to stop and to kill."""
    with running_server() as server:
        yield server

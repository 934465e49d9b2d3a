"""Databases, proxies and both PostgreSQL stores."""

from collections.abc import Callable, Iterator
from urllib.parse import urlsplit

import psycopg
import pytest

from tests.postgres.faces import OPENERS, OpenStore
from tests.support.tcp_proxy import TcpProxy


@pytest.fixture(params=OPENERS)
def open_store(request: pytest.FixtureRequest) -> OpenStore:
    """Opens a store behind the async face, once for each colour; used with `async with`."""
    return OPENERS[request.param]


@pytest.fixture
def own_database(new_postgres_database: Callable[[], str]) -> str:
    """The URL of a database of the test's own, with Telic's schema."""
    return new_postgres_database()


@pytest.fixture(scope="session")
def shared_database(new_postgres_database: Callable[[], str]) -> str:
    return new_postgres_database()


@pytest.fixture
def database(shared_database: str) -> str:
    """The URL of a database without a goal, whose schema and settings the test leaves alone.

    Emptying one takes a tenth of the time that making one takes.
    """
    with psycopg.connect(shared_database, autocommit=True) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        connection.execute("TRUNCATE goals, turns, events, holds, loop_states RESTART IDENTITY")
    return shared_database


@pytest.fixture
def proxy(database: str) -> Iterator[TcpProxy]:
    """A proxy before the database's server."""
    with TcpProxy(urlsplit(database).port or 5432) as opened:
        yield opened


@pytest.fixture
def proxied(proxy: TcpProxy, database: str) -> str:
    """The database's URL, led through the proxy."""
    return proxy.url(database)

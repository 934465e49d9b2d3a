"""Several hosts in one URL: they share the time of a call, and the one that works is tried first."""

import asyncio
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any
from urllib.parse import urlsplit

import psycopg
import pytest

import telic
from telic.storage.drivers.postgres_connections import Attempt, Hosts, connect, connect_async

HOSTS = {"host": "one,two,three", "port": "1,2,3"}


class Clock:
    """A monotonic clock that the test moves."""

    def __init__(self) -> None:
        self.seconds = 100.0

    def __call__(self) -> float:
        return self.seconds


def test_silent_hosts_share_the_time() -> None:
    """Three hosts that use all that they are given take as long as one call may."""
    clock = Clock()
    given: list[float] = []
    for attempt in Hosts(HOSTS, clock).attempts(clock() + 6):
        given.append(attempt.seconds)
        clock.seconds += attempt.seconds
    assert given == pytest.approx([2, 2, 2])
    assert clock() == pytest.approx(106)


def test_a_host_that_refuses_leaves_its_time_to_the_others() -> None:
    """A refusal costs nothing."""
    clock = Clock()
    assert [attempt.seconds for attempt in Hosts(HOSTS, clock).attempts(clock() + 6)] == pytest.approx([2, 3, 6])


def test_the_host_that_worked_is_first() -> None:
    """Until another has worked."""
    hosts = Hosts(HOSTS)

    def order() -> list[str]:
        return [attempt.place["host"] for attempt in hosts.attempts(float("inf"))]

    assert order() == ["one", "two", "three"]
    hosts.worked(Attempt(2, {}, 1))
    assert order() == ["three", "one", "two"]
    hosts.worked(Attempt(1, {}, 1))
    assert order() == ["two", "one", "three"]


@pytest.mark.parametrize(
    ("base", "places"),
    [
        ({"host": "a,b", "port": "5"}, [{"host": "a", "port": "5"}, {"host": "b", "port": "5"}]),
        ({"host": "a,b"}, [{"host": "a"}, {"host": "b"}]),
        (
            {"host": "a,b", "hostaddr": "10.0.0.1,10.0.0.2"},
            [{"host": "a", "hostaddr": "10.0.0.1"}, {"host": "b", "hostaddr": "10.0.0.2"}],
        ),
        ({"host": "a"}, [{}]),
        ({}, [{}]),
        ({"host": "a,b", "port": "1,2,3"}, [{}]),
    ],
)
def test_each_host_has_its_own_port(
    base: dict[str, str], places: list[dict[str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Or all have one; what cannot be told apart is left to libpq as it is."""
    for name in ("PGHOST", "PGHOSTADDR", "PGPORT"):
        monkeypatch.delenv(name, raising=False)
    assert [attempt.place for attempt in Hosts(base).attempts(float("inf"))] == places


def test_hosts_of_the_environment_share_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """A URL that names none goes by PGHOST, as with every client of PostgreSQL."""
    monkeypatch.setenv("PGHOST", "a,b")
    monkeypatch.setenv("PGPORT", "7")
    assert [attempt.place for attempt in Hosts({}).attempts(float("inf"))] == [
        {"host": "a", "port": "7"},
        {"host": "b", "port": "7"},
    ]


@pytest.fixture
def silent() -> Iterator[list[int]]:
    """The ports of three servers that take connections and never say a word."""
    with ExitStack() as stack:
        servers = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(3)]
        yield [server.getsockname()[1] for server in servers]


def url_of(ports: list[int], database: str = "postgresql://nobody:secret@h/x") -> str:
    parts = urlsplit(database)
    login = parts.netloc.rpartition("@")[0]
    return parts._replace(netloc=f"{login}@" + ",".join(f"127.0.0.1:{port}" for port in ports)).geturl()


async def test_silent_hosts_end_as_unavailable(silent: list[int]) -> None:
    """Both ways, with an error that names the hosts, and no secret."""
    url = url_of(silent)
    with pytest.raises(telic.errors.StoreUnavailable) as refused:
        await asyncio.to_thread(telic.connect, url, timeout_seconds=0.5)
    assert "secret" not in str(refused.value)
    with pytest.raises(telic.errors.StoreUnavailable):
        await telic.connect_async(url, timeout_seconds=0.5)


async def test_a_live_host_behind_a_silent_one_is_found_and_kept(silent: list[int], database: str) -> None:
    """A new connection does not wait for the silent one again."""
    url = url_of([silent[0], urlsplit(database).port or 5432], database)
    async with telic.connect_async(url, timeout_seconds=60) as store:
        goal = await store.create("found")
        driver: Any = store._driver
        (first, *_) = driver._server.hosts.attempts(float("inf"))
        assert first.number == 1
        assert (await store.get(goal.id)).id == goal.id


async def test_an_attempt_is_ended_at_its_share() -> None:
    """Whatever it waits for: an answer, or the name of a host to be looked up."""
    hosts = Hosts(HOSTS)
    asked: list[str] = []

    async def never(**arguments: Any) -> psycopg.AsyncConnection[Any]:
        asked.append(arguments["host"])
        await asyncio.Event().wait()
        raise AssertionError

    loop = asyncio.get_running_loop()
    with pytest.raises(psycopg.errors.ConnectionTimeout):
        await connect_async(hosts, loop.time() + 0.3, never)
    assert asked == ["one", "two", "three"]


def test_a_refused_connection_names_the_last_refusal() -> None:
    """Nothing else is known of why there is none."""

    def refuse(**arguments: Any) -> psycopg.Connection[Any]:
        raise psycopg.OperationalError(arguments["host"])

    with pytest.raises(psycopg.OperationalError, match="three"):
        connect(Hosts(HOSTS), 1e12, refuse)

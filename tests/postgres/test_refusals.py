"""Databases that cannot be opened: a typed error that says what to mend and never repeats a password."""

import logging
import traceback
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import psycopg
import pytest

import telic
from tests.postgres.faces import OpenStore
from tests.support.postgres_server import free_port

PASSWORD = "hunter2-Pa55"
HANG_UP = """
SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid()
"""
Admin = Callable[[str], None]


def with_password(url: str, **parts: str) -> str:
    """The URL with another password, and with other parts where they are given."""
    split = urlsplit(url)
    user = parts.pop("user", split.username or "")
    port = parts.pop("port", str(split.port))
    host = parts.pop("host", split.hostname or "")
    return urlunsplit(split._replace(netloc=f"{user}:{PASSWORD}@{host}:{port}", **parts))


def everything_said(error: BaseException, log: pytest.LogCaptureFixture) -> str:
    """All that a log, a report or a terminal could show of the error."""
    seen: list[BaseException] = []
    waiting: list[BaseException | None] = [error]
    while waiting:
        link = waiting.pop()
        if link is not None and link not in seen:
            seen.append(link)
            waiting += [link.__cause__, link.__context__]
    said = [text for link in seen for text in (str(link), repr(link), repr(link.args), repr(vars(link)))]
    said += traceback.format_exception(error)
    said += [record.getMessage() for record in log.records] + [repr(record.args) for record in log.records]
    return "\n".join(said) + log.text


async def refusal_of(
    open_store: OpenStore, url: str, log: pytest.LogCaptureFixture, *secrets: str, **options: Any
) -> telic.StoreError:
    """The error that opening ends with; it keeps the password and the given secrets to itself."""
    with log.at_level(logging.DEBUG), pytest.raises(telic.StoreError) as refusal:
        async with open_store(url, **({"timeout_seconds": 2} | options)):
            pass
    said = everything_said(refusal.value, log)
    for secret in (PASSWORD, *secrets):
        assert secret not in said
    return refusal.value


async def test_a_wrong_password_is_not_repeated(
    open_store: OpenStore, database: str, caplog: pytest.LogCaptureFixture
) -> None:
    """StoreUnavailable names the place and what to check."""
    error = await refusal_of(open_store, with_password(database), caplog)
    assert type(error) is telic.errors.StoreUnavailable
    assert f"127.0.0.1:{urlsplit(database).port}" in str(error)


async def test_a_closed_port_and_an_unknown_host_are_unavailable(
    open_store: OpenStore, database: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Nobody listens, or there is no such host: the same typed error."""
    for parts in ({"port": str(free_port())}, {"host": "no-such-host.invalid"}):
        error = await refusal_of(open_store, with_password(database, **parts), caplog)
        assert type(error) is telic.errors.StoreUnavailable


async def test_an_unknown_database_or_user_is_unavailable(
    open_store: OpenStore, database: str, caplog: pytest.LogCaptureFixture
) -> None:
    """The server answers, but has no such database or user."""
    right_password = urlsplit(database).password or ""
    unknown = urlunsplit(urlsplit(database)._replace(path="/no_such_database"))
    error = await refusal_of(open_store, unknown, caplog, right_password)
    assert type(error) is telic.errors.StoreUnavailable
    error = await refusal_of(open_store, with_password(database, user="nobody_we_know"), caplog)
    assert type(error) is telic.errors.StoreUnavailable


MALFORMED = (
    f"postgresql://telic:{PASSWORD}@127.0.0.1:99999999/x",
    f"postgresql://telic:{PASSWORD}@127.0.0.1:port/x",
    f"postgresql://telic:{PASSWORD}%zz@127.0.0.1:5432/x",
    f"postgresql://telic:{PASSWORD}@[::1/x",
    f"postgresql://telic:{PASSWORD}@127.0.0.1:5432/x?no_such_option=1",
    f"postgresql://telic@127.0.0.1:5432/x?password={PASSWORD}&sslmode=no-such-mode",
    f"postgresql://telic:{PASSWORD}@127.0.0.1:5432/x?connect_timeout=soon",
    f"postgresql://telic:{PASSWORD}@127.0.0.1:5432/x?target_session_attrs=nonsense",
    f"postgresql://telic:{PASSWORD}\x00@127.0.0.1:5432/x",
    f"postgres://telic:{PASSWORD}@127.0.0.1:port/x",
)


@pytest.mark.parametrize("url", MALFORMED, ids=range(len(MALFORMED)))
async def test_a_malformed_url_is_misconfigured_and_not_repeated(
    url: str, open_store: OpenStore, caplog: pytest.LogCaptureFixture
) -> None:
    """What cannot be read is refused without its password, in whichever part of the URL the mistake is."""
    error = await refusal_of(open_store, url, caplog)
    assert isinstance(error, telic.errors.StoreMisconfigured | telic.errors.StoreUnavailable)


@pytest.fixture
def admin(own_database: str) -> Admin:
    """Runs a statement as the database's owner."""

    def run(statement: str) -> None:
        with psycopg.connect(own_database, autocommit=True) as connection:
            connection.execute(statement.encode())

    return run


@pytest.mark.parametrize("encoding", ["LATIN1", "SQL_ASCII"])
async def test_a_database_that_is_not_utf8_is_misconfigured(
    encoding: str, open_store: OpenStore, own_database: str, admin: Admin, caplog: pytest.LogCaptureFixture
) -> None:
    """Text could not be kept as it is: refused before anything is written."""
    name = f"{urlsplit(own_database).path[1:]}_other"
    admin(f"CREATE DATABASE {name} ENCODING '{encoding}' TEMPLATE template0 LOCALE 'C'")
    try:
        other = urlunsplit(urlsplit(own_database)._replace(path=f"/{name}"))
        error = await refusal_of(open_store, other, caplog, urlsplit(own_database).password or "")
        assert type(error) is telic.errors.StoreMisconfigured
        with psycopg.connect(other) as connection:
            assert connection.execute("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'").fetchone() == (0,)
    finally:
        admin(f"DROP DATABASE {name} WITH (FORCE)")


async def test_a_client_encoding_of_the_users_changes_no_text(
    open_store: OpenStore, own_database: str, admin: Admin
) -> None:
    """A default of another client encoding neither breaks nor changes what is stored."""
    admin(f"ALTER DATABASE {urlsplit(own_database).path[1:]} SET client_encoding = 'LATIN1'")
    async with open_store(own_database) as store:
        text = "naïve 目標 🎯 ‮ €"
        goal = await store.create(text)
        assert (await store.get(goal.id)).text == text
        assert (await store.list(text="目標")).goals == (goal,)


async def test_a_server_that_accepts_no_writes_is_unavailable(
    open_store: OpenStore, own_database: str, admin: Admin, caplog: pytest.LogCaptureFixture
) -> None:
    """A replica, or a database set to read only, is not opened; an open store's writes are refused with a type."""
    async with open_store(own_database, timeout_seconds=1) as store:
        goal = await store.create("before")
        admin(f"ALTER DATABASE {urlsplit(own_database).path[1:]} SET default_transaction_read_only = on")
        error = await refusal_of(open_store, own_database, caplog, urlsplit(own_database).password or "")
        assert type(error) is telic.errors.StoreUnavailable
        admin(HANG_UP)
        with pytest.raises(telic.errors.StoreUnavailable) as refusal:
            await store.record_turn(goal.id, tokens=1)
        assert (urlsplit(own_database).password or "") not in everything_said(refusal.value, caplog)


async def test_a_user_without_rights_is_told_so(
    open_store: OpenStore, own_database: str, admin: Admin, caplog: pytest.LogCaptureFixture
) -> None:
    """A login that may connect but not use the tables is a matter of configuration, not of luck."""
    name = f"guest_{urlsplit(own_database).path[1:]}"
    admin(f"CREATE ROLE {name} LOGIN PASSWORD '{PASSWORD}'")
    try:
        error = await refusal_of(open_store, with_password(own_database, user=name), caplog)
        assert type(error) is telic.errors.StoreMisconfigured
    finally:
        admin(f"DROP ROLE {name}")


async def test_errors_of_an_open_store_repeat_no_password(
    open_store: OpenStore, own_database: str, admin: Admin, caplog: pytest.LogCaptureFixture
) -> None:
    """Neither do the errors and logs of a store whose server stopped taking its password."""
    name = f"keeper_{urlsplit(own_database).path[1:]}"
    admin(f"CREATE ROLE {name} LOGIN SUPERUSER PASSWORD '{PASSWORD}'")
    try:
        with caplog.at_level(logging.DEBUG):
            async with open_store(with_password(own_database, user=name), timeout_seconds=1) as store:
                assert PASSWORD not in repr(store) + repr(vars(store))
                admin(f"ALTER ROLE {name} PASSWORD 'another'")
                admin(HANG_UP)
                with pytest.raises(telic.errors.StoreUnavailable) as refusal:
                    await store.create("refused")
        assert PASSWORD not in everything_said(refusal.value, caplog)
    finally:
        admin(f"DROP ROLE {name}")

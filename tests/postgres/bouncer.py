"""A PgBouncer in transaction mode before a PostgreSQL server."""

import contextlib
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import psycopg

from tests.support.needs import program
from tests.support.postgres_server import UNPRIVILEGED_USER, free_port

DROPS_SETTINGS = "ignore_startup_parameters = options,extra_float_digits"


class Bouncer:
    """One pooler with two server connections for each database, in a folder of its own."""

    def __init__(self, folder: Path, server_url: str, more_settings: str) -> None:
        self.port = free_port()
        self._folder = folder
        self._server_url = server_url
        self._write_configuration(more_settings)

    def _write_configuration(self, more_settings: str) -> None:
        server = urlsplit(self._server_url)
        (self._folder / "users").write_text(f'"{server.username}" "{server.password}"\n')
        (self._folder / "configuration").write_text(
            f"""
[databases]
* = host={server.hostname} port={server.port}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {self.port}
unix_socket_dir =
auth_type = scram-sha-256
auth_file = {self._folder / "users"}
pool_mode = transaction
default_pool_size = 2
max_client_conn = 300
server_login_retry = 0.2
logfile = {self._folder / "log"}
{more_settings}
"""
        )

    def url(self, database_url: str) -> str:
        """The database's URL, led through the pooler."""
        parts = urlsplit(database_url)
        user = parts.netloc.rpartition("@")[0]
        return urlunsplit(parts._replace(netloc=f"{user}@127.0.0.1:{self.port}"))

    def start(self) -> None:
        binary = program("pgbouncer")
        assert binary is not None
        is_root = os.getuid() == 0
        self.process = subprocess.Popen(
            [binary, "-q", str(self._folder / "configuration")],
            user=UNPRIVILEGED_USER if is_root else None,
            cwd=self._folder,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        self._wait_until_it_answers()

    def _wait_until_it_answers(self) -> None:
        deadline = time.monotonic() + 20
        while True:
            try:
                psycopg.connect(self.url(self._server_url), connect_timeout=2).close()
                return
            except psycopg.OperationalError:
                if self.process.poll() is not None or time.monotonic() > deadline:
                    raise RuntimeError((self._folder / "log").read_text()) from None
                time.sleep(0.02)

    def stop(self) -> None:
        self.process.kill()
        self.process.wait(240)


@contextlib.contextmanager
def running_bouncer(server_url: str, more_settings: str = "") -> Iterator[Bouncer]:
    folder = Path(tempfile.mkdtemp(prefix="telic-pgbouncer-"))
    if os.getuid() == 0:
        shutil.chown(folder, UNPRIVILEGED_USER)
    bouncer = Bouncer(folder, server_url, more_settings)
    try:
        bouncer.start()
        yield bouncer
    finally:
        bouncer.stop()
        shutil.rmtree(folder, ignore_errors=True)

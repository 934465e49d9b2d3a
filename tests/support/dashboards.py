"""`telic dashboard` as a process of its own, and the first page of a browser that it let in."""

import contextlib
import os
import re
import subprocess
import sysconfig
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

TELIC = Path(sysconfig.get_path("scripts")) / "telic"
TOKEN = "a-token-for-tests-only"


@dataclass
class Dashboard:
    """A dashboard that listens."""

    address: str
    entrance: str
    process: "subprocess.Popen[str]"


@contextlib.contextmanager
def running_dashboard(store: str, *options: str, token: str | None = TOKEN) -> Iterator[Dashboard]:
    """It listens on a free port of this machine, and ends as Ctrl-C ends it."""
    environment = {name: value for name, value in os.environ.items() if name != "TELIC_DASHBOARD_TOKEN"}
    if token is not None:
        environment["TELIC_DASHBOARD_TOKEN"] = token
    process = subprocess.Popen(
        [TELIC, "dashboard", "--store", store, "--port", "0", *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env=environment,
    )
    try:
        assert process.stdout is not None
        first, second = process.stdout.readline(), process.stdout.readline()
        address, entrance = (re.findall(r"http://\S+", line)[0] for line in (first, second))
        yield Dashboard(address, entrance, process)
    finally:
        process.terminate()
        process.wait(240)
        assert process.stdout is not None
        process.stdout.close()

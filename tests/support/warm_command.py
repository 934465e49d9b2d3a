"""`telic` in a process of its own that has been loaded already: a fork of one that waits for such calls.

Loading takes ten times as long as most calls, and the tests make thousands. What depends on the start itself, such as
a library that is missing, a closed stream or another encoding, is tested with the installed command.
"""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from multiprocessing import get_context
from pathlib import Path
from typing import Final

_LOADED: Final = ("tests.support.warm_command", "telic.interfaces.cli.hook", "telic.interfaces.cli.app")
_MOST_SECONDS: Final = 240
_STREAMS: Final = (("in", os.O_RDONLY, "r"), ("out", os.O_WRONLY, "w"), ("err", os.O_WRONLY, "w"))
_FORKING: Final = get_context("forkserver")
_FORKING.set_forkserver_preload(list(_LOADED))


def run_telic(
    arguments: Sequence[str], *, environment: Mapping[str, str], folder: Path | None = None, payload: bytes = b""
) -> subprocess.CompletedProcess[bytes]:
    """What the command came to, as `subprocess.run` says it; `payload` is its standard input.

    Raises:
        TimeoutExpired: it has not ended after 240 seconds.
    """
    with tempfile.TemporaryDirectory() as name:
        streams = Path(name)
        for each, _, _ in _STREAMS:
            (streams / each).write_bytes(payload if each == "in" else b"")
        where = folder or Path.cwd()
        process = _FORKING.Process(target=_run, args=(list(arguments), dict(environment), where, _umask(), streams))
        process.start()
        process.join(_MOST_SECONDS)
        if process.exitcode is None:
            process.kill()
            raise subprocess.TimeoutExpired(list(arguments), _MOST_SECONDS)
        said = [(streams / each).read_bytes() for each in ("out", "err")]
        return subprocess.CompletedProcess(["telic", *arguments], process.exitcode, *said)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def _run(arguments: list[str], environment: dict[str, str], folder: Path, mask: int, streams: Path) -> None:
    os.environ.clear()
    os.environ.update(environment)
    time.tzset()
    os.chdir(folder)
    os.umask(mask)
    for number, (name, flags, _) in enumerate(_STREAMS):
        descriptor = os.open(streams / name, flags)
        os.dup2(descriptor, number)
        os.close(descriptor)
    sys.stdin, sys.stdout, sys.stderr = (
        open(number, mode, encoding="utf-8", closefd=False)  # noqa: SIM115
        for number, (_, _, mode) in enumerate(_STREAMS)
    )
    sys.argv = ["telic", *arguments]
    from telic.interfaces.cli.__main__ import main

    main()

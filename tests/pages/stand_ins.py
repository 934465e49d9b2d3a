"""Programs that pages name and that tests cannot run for real, or that never end by themselves.

`pip` and `make` only check what they are asked for: installing is tested by who runs the tests. The coding agents print
what the real ones print. `telic` is the real one, but a server is ended once it answers, a screen once it is drawn, and
questions are answered with yes.
"""

import fcntl
import json
import os
import pty
import re
import shlex
import signal
import subprocess
import sys
import tempfile
import time
import tomllib
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
CLAIM = "All tests pass.\n\nTELIC: complete"


def pip(arguments: list[str]) -> int:
    """Check that what is to be installed is there to be had."""
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    for asked in re.findall(r"telic\[([\w,-]+)\]", " ".join(arguments)):
        if unknown := set(asked.split(",")) - extras.keys():
            print(f"telic has no extra named {', '.join(sorted(unknown))}")
            return 1
    return 0 if arguments[:1] == ["install"] else 1


def make(arguments: list[str]) -> int:
    """Check that the targets are there."""
    targets = set(re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    return 0 if set(arguments) <= targets else 1


def _tell(**fields: Any) -> None:
    print(json.dumps(fields), flush=True)


def _do_the_work() -> None:
    Path("test_shop.py").write_text("def test_sum():\n    assert 1 + 1 == 2\n")


def claude(arguments: list[str]) -> int:
    """Do one turn's work, and print what Claude Code prints of it."""
    if "-p" in arguments:
        _do_the_work()
        usage = {"input_tokens": 900, "output_tokens": 100}
        _tell(type="system", subtype="init", session_id="one", model="claude-sonnet-4-5")
        message = {"id": "msg_1", "content": [{"type": "text", "text": CLAIM}], "usage": usage}
        _tell(type="assistant", session_id="one", message=message)
        _tell(type="result", subtype="success", is_error=False, result=CLAIM, session_id="one", usage=usage)
    return 0


def codex(arguments: list[str]) -> int:
    """Do one turn's work, and print what Codex prints of it."""
    if "exec" in arguments:
        _do_the_work()
        _tell(type="thread.started", thread_id="one")
        _tell(type="item.completed", item={"id": "item_1", "type": "agent_message", "text": CLAIM})
        _tell(type="turn.completed", usage={"input_tokens": 900, "cached_input_tokens": 0, "output_tokens": 100})
    return 0


def goose(arguments: list[str]) -> int:
    """Open and end a session."""
    return 0


_ENDLESS = ("top", "dashboard", "mcp")
"""The commands of `telic` that go on until they are stopped."""


def telic(arguments: list[str]) -> int:
    """Run the real command, which would go on for ever, and end it."""
    command = [os.environ["REAL_TELIC"], *arguments]
    if arguments[0] == "top":
        return _until_drawn(command)
    if arguments[0] == "dashboard" or "--http" in arguments:
        return _until_it_answers(command)
    return subprocess.run(command).returncode


def _until_drawn(command: list[str]) -> int:
    pid, terminal = pty.fork()
    if pid == 0:
        os.environ["TERM"] = "xterm-256color"
        os.execv(command[0], command)
    is_drawn = False
    try:
        while output := os.read(terminal, 65_536):
            if not is_drawn and b"\x1b[?1049h" in output:
                is_drawn = True
            if is_drawn:
                os.write(terminal, b"q")
    except OSError:
        pass  # On Linux a terminal that has no other side any more reads so.
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def _until_it_answers(command: list[str]) -> int:
    """One at a time on this machine: the pages' ports are fixed."""
    with (Path(tempfile.gettempdir()) / "telic-pages.lock").open("w") as lock, tempfile.TemporaryFile("w+") as printed:
        fcntl.flock(lock, fcntl.LOCK_EX)
        process = subprocess.Popen(command, stdout=printed, stderr=subprocess.STDOUT, text=True)
        while process.poll() is None and not _answers(printed):
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        code = process.wait()
        printed.seek(0)
        print(printed.read(), end="")
    return 0 if code in (0, 130) else code


def _answers(printed: Any) -> bool:
    place = os.lseek(printed.fileno(), 0, os.SEEK_CUR)
    text = os.pread(printed.fileno(), place, 0).decode()
    addresses = re.findall(r"http://\S+", text)
    if not addresses:
        return False
    try:
        urllib.request.urlopen(addresses[0], timeout=60).close()
    except urllib.error.HTTPError as refused:
        refused.close()
    except OSError:
        return False
    return True


NAMES = {function.__name__: function for function in (pip, make, claude, codex, goose, telic)}


_TELIC = f"""#!/bin/sh
case "$1" in
    {"|".join(_ENDLESS)}) exec {{ours}} "$@" ;;
    install) exec "$REAL_TELIC" "$@" --yes ;;
    *) exec "$REAL_TELIC" "$@" ;;
esac
"""
"""All other commands are the real ones, with nothing between."""


def install(folder: Path) -> None:
    """Write a program of each name into the folder."""
    for name in NAMES:
        program = folder / name
        run = f"import runpy; runpy.run_path({__file__!r}, run_name={f'stand-in {name}'!r})"
        ours = shlex.join([sys.executable, "-c", run])
        program.write_text(_TELIC.format(ours=ours) if name == "telic" else f'#!/bin/sh\nexec {ours} "$@"\n')
        program.chmod(0o755)


if __name__.startswith("stand-in "):
    sys.exit(NAMES[__name__.removeprefix("stand-in ")](sys.argv[1:]))

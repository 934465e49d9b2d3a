"""One shell and one Python session, in one new folder, as a reader of a page has them open."""

import contextlib
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import IO

_PYTHON = """
import io, json, sys, traceback
names, lines = {"__name__": "__main__"}, sys.stdin
for line in lines:
    told = json.loads(line)
    sys.stdin = io.StringIO("".join(f"{each}\\n" for each in told["typed"]))
    try:
        exec(compile(told["code"], "<the page>", "exec"), names)
        code = 0
    except BaseException:
        traceback.print_exc(file=sys.stdout)
        code = 1
    print(f"\\n<<<ended {code}>>>", flush=True)
"""
_ENDED = re.compile(r"(.*)\n<<<ended (\d+)>>>\n", re.DOTALL)


class Session:
    """A process that takes one thing after the other and prints; what it prints of each comes with how it ended."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        self._to: IO[str] = process.stdin
        self._from: IO[str] = process.stdout

    def give(self, text: str) -> tuple[str, int]:
        """Return what the text made it print, and 0 where all went well."""
        self._to.write(text)
        self._to.flush()
        printed = ""
        while not (ended := _ENDED.fullmatch(printed)):
            line = self._from.readline()
            assert line, f"the session has ended: {printed}"
            printed += line
        return ended[1].removesuffix("\n"), int(ended[2])


class PageRunner:
    """Runs what a page says in one folder, shell and Python."""

    def __init__(self, folder: Path, environment: dict[str, str]) -> None:
        self.folder = folder
        # A page shows what a program prints; what a command says of errors and next steps belongs to it as well.
        shell = (["bash", "--norc", "--noprofile"], subprocess.STDOUT)
        python = ([sys.executable, "-u", "-c", _PYTHON], subprocess.DEVNULL)
        self._processes = [
            subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                cwd=folder,
                env=environment,
            )
            for command, errors in (shell, python)
        ]
        self._shell, self._python = map(Session, self._processes)

    def type(self, line: str) -> tuple[str, int]:
        """Return what the command printed and its exit code; it reads no input."""
        return self._shell.give(f"{{ {line}\n}} </dev/null\nprintf '\\n<<<ended %d>>>\\n' $?\n")

    def run(self, code: str, typed: list[str]) -> tuple[str, int]:
        """Return what the program printed, and 0 where it raised nothing."""
        return self._python.give(json.dumps({"code": code, "typed": typed}) + "\n")

    def close(self) -> None:
        """End both sessions."""
        for process in self._processes:
            with contextlib.suppress(BrokenPipeError):
                process.communicate()


@contextlib.contextmanager
def new_page_runner(folder: Path, **variables: str) -> Iterator[PageRunner]:
    """Inside, what runs a page: its home is in the folder, and it has no variable of Telic's from elsewhere."""
    (folder / "home").mkdir(exist_ok=True)
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("TELIC_", "XDG_"))}
    runner = PageRunner(folder, kept | {"HOME": str(folder / "home")} | variables)
    try:
        yield runner
    finally:
        runner.close()

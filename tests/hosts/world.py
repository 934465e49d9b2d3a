"""A place of its own for one test: a home, a store, a repository with a failing test, and a model server."""

import json
import os
import shutil
import signal
import subprocess
import sysconfig
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from telic import Goal, GoalStatus, Turn, connect
from tests.hosts.install import PROGRAMS
from tests.hosts.play import Play, Told, Voice
from tests.support.wire_formats import Spent
from tests.support.wire_server import WireServer

SCRIPTS = sysconfig.get_path("scripts")
SYSTEM = os.environ["PATH"]
SECONDS = 600.0
"""How long a program may take before it is taken for hung."""
CHECK = "python3 -B test_calc.py"
CODE = "def add(a, b):\n    return a - b\n"
TEST = 'from calc import add\n\nassert add(2, 3) == 5, "add(2, 3) is not 5"\n'
TEXT = "Make the tests pass"


@dataclass(frozen=True)
class Bill:
    """Tokens as Telic counts them: cached ones are a part of the input, reasoning ones of the output."""

    input: int = 0
    cached: int = 0
    output: int = 0

    @classmethod
    def of(cls, spent: Sequence[Spent]) -> "Bill":
        return cls(
            sum(each.input for each in spent), sum(each.cached for each in spent), sum(each.output for each in spent)
        )

    @property
    def tokens(self) -> int:
        return self.input + self.output


@dataclass
class Ended:
    """How a program ended."""

    code: int
    output: str
    errors: str

    def events(self) -> list[dict[str, Any]]:
        """Return its output's JSON lines; other lines are left out."""
        return [json.loads(line) for line in self.output.splitlines() if line.startswith("{")]

    def __str__(self) -> str:
        return f"exit {self.code}\n--- output\n{self.output[-6_000:]}\n--- errors\n{self.errors[-6_000:]}"


class World:
    def __init__(self, folder: Path, server: WireServer) -> None:
        self.folder, self.server = folder, server
        self.home, self.repository, self.state = folder / "home", folder / "repository", folder / "state"
        self.store = folder / "goals.db"
        self.environment = self._environment()
        self.play = Play(main=())
        self.noted: dict[str, Any] = {}
        for place in (self.home, self.repository, self.state, folder / "tmp"):
            place.mkdir()
        self._make_repository()

    def _environment(self) -> dict[str, str]:
        return {
            "PATH": os.pathsep.join([SCRIPTS, str(PROGRAMS), SYSTEM]),
            "HOME": str(self.home),
            "XDG_STATE_HOME": str(self.state),
            "TMPDIR": str(self.folder / "tmp"),
            "TELIC_STORE": str(self.store),
            "LANG": "C.UTF-8",
            "TERM": "xterm-256color",
            "NO_COLOR": "1",
        }

    def _make_repository(self) -> None:
        (self.repository / "calc.py").write_text(CODE)
        (self.repository / "test_calc.py").write_text(TEST)
        git = ["git", "-c", "user.email=ada@example.org", "-c", "user.name=Ada"]
        for words in (["init", "-q"], ["add", "-A"], ["commit", "-qm", "Begin"]):
            subprocess.run([*git, *words], cwd=self.repository, env=self.environment, check=True)

    @property
    def folder_scope(self) -> str:
        return f"folder:{self.repository.resolve()}"

    def follow(self, play: Play) -> None:
        self.play = self.server.play = play

    def write(self, path: str, content: Any) -> Path:
        """The file below the home holds the text, or the value as JSON."""
        place = self.home / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(content if isinstance(content, str) else json.dumps(content))
        return place

    def start(self, *command: str, **variables: str) -> "subprocess.Popen[str]":
        return subprocess.Popen(
            command,
            cwd=self.repository,
            env=self.environment | variables,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def end(self, process: "subprocess.Popen[str]") -> Ended:
        try:
            output, errors = process.communicate(timeout=SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            output, errors = process.communicate()
            raise AssertionError(f"it hung: {Ended(-9, output, errors)}") from None
        return Ended(process.returncode, output, errors)

    def execute(self, *command: str, **variables: str) -> Ended:
        return self.end(self.start(*command, **variables))

    def telic(self, *arguments: str, expect: int = 0) -> Ended:
        ended = self.execute("telic", *arguments)
        assert ended.code == expect, f"{ended}\n{self.story()}"
        assert "Traceback" not in ended.errors, ended
        return ended

    def story(self) -> str:
        """Return a line for each request and its answer, and one for each line of the bill."""
        lines = [
            f"{each.voice}: …{each.asked.newest[-100:]!r} -> {each.reply.status} {each.reply.text!r} {each.reply.calls}"
            f" {each.spent}"
            for each in self.play.told
        ]
        return "\n".join([*lines, *(f"{turn.key} {turn.kind} {turn.usage}" for turn in self.turns()), self.log()])

    def create(self, scope: str, budget: str = "2M") -> str:
        """There is a goal whose check is the repository's test; return its id."""
        words = ("create", TEXT, "--scope", scope, "--check", CHECK, "--budget", budget, "--json")
        return str(json.loads(self.telic(*words).output)["id"])

    def goal(self) -> Goal:
        """Return the newest goal of the store."""
        with connect(str(self.store)) as store:
            return store.list().goals[0]

    def turns(self) -> Sequence[Turn]:
        if not self.store.exists():
            return ()
        with connect(str(self.store)) as store:
            return store.turns(self.goal().id)

    def billed(self) -> Bill:
        goal = self.goal()
        bill = Bill(goal.input_tokens_used, goal.cached_input_tokens_used, goal.output_tokens_used)
        assert bill.tokens == goal.tokens_used, goal
        return bill

    def told(self, *voices: Voice, where: Callable[[Told], bool] = lambda each: True) -> Bill:
        """Return what the server told of what it consumed for those who asked; by default, for the agents."""
        voices = voices or (Voice.MAIN, Voice.SUB)
        chosen = [each.spent for each in self.play.told if each.voice in voices and where(each)]
        return Bill.of([spent for spent in chosen if spent is not None])

    def require_billed(self, told: Bill | None = None) -> None:
        """What was told is billed, to the token."""
        told, billed = told or self.told(), self.billed()
        self.noted |= {"told": told.tokens, "billed": billed.tokens}
        assert billed == told, self.story()
        assert told.tokens > 0

    def require_verified(self) -> None:
        goal = self.goal()
        assert (goal.status, goal.reason) == (GoalStatus.COMPLETED, "verified"), f"{goal}\n{self.story()}"

    def log(self) -> str:
        """Return what the hooks wrote down of what went wrong."""
        path = self.state / "telic" / "hooks.log"
        return path.read_text() if path.exists() else ""

    def end_what_was_left(self) -> None:
        """Programs that a host put into this place, and left in the background, have ended; Codex has such a server."""
        listed = subprocess.run(["ps", "-eo", "pid=,args="], capture_output=True, text=True, check=True).stdout
        for process_id, program in (line.split(maxsplit=1) for line in listed.splitlines()):
            if program.startswith(f"{self.folder}/"):
                with suppress(ProcessLookupError):
                    os.kill(int(process_id), signal.SIGKILL)
        # It is half a gigabyte.
        shutil.rmtree(self.home / ".codex" / "packages", ignore_errors=True)

    def wait_for(self, holds: Callable[[], object], what: str) -> None:
        deadline = time.monotonic() + SECONDS
        while not holds():
            assert time.monotonic() < deadline, f"it never came: {what}"
            time.sleep(0.05)

"""A host that calls the installed `telic hook`, with a store and a state folder of its own."""

import json
import os
import subprocess
import sysconfig
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import telic
from tests.support.warm_command import run_telic

PAYLOADS = Path(__file__).parent / "payloads"
_HOSTS = ("TELIC", "CLAUDE", "GOOSE", "COPILOT", "GEMINI", "CODEX")
TELIC = Path(sysconfig.get_path("scripts")) / "telic"


class HostProgram:
    """Calls hooks as a host does, and keeps what its session is about."""

    def __init__(self, name: str, folder: Path) -> None:
        self.name = name
        self.folder = folder / "project"
        self.folder.mkdir()
        self.location = folder / "goals.db"
        self.state = folder / "state" / "telic"
        self.transcript = folder / "transcripts" / "session.jsonl"
        self.sub_transcript = folder / "transcripts" / "session" / "subagents" / "agent-ae267a1.jsonl"
        self.database = folder / {
            "goose": "home/.local/share/goose/sessions/sessions.db",
            "copilot": "home/.copilot/session-store.db",
        }.get(name, "none")
        self.options: list[str] = []
        # A loaded machine may be slow to answer; tests of the limit itself give their own.
        self.answer_seconds: float = 100
        self.variables: dict[str, str] = {}
        self.result: subprocess.CompletedProcess[bytes] | None = None
        self.store = telic.connect(self.location)

    @property
    def session(self) -> str:
        return self.payload("stop")["session_id"]

    @property
    def scope(self) -> str:
        return f"{self.name}/{self.session}"

    @property
    def log(self) -> str:
        file = self.state / "hooks.log"
        return file.read_text() if file.exists() else ""

    def payload(self, moment: str, message: str | None = None, **changes: Any) -> dict[str, Any]:
        """The payload of the folder, with this test's paths and, where one is given, another last message."""
        data = json.loads((PAYLOADS / f"{self.name}.{moment}.json").read_text())
        own: dict[str, Any] = {
            "cwd": str(self.folder),
            "transcript_path": str(self.transcript),
            "agent_transcript_path": str(self.sub_transcript),
        }
        if message is not None:
            own |= dict.fromkeys(("last_assistant_message", "prompt_response"), message)
        return {key: own.get(key, value) for key, value in data.items()} | changes

    def environment(self) -> dict[str, str]:
        kept = {key: value for key, value in os.environ.items() if not key.startswith(_HOSTS)}
        kept["TELIC_TURN_KEY"] = ""  # Also where an agent runs the tests in a turn of a loop.
        kept.pop("XDG_DATA_HOME", None)
        own = {
            "TELIC_STORE": str(self.location),
            "XDG_STATE_HOME": str(self.state.parent),
            "HOME": str(self.folder.parent / "home"),
        }
        return kept | own | self.variables

    def send(self, payload: bytes, *, options: list[str] | None = None) -> Any:
        """The answer to these bytes; a hook always ends with 0 and says nothing on standard error."""
        patience = ["--answer-seconds", str(self.answer_seconds)]
        arguments = ["hook", self.name, *patience, *(self.options if options is None else options)]
        self.result = run_telic(arguments, environment=self.environment(), folder=self.folder, payload=payload)
        assert self.result.returncode == 0, self.result.stderr
        assert self.result.stderr == b""
        return json.loads(self.result.stdout) if self.result.stdout else None

    def call(self, moment: str, message: str | None = None, **changes: Any) -> Any:
        return self.send(json.dumps(self.payload(moment, message, **changes)).encode())

    def stop(self, message: str | None = None, **changes: Any) -> str:
        """What the model is told at a stop that is turned into another turn; nothing where it is not."""
        return going_on(self.call("stop", message, **changes))

    def goal(self, text: str = "Move billing to the new API", **more: Any) -> telic.Goal:
        return self.store.create(text, scope=self.scope, **more)


def going_on(answer: Any) -> str:
    """What begins another turn, in either form: a refusal to stop with its reason, or feedback."""
    if answer is None:
        return ""
    return answer.get("hookSpecificOutput", {}).get("additionalContext") or answer.get("reason", "")


@pytest.fixture
def program(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[HostProgram]:
    """Claude Code, or the host that the test names."""
    host = HostProgram(getattr(request, "param", "claude-code"), tmp_path)
    yield host
    host.store.close()


def on_hosts(*names: str) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("program", names, indirect=True)

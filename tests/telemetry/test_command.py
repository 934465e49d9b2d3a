"""The command's options for log lines and telemetry, and the same through the environment."""

import json
import subprocess
from pathlib import Path
from typing import Any

import telic
from tests.interfaces.mcp.clients import HANDSHAKE, call
from tests.interfaces.running import Runs
from tests.interfaces.shell import TELIC, Shell
from tests.telemetry.telescope import MARKER

CONSOLE = {"OTEL_TRACES_EXPORTER": "console", "OTEL_METRICS_EXPORTER": "none"}


def spans_in(output: str) -> list[dict[str, Any]]:
    """The objects that the SDK's console exporter has written among other output."""
    found, decoder = [], json.JSONDecoder()
    start = output.find('{\n    "name"')
    while start >= 0:
        span, end = decoder.raw_decode(output, start)
        found.append(span)
        start = output.find('{\n    "name"', end)
    return found


def test_lines_are_written_where_asked_for(tmp_path: Path) -> None:
    shell = Shell(str(tmp_path / "goals.db"))
    assert "event" not in shell("create", MARKER).stderr
    by_option = shell("--log-level", "info", "pause", "--note", MARKER).stderr
    by_variable = shell("resume", TELIC_LOG_LEVEL="info", TELIC_LOG_FORMAT="json").stderr
    assert "level=info logger=telic.store event=paused goal=" in by_option
    (line,) = [json.loads(each) for each in by_variable.splitlines() if each.startswith("{")]
    assert (line["event"], line["status"], line["revision"]) == ("resumed", "active", 3)
    assert MARKER not in by_option + by_variable


def test_an_unknown_level_is_refused(tmp_path: Path) -> None:
    shell = Shell(str(tmp_path / "goals.db"))
    assert "loud" in shell("--log-level", "loud", "list", expect=2).stderr


def test_telemetry_is_switched_on_by_its_variables(tmp_path: Path) -> None:
    """As they ask for it; `--no-telemetry` and `OTEL_SDK_DISABLED` have the last word."""
    shell = Shell(str(tmp_path / "goals.db"))
    (span,) = spans_in(shell("create", MARKER, **CONSOLE).stdout)
    assert (span["name"], span["resource"]["attributes"]["service.name"]) == ("telic.create", "telic")
    assert MARKER not in json.dumps(span)
    named = spans_in(shell("list", OTEL_SERVICE_NAME="fleet", **CONSOLE).stdout)
    assert named[0]["resource"]["attributes"]["service.name"] == "fleet"
    assert spans_in(shell("--no-telemetry", "list", **CONSOLE).stdout) == []
    assert spans_in(shell("list", OTEL_SDK_DISABLED="true", **CONSOLE).stdout) == []
    assert spans_in(shell("list", OTEL_TRACES_EXPORTER="none").stdout) == []
    metrics = shell("create", "y", "--replace", OTEL_TRACES_EXPORTER="none", OTEL_METRICS_EXPORTER="console").stdout
    assert '"telic.goal.changes"' in metrics


def test_an_exporter_that_is_not_there_is_refused_where_telemetry_was_asked_for(tmp_path: Path) -> None:
    """And left out where only variables name it, which may be meant for other programs."""
    shell = Shell(str(tmp_path / "goals.db"))
    asked = shell("--telemetry", "create", "x", OTEL_TRACES_EXPORTER="carrier-pigeon", expect=2)
    assert "carrier-pigeon" in asked.stderr
    assert shell("create", "x", OTEL_TRACES_EXPORTER="carrier-pigeon").returncode == 0


def test_a_run_exports_its_turns(tmp_path: Path) -> None:
    """`telic run` tells turns with what they used, around the store's calls; its output stays what it is."""
    workspace = tmp_path / "workspace"
    workspace.mkdir()
    runs = Runs(str(tmp_path / "goals.db"), workspace)
    process = runs.start("--telemetry", "run", f"do {MARKER}", "--check", "test -f step-2", *runs.agent, **CONSOLE)
    output, errors = process.communicate(timeout=240)
    assert process.returncode == 0, errors
    spans = spans_in(output)
    turns = [span for span in spans if span["name"] == "invoke_agent"]
    assert [span["attributes"]["gen_ai.usage.input_tokens"] for span in turns] == [900, 900]
    assert [span["attributes"]["gen_ai.response.model"] for span in turns] == ["scripted", "scripted"]
    ids = {span["context"]["span_id"] for span in turns}
    assert sum(span["name"] == "telic.finish_turn" and span["parent_id"] in ids for span in spans) == 2
    assert any(span["name"] == "telic.check" for span in spans)
    assert all(MARKER not in json.dumps(span) for span in spans)


def test_a_server_tells_of_the_stores_that_it_opens(tmp_path: Path) -> None:
    """On standard error: its standard output is the protocol's."""
    telic.connect(tmp_path / "goals.db").close()
    messages = [*HANDSHAKE, call(1, "create_goal", text=MARKER)]
    ended = subprocess.run(
        [TELIC, "--log-level", "info", "mcp", "--role", "operator", "--store", str(tmp_path / "goals.db")],
        input="".join(json.dumps(message) + "\n" for message in messages),
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert [json.loads(line)["id"] for line in ended.stdout.splitlines()] == [0, 1]
    assert "level=info logger=telic.store event=created goal=" in ended.stderr
    assert MARKER not in ended.stderr
